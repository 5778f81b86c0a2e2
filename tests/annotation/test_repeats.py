"""Silent repeats: at the project's rate, long after the first answer, in the opposite order, in no count."""

import random

import pytest

from accounts.models import User
from annotation import annotator_selectors, item_selectors, repeat_selectors
from annotation.aggregation.wilson import wilson
from annotation.models.project import Project
from annotation.models.quality import SoftLabel
from annotation.models.work import Assignment, Judgment
from annotation.services import aggregating, agreeing, assigning, judging, slots, snapshotting
from tests import factories
from tests.annotation.ordering import item_of, told

pytestmark = pytest.mark.django_db


def work(
    project: Project, person: User, answers: int, *, seed: int = 1, again: str = "b"
) -> list[Assignment]:
    """This person answers so many items, a everywhere; to a repeat they say `again`."""
    rng, done = random.Random(seed), []
    for number in range(answers):
        assignment = assigning.claim(project=project, annotator=person, rng=rng)
        if assignment is None:
            break
        judging.submit(
            assignment_id=assignment.pk,
            annotator=person,
            answers=judging.pairwise(project, again if assignment.repeat else "a"),
            idempotency_key=f"{person.pk}-{number}",
        )
        done.append(assignment)
    return done


def busy(rate: float, items: int = 120) -> tuple[Project, User, list[Assignment]]:
    project, person = factories.project(repeat_rate=rate, overlap=2), factories.user()
    for _ in range(items):
        item_of(project, 2)
    return project, person, work(project, person, items)


@pytest.mark.slow
def test_repeats_come_at_the_rate_after_twenty_others_in_the_opposite_order() -> None:
    project, person, done = busy(0.3)
    repeats = [(place, one) for place, one in enumerate(done) if one.repeat]
    assert 15 <= len(repeats) <= 45  # 30 % of those that could be one
    for place, repeat in repeats:
        first = next(number for number, one in enumerate(done) if one.item_id == repeat.item_id)
        assert place - first > assigning.REPEAT_DISTANCE
        assert repeat.display_order == list(reversed(done[first].display_order))
    assert len({one.item_id for _, one in repeats}) == len(repeats)  # each item once
    assert not any(one.item.is_gold for _, one in repeats)
    assert repeat_selectors.consistency(project)[person.pk].repeats == len(repeats)


@pytest.mark.slow
def test_without_a_rate_nothing_comes_again() -> None:
    _, _, done = busy(0.0, items=40)
    assert not any(one.repeat for one in done)


@pytest.mark.slow
def test_a_repeat_holds_no_slot_and_is_in_no_count() -> None:
    project, _, done = busy(0.4, items=60)
    repeats = [one for one in done if one.repeat]
    firsts = [one for one in done if not one.repeat]
    assert len(repeats) > 5
    assert slots.wrong_slots(project) == []
    assert sum(project.items.values_list("slots_left", flat=True)) == 2 * 60 - len(firsts)
    assert Judgment.objects.filter(live=True).count() == len(firsts)
    assert aggregating.rebuild(project=project) == len(firsts)
    assert set(SoftLabel.objects.values_list("votes", "p_a")) == {(1, 1.0)}  # never the b of a repeat
    (found,) = agreeing.agreement_of(project=project, draws=0)
    assert found.report.ratings == len(firsts)
    (row,) = annotator_selectors.annotators(project)
    assert (row.judgments, row.a, row.b) == (len(firsts), len(firsts), 0)
    assert row.itself == repeat_selectors.Consistency(len(repeats), 0)
    assert [one.votes for one in item_selectors.votes_by_item(project)] == [1] * len(firsts)


@pytest.mark.slow
def test_a_snapshot_leaves_repeats_out_and_says_so(settings: object, tmp_path: object) -> None:
    settings.LAUREL_DATA_DIR = tmp_path  # type: ignore[attr-defined]
    settings.LAUREL_SNAPSHOT_DIR = tmp_path / "snapshots"  # type: ignore[attr-defined, operator]
    project, _, done = busy(0.4, items=60)
    repeats = sum(one.repeat for one in done)
    manifest = snapshotting.create(project=project).manifest
    assert manifest["counts"]["votes"] == len(done) - repeats
    assert {"reason": "answers to silent repeats", "count": repeats} in manifest["left_out"]
    assert not any("superseded" in one["reason"] for one in manifest["left_out"])


# --- self-consistency -----------------------------------------------------------------------------------


def again(first: Judgment, numbers: tuple[int, ...], number: int = 0, **fields: int) -> Judgment:
    """The same person answers the silent repeat of an item they have answered."""
    held, _ = Assignment.objects.get_or_create(
        item=first.item, project=first.item.project, annotator=first.annotator, repeat=True,
        defaults={"surplus": True, "display_order": list(reversed(first.display_order or [])),
                  "lease_expires_at": first.judged_at},
    )  # fmt: skip
    return judging.submit(
        assignment_id=held.pk, annotator=first.annotator, answers=[told(first.item.project, numbers)],
        idempotency_key=f"again-{held.pk}-{number}", **fields,
    ).judgment  # fmt: skip


def ranked(project: Project, person: User, numbers: tuple[int, ...]) -> Judgment:
    item = item_of(project, len(numbers))
    order = tuple(range(len(numbers)))
    return factories.judgment(item, person, answers=[told(project, numbers)], display_order=order)


def test_the_credit_of_the_repeat_against_the_first_answer_says_who_is_consistent() -> None:
    project, person, nobody = factories.project(kind="ranking"), factories.user(), factories.user()
    again(ranked(project, person, (1, 2, 3, 4)), (1, 2, 3, 4))
    again(ranked(project, person, (1, 2, 3, 4)), (2, 1, 3, 4))  # 5 of 6 pairs
    again(ranked(project, person, (1, 2, 3, 4)), (2, 1, 4, 3))  # 4 of 6
    ranked(project, nobody, (1, 2, 3))
    found = repeat_selectors.consistency(project)
    assert found == {person.pk: repeat_selectors.Consistency(3, 2)}
    assert found[person.pk].interval == pytest.approx((0.2077, 0.9385), abs=1e-4)


def test_what_was_changed_counts_as_it_stands_and_what_was_taken_back_not_at_all() -> None:
    project, person = factories.project(kind="ranking"), factories.user()
    first = ranked(project, person, (1, 2, 3))
    wrong = again(first, (3, 2, 1))
    assert repeat_selectors.consistency(project)[person.pk].consistent == 0
    again(first, (1, 2, 3), 1, replaces=wrong.pk)
    assert repeat_selectors.consistency(project)[person.pk] == repeat_selectors.Consistency(1, 1)
    assigning.skip(assignment_id=first.assignment_id, annotator=person)  # type: ignore[arg-type]
    assert repeat_selectors.consistency(project) == {}


def test_wilson_is_the_published_interval() -> None:
    assert wilson(0, 0) is None
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
