"""The sample project as it is loaded: once, whole, with gold that points at the better answer."""

import json
from io import StringIO

import pytest
from django.core.management import call_command

from accounts.models import Membership
from annotation.models.project import Project
from annotation.models.quality import GoldAnswer
from annotation.services import sample, slots
from tests import factories
from tests.annotation.import_rows import everything

pytestmark = pytest.mark.django_db


@pytest.mark.slow
def test_the_sample_is_loaded_once() -> None:
    manager = factories.user()
    project, created = sample.load_sample(manager=manager)
    assert created
    assert project.prompts.count() >= 60
    assert Membership.objects.get(project=project).user == manager
    assert project.guidelines.count() == 1
    assert slots.wrong_slots(project) == []
    before = everything()
    again, created = sample.load_sample(manager=manager)
    assert (again, created) == (project, False)
    assert everything() == before


@pytest.mark.slow
def test_its_gold_prefers_the_better_answer_and_says_why() -> None:
    project, _ = sample.load_sample()
    answers = list(GoldAnswer.objects.filter(item__project=project).select_related("item"))
    assert len(answers) >= 10
    for gold in answers:
        first, second = (
            place.response.metadata["quality"]
            for place in gold.item.item_responses.select_related("response").order_by("position")
        )
        assert (gold.choice == "a") == (first > second)
        assert gold.reason
        assert (gold.item.origin, gold.item.slots_left) == ("gold", slots.GOLD_SLOTS)
    assert {gold.choice for gold in answers} == {"a", "b"}


@pytest.mark.slow
def test_every_prompt_has_work_that_is_not_gold() -> None:
    project, _ = sample.load_sample()
    assert not project.prompts.exclude(items__is_gold=False).exists()


@pytest.mark.slow
def test_the_command_says_whether_it_loaded() -> None:
    found = []
    for _ in range(2):
        out = StringIO()
        call_command("load_sample", "--json", stdout=out)
        found.append(json.loads(out.getvalue()))
    assert [one.pop("created") for one in found] == [True, False]
    assert found[0] == found[1]
    assert found[0]["items"] == Project.objects.get(slug="sample").items.count()


def test_a_damaged_sample_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for name in ("guidelines.md", "part1.jsonl"):
        (tmp_path / name).write_text("nonsense\n")
    monkeypatch.setattr(sample, "FOLDER", tmp_path)
    with pytest.raises(sample.BrokenSample, match=r"part1\.jsonl"):
        sample.load_sample()
    assert not Project.objects.exists()
