"""Gold: a twin with the expert's answer, corrected and retired with everything kept, never met twice."""

import pytest

from accounts.models import AuditEntry
from annotation import annotator_selectors, blind_selectors, gold_selectors
from annotation.answering.answer import Answer, InvalidAnswer
from annotation.models.project import Project
from annotation.models.quality import GoldAnswer
from annotation.models.work import Assignment, Item, Judgment
from annotation.services import assigning, gold, reviewing, slots
from tests import factories
from tests.annotation.ordering import item_of, told, vote
from tests.annotation.working import let_lease_run_out

pytestmark = pytest.mark.django_db

TWO = [{"name": "helpfulness", "description": ""}, {"name": "honesty", "description": ""}]


def write(item: Item, *answers: Answer, reason: str = "So.", **fields: object) -> Item:
    return gold.write_for(item=item, answers=answers, reason=reason, source="written", **fields)  # type: ignore[arg-type]


def of(item: Item) -> list[tuple[object, ...]]:
    return list(
        GoldAnswer.objects.filter(item=item)
        .order_by("criterion")
        .values_list("criterion", "choice", "ranks", "ratings")
    )


@pytest.mark.parametrize(
    ("kind", "numbers", "stored"),
    [("ranking", (2, 3, 3), ([1, 2, 2], None)), ("rating", (5, 1, 3), (None, [5, 1, 3]))],
)
def test_gold_of_a_work_item_is_a_twin_and_leaves_its_votes_alone(
    kind: str, numbers: tuple[int, ...], stored: tuple[object, ...]
) -> None:
    project = factories.project(kind=kind, overlap=2)
    work, person = item_of(project, 3), factories.user()
    vote(work, numbers, person)
    twin = write(work, told(project, numbers))
    assert (twin.is_gold, twin.origin, twin.slots_left) == (True, "gold", slots.GOLD_SLOTS)
    assert twin.pk != work.pk
    assert list(twin.responses.order_by("item_responses__position")) == list(
        work.responses.order_by("item_responses__position")
    )
    assert of(twin) == [("overall", "", *stored)]
    assert Judgment.objects.filter(item=work, live=True).count() == 1
    assert assigning.claim(project=project, annotator=person) is None  # nobody meets both twins
    other = assigning.claim(project=project, annotator=factories.user())
    assert other is not None
    assert slots.wrong_slots(project) == []


def test_after_a_hold_that_ran_out_the_twin_stays_closed() -> None:
    """Or the late answer to the one would meet the other; the item itself may come back."""
    project = factories.project(overlap=1)
    work, slow = item_of(project, 2), factories.user()
    held = assigning.claim(project=project, annotator=slow)
    assert held is not None
    let_lease_run_out(held)
    other = assigning.claim(project=project, annotator=factories.user())
    assert other is not None
    write(work, Answer("overall", choice="a"))
    assert assigning.claim(project=project, annotator=slow) is None
    let_lease_run_out(other)
    back = assigning.claim(project=project, annotator=slow)
    assert back == held


def test_a_second_answer_corrects_the_first_and_the_log_keeps_the_old_one() -> None:
    project, manager = factories.project(), factories.user()
    work = item_of(project, 2)
    twin = write(work, Answer("overall", choice="a"), reason="Old.")
    assert write(work, Answer("overall", choice="b"), reason="New.", actor=manager) == twin
    row = twin.gold_answers.get()
    assert (row.choice, row.reason, row.created_by) == ("b", "New.", manager)
    entry = AuditEntry.objects.get(action="gold corrected")
    assert entry.actor == manager
    assert entry.detail["before"] == [{"criterion": "overall", "choice": "a", "reason": "Old."}]
    assert entry.detail["after"] == [{"criterion": "overall", "choice": "b", "reason": "New."}]
    write(twin, Answer("overall", choice="b"), reason="New.")
    assert AuditEntry.objects.filter(action="gold corrected").count() == 1


def test_an_answer_told_in_another_order_of_responses_means_the_same() -> None:
    project = factories.project(kind="ranking")
    twin = write(item_of(project, 3), told(project, (1, 2, 3)))
    first, second, third = (place.response for place in twin.item_responses.order_by("position"))
    again = gold.write(project=project, responses=[third, first, second], answers=[told(project, (1, 2, 3))])
    assert again == twin
    assert of(twin) == [("overall", "", [2, 3, 1], None)]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([], "one criterion at least"),
        ([Answer("honesty", choice="a")], "main criterion, helpfulness"),
        ([Answer("helpfulness", choice="a"), Answer("wit", choice="a")], "no criterion “wit”"),
        ([Answer("helpfulness", choice="tie")], "is not a choice"),
        ([Answer("helpfulness", ranks=(1, 2))], "is not a choice"),
        ([Answer("helpfulness", choice="a"), Answer("helpfulness", choice="b")], "answered twice"),
    ],
)
def test_what_cannot_be_gold_is_said_and_nothing_is_kept(answers: list[Answer], words: str) -> None:
    project = factories.project(criteria=TWO, ties=False)
    with pytest.raises(InvalidAnswer, match=words):
        write(item_of(project, 2), *answers)
    assert not project.items.filter(is_gold=True).exists()


def test_a_strength_is_left_away_and_other_criteria_may_stay_open() -> None:
    project = factories.project(criteria=TWO, strength_scale=True)
    twin = write(item_of(project, 2), Answer("helpfulness", choice="b", strength=3))
    assert of(twin) == [("helpfulness", "b", None, None)]


def test_retired_gold_goes_to_nobody_counts_for_nobody_and_comes_back() -> None:
    project = factories.project()
    twin = write(item_of(project, 2), Answer("overall", choice="a"))
    project.items.filter(is_gold=False).update(slots_left=0, retired_at=None)
    met, late = factories.user(), factories.user()
    factories.judgment(twin, met, "b")
    assert gold_selectors.checks_by_annotator(project)[met.pk] == gold_selectors.Checks(1, 0)
    gold.retire(item=twin)
    assert Item.objects.get(pk=twin.pk).slots_left == 0
    assert assigning.claim(project=project, annotator=late) is None
    assert gold_selectors.checks_by_annotator(project) == {}
    assert gold_selectors.checks_by_item(project)[twin.pk].answered == 1
    slots.recount_slots([twin.pk])
    assert Item.objects.get(pk=twin.pk).slots_left == 0
    gold.restore(item=twin)
    assert Item.objects.get(pk=twin.pk).slots_left == slots.GOLD_SLOTS - 1
    claimed = assigning.claim(project=project, annotator=late)
    assert claimed is not None
    assert claimed.item == twin
    actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert actions[-2:] == ["gold retired", "gold restored"]


def test_retired_gold_that_waits_behind_a_screen_is_taken_from_there() -> None:
    project = factories.project(gold_rate=0.0, overlap=5)
    twin = write(item_of(project, 2), Answer("overall", choice="a"))
    person, other = factories.user(), factories.user()
    waiting = factories.assignment(twin, person)
    shown = factories.assignment(twin, other)
    Assignment.objects.filter(pk=shown.pk).update(shown_at=shown.created_at)
    gold.retire(item=twin)
    states = dict(Assignment.objects.values_list("pk", "state"))
    assert (states[waiting.pk], states[shown.pk]) == ("expired", "open")
    assert slots.wrong_slots(project) == []


def test_who_writes_gold_by_hand_is_not_asked_about_it() -> None:
    project, expert = factories.project(), factories.user()
    work = item_of(project, 2)
    write(work, Answer("overall", choice="a"), actor=expert)
    assert assigning.claim(project=project, annotator=expert) is None
    assert blind_selectors.new_to(expert, project, [work.response_set]) == set()


def test_an_answer_is_right_from_eight_tenths_of_the_credit_on() -> None:
    project = factories.project(kind="ranking", overlap=9)
    twin = write(item_of(project, 4), told(project, (1, 2, 3, 4)))
    people = {numbers: factories.user() for numbers in [(1, 2, 3, 4), (2, 1, 3, 4), (2, 1, 4, 3)]}
    for numbers, person in people.items():
        vote(twin, numbers, person)  # credit 1, 5/6 and 4/6
    checks = gold_selectors.checks_by_annotator(project)
    assert [checks[person.pk].right for person in people.values()] == [1, 1, 0]
    assert gold_selectors.checks_by_item(project)[twin.pk] == gold_selectors.Checks(3, 2)
    rows = {row.id: row for row in annotator_selectors.annotators(project)}
    assert rows[people[2, 1, 4, 3].pk].gold_accuracy == 0.0


def test_with_several_criteria_the_mean_counts_and_of_pairs_the_first() -> None:
    rating = factories.project(kind="rating", criteria=TWO)
    twin = write(item_of(rating, 2), told(rating, (5, 5), "helpfulness"), told(rating, (1, 1), "honesty"))
    half, near = factories.user(), factories.user()
    vote(twin, (5, 5), half)
    factories.judgment(
        twin, near, answers=[told(rating, (4, 4), "helpfulness"), told(rating, (2, 1), "honesty")]
    )
    checks = gold_selectors.checks_by_annotator(rating)
    assert (checks[half.pk].right, checks[near.pk].right) == (0, 1)

    pairs = factories.project(criteria=TWO)
    both = write(item_of(pairs, 2), Answer("helpfulness", choice="a"), Answer("honesty", choice="b"))
    person = factories.user()
    factories.judgment(both, person, "a")
    assert gold_selectors.checks_by_annotator(pairs) == {person.pk: gold_selectors.Checks(1, 1)}


# --- claiming one item, seeing its votes ------------------------------------------------------------


def claimable() -> tuple[Project, Item]:
    project = factories.project(overlap=1)
    return project, item_of(project, 2)


def test_somebody_claims_this_very_item_and_holds_its_slot() -> None:
    project, item = claimable()
    item_of(project, 2)
    person = factories.user()
    held = reviewing.claim_item(item=item, annotator=person)
    assert (held.item, held.state) == (item, "open")
    assert sorted(held.display_order) == [0, 1]
    assert Item.objects.get(pk=item.pk).slots_left == 0
    assert reviewing.claim_item(item=item, annotator=person) == held
    again = assigning.claim(project=project, annotator=person)
    assert again == held
    assert slots.wrong_slots(project) == []


def test_an_item_that_is_full_met_or_in_a_paused_project_is_not_given() -> None:
    project, item = claimable()
    first, second = factories.user(), factories.user()
    factories.judgment(item, first, "a")
    with pytest.raises(reviewing.CannotClaim, match="All places"):
        reviewing.claim_item(item=item, annotator=second)
    with pytest.raises(reviewing.CannotClaim, match="met these"):
        reviewing.claim_item(item=item, annotator=first)
    project.state = "paused"
    project.save()
    with pytest.raises(reviewing.CannotClaim, match="Nobody is given"):
        reviewing.claim_item(item=Item.objects.get(pk=item.pk), annotator=second)
    assert slots.wrong_slots(project) == []


def test_who_has_seen_the_votes_never_gets_the_item_nor_its_twin() -> None:
    project, item = claimable()
    twin = write(item, Answer("overall", choice="a"))
    person = factories.user()
    waiting = factories.assignment(twin, person)
    reviewing.see_votes(item=item, annotator=person)
    assert set(Assignment.objects.filter(annotator=person).values_list("state", "note")) == {
        ("skipped", Assignment.SAW_VOTES)
    }
    assert Assignment.objects.get(pk=waiting.pk).state == "skipped"
    assert assigning.claim(project=project, annotator=person) is None
    assert slots.wrong_slots(project) == []
