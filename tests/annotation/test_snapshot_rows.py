"""What a snapshot takes from the database: answers with their weight, categories, and what it leaves out."""

from pathlib import Path

import pytest

from annotation.interchange.snapshot import read_answers, read_responses
from annotation.models.project import Project
from annotation.models.work import Judgment
from annotation.services import snapshotting, standing
from tests import factories
from tests.annotation.ordering import item_of, vote


@pytest.fixture(autouse=True)
def folders(settings: object, tmp_path: Path) -> None:
    settings.LAUREL_DATA_DIR = tmp_path  # type: ignore[attr-defined]
    settings.LAUREL_SNAPSHOT_DIR = tmp_path / "snapshots"  # type: ignore[attr-defined]


def frozen(project: Project) -> Path:
    return snapshotting.folder_of(snapshotting.create(project=project))


@pytest.mark.django_db
@pytest.mark.parametrize(("kind", "told"), [("ranking", (2, 1, 2)), ("rating", (5, 1, 4))])
def test_answers_are_as_given_in_the_items_order(kind: str, told: tuple[int, ...]) -> None:
    project = factories.project(kind=kind)
    item, person = item_of(project, 3), factories.user()
    vote(item, told, person)
    ((row, split),) = read_answers(frozen(project))
    assert list(row.ranks or row.ratings or ()) == list(told)
    assert (row.kind, row.points, row.weight) == (kind, 5 if kind == "rating" else None, 1.0)
    assert row.responses == [
        str(pk) for pk in item.item_responses.order_by("position").values_list("response_id", flat=True)
    ]
    assert (row.annotator, split) == (f"annotator-{person.pk}", "train")


@pytest.mark.django_db
def test_an_experts_decision_weighs_more_and_paused_people_are_counted_not_kept() -> None:
    project = factories.project(overlap=3, expert_weight=4)
    item, boss, idle = factories.pair_item(project), factories.user(), factories.user()
    factories.judgment(item, factories.user(), "a")
    factories.judgment(item, idle, "b")
    factories.judgment(item, boss, "b", source=Judgment.Source.EXPERT)
    standing.pause(project=project, annotator=idle, actor=boss, reason="asleep")
    folder = frozen(project)
    assert {(row.annotator.split("-")[0], row.choice, row.weight) for row, _ in read_answers(folder)} == {
        ("annotator", "a", 1.0),
        ("expert", "b", 4.0),
    }
    left_out = project.snapshots.get().manifest["left_out"]
    assert left_out == [{"reason": "judgments of paused or excluded people", "count": 1}]


@pytest.mark.slow
@pytest.mark.django_db
def test_who_is_less_reliable_weighs_less_as_in_the_labels() -> None:
    project = factories.project(overlap=4, aggregation="competence")
    careful = [factories.user() for _ in range(3)]
    guesser = factories.user()
    for number in range(30):
        item = factories.pair_item(project)
        for person in careful:
            factories.judgment(item, person, "ab"[number % 2])
        factories.judgment(item, guesser, "aabb"[number % 4])
    weights = {row.annotator: row.weight for row, _ in read_answers(frozen(project))}
    assert (
        weights[f"annotator-{guesser.pk}"]
        < 0.6
        < min(weights[f"annotator-{person.pk}"] for person in careful)
    )


@pytest.mark.django_db
def test_the_category_is_the_items_else_the_prompts() -> None:
    project = factories.project()
    for of_item, of_prompt in (("code", "maths"), ("", "poetry"), ("", "")):
        item = factories.pair_item(project)
        item.metadata = {"category": of_item}
        item.save()
        item.prompt.metadata = {"category": of_prompt}
        item.prompt.save()
        factories.judgment(item, factories.user(), "a")
    found = [row.category for row in read_responses(frozen(project))]
    assert sorted(found, key=str) == [None, None, "code", "code", "poetry", "poetry"]
