"""The pages of the choosing where responses are ranked or rated."""

from pathlib import Path

import pytest
from django.http import HttpResponse
from django.urls import reverse

from activelearning.models import LoopTurn
from activelearning.services import estimating, policies, selecting
from annotation.models.project import Project
from tests import factories
from tests.activelearning import ranked, scored
from tests.activelearning.test_pages import words
from tests.cast import Cast, browser, make_cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(settings: object, tmp_path: Path) -> Cast:
    scored.own_folders(settings, tmp_path)
    cast = make_cast()
    Project.objects.filter(pk=cast.project.pk).update(kind="ranking")
    cast.project.refresh_from_db()
    return cast


def look(cast: Cast, name: str, *more: object, language: str = "en") -> str:
    client = browser(cast.engineer)
    client.cookies["django_language"] = language
    response: HttpResponse = client.get(reverse(f"activelearning:{name}", args=["harbour", *more]))
    assert response.status_code == 200
    return words(response)


def test_the_page_of_the_next_batch_speaks_of_groups(cast: Cast) -> None:
    for _ in range(3):
        factories.responses(factories.prompt(cast.project), 4)
    selecting.select(project=cast.project, n=3, seed=1)
    text = look(cast, "batches")
    assert "queue 50 groups of responses" in text
    assert "Then queue this many groups of responses" in text
    assert "groups are not asked about again" in text
    assert "Batch Chosen by Groups" in text
    assert "queue 50 pairs" not in text
    Project.objects.update(kind="pairwise")
    text = look(cast, "batches")
    assert "queue 50 pairs" in text
    assert "groups of responses" not in text


@pytest.mark.slow
def test_a_batch_shows_all_responses_of_a_group(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(12):
        factories.responses(factories.prompt(cast.project), 4)
    policies.set_policy(project=cast.project, audit_pairs=0, random_share=0.0)
    ranked.judge_some(cast.project, 6, size=4)
    scored.with_ensemble(cast.project)
    scored.score_by(monkeypatch, scored.unsure)
    scored.with_no_test_prompts(monkeypatch)
    monkeypatch.setattr("activelearning.services.grouping.assign_splits", lambda ids, _: dict.fromkeys(ids))
    batch = selecting.select(project=cast.project, n=3, seed=1)
    assert batch is not None
    text = look(cast, "batch", batch.number)
    assert "3 of 6 possible groups of responses" in text
    assert "Of these 4 responses A against B tells most" in text
    for pair in batch.pairs.all():
        for response in pair.item.responses.all():
            assert response.text in text
    for letter in "ABCD":
        assert f"{letter} Answer" in text
    assert "E Answer" not in text


def test_a_batch_asks_the_database_no_more_for_more_groups(cast: Cast, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    for _ in range(9):
        factories.responses(factories.prompt(cast.project), 4)
    selecting.select(project=cast.project, n=2, seed=1)
    selecting.select(project=cast.project, n=6, seed=1)
    client = browser(cast.engineer)
    client.get(reverse("activelearning:batch", args=["harbour", 1]))
    counted = []
    for number in (1, 2):
        with django_assert_num_queries(100, exact=False) as asked:
            client.get(reverse("activelearning:batch", args=["harbour", number]))
        counted.append(len(asked))
    assert counted[0] == counted[1]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ranking", "rating"])
def test_every_page_of_the_choosing_works(cast: Cast, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Project.objects.update(kind=kind)
    cast.project.refresh_from_db()
    for _ in range(30):
        factories.responses(factories.prompt(cast.project), 4)
    ranked.judge_some(cast.project, 20)
    ensemble = scored.with_ensemble(cast.project)
    scored.score_by(monkeypatch, scored.unsure)
    batch = selecting.select(project=cast.project, n=10, seed=1)
    assert batch is not None
    turn = LoopTurn.objects.create(
        project=cast.project, judgments=20, run=ensemble.run, batch=batch, state="done"
    )
    turn.estimate = estimating.estimate(turn)
    turn.save()
    assert batch.survey is not None
    for name in ("batches", "coverage", "coverage_csv", "curve", "curve_csv", "replays"):
        look(cast, name)
    look(cast, "batch", batch.number, language="de")
