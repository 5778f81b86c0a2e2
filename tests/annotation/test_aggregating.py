"""Soft labels are what a plain count of the live answers says, however often they are rebuilt."""

import random
from collections import Counter, defaultdict

import pytest
from django.db import connection

from annotation.models.project import Project
from annotation.models.quality import SoftLabel
from annotation.models.work import Answer
from annotation.services import aggregating, assigning
from tests import factories
from tests.annotation.import_rows import bring, row

pytestmark = pytest.mark.django_db

Label = tuple[float, float, float, int, float]


def counted(project: Project) -> dict[tuple[int, str], Label]:
    """The same in Python, one answer after the other."""
    votes: dict[tuple[int, str], Counter[str]] = defaultdict(Counter)
    for answer in Answer.objects.select_related("judgment__item"):
        judgment = answer.judgment
        if judgment.item.project_id == project.pk and judgment.live and judgment.item.origin != "gold":
            choice = "tie" if answer.choice == "both_bad" else answer.choice
            votes[judgment.item_id, answer.criterion][choice] += 1
    return {
        key: (
            of["a"] / of.total(),
            of["tie"] / of.total(),
            of["b"] / of.total(),
            of.total(),
            float(of.total()),
        )
        for key, of in votes.items()
    }


def stored(project: Project) -> dict[tuple[int, str], Label]:
    return {
        (label.item_id, label.criterion): (
            label.p_a, label.p_tie, label.p_b, label.votes, label.effective_votes
        )
        for label in SoftLabel.objects.filter(project=project)
    }  # fmt: skip


def close(found: dict[tuple[int, str], Label], expected: dict[tuple[int, str], Label]) -> bool:
    return found.keys() == expected.keys() and all(
        found[key] == pytest.approx(expected[key], abs=1e-12) for key in expected
    )


def versions() -> set[tuple[int, str]]:
    """(label, where its row stands): an UPDATE moves it, even one that changes nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, ctid::text FROM annotation_softlabel")
        return set(cursor.fetchall())


def busy_project(seed: int = 1) -> Project:
    rng = random.Random(seed)
    project = factories.project(
        criteria=[{"name": name, "description": ""} for name in ("overall", "clear")], overlap=10
    )
    choices = ("a", "b", "tie", "both_bad")
    rows = []
    for number in range(30):
        votes = [
            {"annotator": f"w{one}", "choice": rng.choice(choices), "criterion": criterion}
            for one in range(rng.randrange(5))
            for criterion in ("overall", "clear")
            if rng.random() < 0.8
        ]
        rows.append(row(number, votes=votes))
    rows.append(row(100, ("w1", "a"), gold={"choice": "a"}))
    assert bring(project, *rows).applied
    for item in project.items.filter(is_gold=False)[:5]:
        factories.judgment(item, factories.user(), rng.choice(choices))
    return project


@pytest.mark.slow
def test_rebuild_equals_a_plain_count() -> None:
    project, other = busy_project(1), busy_project(2)
    assert aggregating.rebuild(project=project) == len(counted(project)) > 30
    assert close(stored(project), counted(project))
    assert not stored(other)


def test_responses_stand_in_canonical_order() -> None:
    project = factories.project()
    item = factories.pair_item(project)
    factories.judgment(item, factories.user(), "a", display_order=(1, 0))
    aggregating.rebuild(project=project)
    label = SoftLabel.objects.get()
    places = dict(item.item_responses.values_list("position", "response_id"))
    assert (label.response_a_id, label.response_b_id, label.p_a) == (places[0], places[1], 1.0)


def test_both_bad_is_a_tie_and_gold_is_left_out() -> None:
    project = factories.project(overlap=5)
    item, gold = factories.pair_item(project), factories.gold_item(project)
    for choice in ("both_bad", "tie", "a", "a"):
        factories.judgment(item, factories.user(), choice)
    factories.judgment(gold, factories.user(), "a")
    assert aggregating.rebuild(project=project) == 1
    label = SoftLabel.objects.get()
    assert (label.item, label.p_a, label.p_tie, label.p_b, label.votes) == (item, 0.5, 0.5, 0.0, 4)


def test_rebuilding_again_touches_nothing() -> None:
    project = busy_project()
    aggregating.rebuild(project=project)
    before = versions()
    assert len(before) > 30
    aggregating.rebuild(project=project)
    assert versions() == before


def test_only_what_changed_is_written() -> None:
    project = busy_project()
    aggregating.rebuild(project=project)
    before = versions()
    changed = project.items.filter(is_gold=False, slots_left__gt=0).first()
    assert changed is not None
    factories.judgment(changed, factories.user(), "a")
    factories.judgment(changed, factories.user(), "b")
    aggregating.rebuild(project=project)
    assert close(stored(project), counted(project))
    touched = SoftLabel.objects.filter(pk__in=dict(versions() - before))
    assert set(touched.values_list("item_id", "criterion")) == {
        (changed.pk, "overall"),
        (changed.pk, "clear"),
    }


def test_a_retracted_vote_disappears() -> None:
    project = factories.project()
    item, person = factories.pair_item(project), factories.user()
    factories.judgment(item, factories.user(), "a")
    taken_back = factories.judgment(item, person, "b")
    aggregating.rebuild(project=project)
    assert SoftLabel.objects.get().p_a == 0.5
    assigning.skip(assignment_id=taken_back.assignment_id, annotator=person)
    assert aggregating.rebuild(project=project) == 1
    label = SoftLabel.objects.get()
    assert (label.p_a, label.votes) == (1.0, 1)


def test_a_label_without_a_vote_left_goes() -> None:
    project, person = factories.project(), factories.user()
    taken_back = factories.judgment(factories.pair_item(project), person, "b")
    assert aggregating.rebuild(project=project) == 1
    assigning.skip(assignment_id=taken_back.assignment_id, annotator=person)
    assert aggregating.rebuild(project=project) == 0
    assert not SoftLabel.objects.exists()
