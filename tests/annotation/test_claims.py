"""Claims: everybody gets work while there is any, by priority, gold among it, and leases give it back."""

import json
import random
from collections import Counter
from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from annotation.models.work import Assignment, Item, Judgment
from annotation.services import assigning, slots
from tests import factories
from tests.annotation.working import answer, let_lease_run_out

# --- one person after another ----------------------------------------------------------------------


@pytest.mark.django_db
def test_the_same_item_until_it_is_answered_and_then_the_next() -> None:
    project, person = factories.project(), factories.user()
    for _ in range(2):
        factories.pair_item(project)
    first = assigning.claim(project=project, annotator=person)
    again = assigning.claim(project=project, annotator=person)
    assert first is not None
    assert again is not None
    assert (again.pk, again.display_order) == (first.pk, first.display_order)
    answer(first)
    second = assigning.claim(project=project, annotator=person)
    assert second is not None
    assert second.item_id != first.item_id
    answer(second)
    assert assigning.claim(project=project, annotator=person) is None


@pytest.mark.slow
@pytest.mark.django_db
def test_every_order_of_display_is_drawn() -> None:
    project = factories.project(overlap=100)
    factories.pair_item(project)
    rng = random.Random(1)
    drawn = Counter(
        tuple(claimed.display_order)
        for _ in range(60)
        if (claimed := assigning.claim(project=project, annotator=factories.user(), rng=rng))
    )
    assert set(drawn) == {(0, 1), (1, 0)}
    assert min(drawn.values()) > 15


@pytest.mark.django_db
def test_the_highest_priority_comes_first() -> None:
    project, person = factories.project(), factories.user()
    wanted = {factories.pair_item(project, priority=priority).pk: priority for priority in (0, 2, 1, 0, 2)}
    got = []
    while claimed := assigning.claim(project=project, annotator=person):
        got.append(wanted[claimed.item_id])
        answer(claimed)
    assert got == [2, 2, 1, 0, 0]


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["paused", "closed"])
def test_a_project_that_does_not_run_gives_nothing_new(state: str) -> None:
    project, person = factories.project(), factories.user()
    factories.pair_item(project)
    project.state = state
    project.save()
    assert assigning.claim(project=project, annotator=person) is None
    assert not Assignment.objects.exists()


@pytest.mark.django_db
def test_what_was_skipped_or_flagged_goes_to_others_only() -> None:
    project = factories.project(overlap=1)
    item = factories.pair_item(project)
    first, second, third = (factories.user() for _ in range(3))
    for person, leave in ((first, assigning.skip), (second, assigning.flag)):
        claimed = assigning.claim(project=project, annotator=person)
        assert claimed is not None
        leave(assignment_id=claimed.pk, annotator=person)
        leave(assignment_id=claimed.pk, annotator=person)
        assert assigning.claim(project=project, annotator=person) is None
        item.refresh_from_db()
        assert item.slots_left == 1
    assert assigning.claim(project=project, annotator=third) is not None
    assert Assignment.objects.get(annotator=second).state == "flagged"


@pytest.mark.django_db
def test_an_answer_that_is_skipped_afterwards_is_taken_back() -> None:
    project = factories.project(overlap=1)
    item = factories.pair_item(project)
    done = assigning.claim(project=project, annotator=factories.user())
    assert done is not None
    stored = answer(done).judgment
    assert assigning.flag(assignment_id=done.pk, annotator=done.annotator, note="It breaks off.")
    stored.refresh_from_db()
    done.refresh_from_db()
    item.refresh_from_db()
    assert (stored.live, done.state, done.note, item.slots_left) == (False, "flagged", "It breaks off.", 1)
    assigning.skip(assignment_id=done.pk, annotator=done.annotator)
    assert Assignment.objects.get(pk=done.pk).state == "flagged", "a skip from another tab hides no flag"


@pytest.mark.django_db
@pytest.mark.parametrize("leave", [assigning.skip, assigning.flag])
def test_an_answer_they_had_not_seen_when_they_left_stands(leave: Callable[..., bool]) -> None:
    """A skip that waited for the connection comes after the answer from another device."""
    project = factories.project(overlap=1)
    item = factories.pair_item(project)
    done = assigning.claim(project=project, annotator=factories.user())
    assert done is not None
    stored = answer(done).judgment
    for seen in (None, stored.pk + 1):
        assert not leave(assignment_id=done.pk, annotator=done.annotator, answer_seen=seen)
        stored.refresh_from_db()
        item.refresh_from_db()
        assert (stored.live, Assignment.objects.get().state, item.slots_left) == (True, "done", 0)
    assert leave(assignment_id=done.pk, annotator=done.annotator, answer_seen=stored.pk)
    stored.refresh_from_db()
    item.refresh_from_db()
    assert (stored.live, item.slots_left) == (False, 1)


@pytest.mark.django_db
def test_an_answer_of_a_closed_project_cannot_be_skipped_any_more() -> None:
    project = factories.project()
    factories.pair_item(project)
    done = assigning.claim(project=project, annotator=factories.user())
    assert done is not None
    stored = answer(done).judgment
    project.state = "closed"
    project.save()
    assert not assigning.skip(assignment_id=done.pk, annotator=done.annotator)
    stored.refresh_from_db()
    assert stored.live
    assert Assignment.objects.get().state == "done"


@pytest.mark.django_db
def test_what_was_skipped_can_still_be_flagged() -> None:
    project = factories.project()
    factories.pair_item(project)
    held = assigning.claim(project=project, annotator=factories.user())
    assert held is not None
    assigning.skip(assignment_id=held.pk, annotator=held.annotator, reason="odd")
    assigning.flag(assignment_id=held.pk, annotator=held.annotator)
    held.refresh_from_db()
    assert (held.state, held.note) == ("flagged", "odd")
    assert slots.wrong_slots(project) == []


@pytest.mark.django_db
def test_nobody_can_leave_an_item_for_somebody_else() -> None:
    project, owner = factories.project(), factories.user()
    factories.pair_item(project)
    claimed = assigning.claim(project=project, annotator=owner)
    assert claimed is not None
    with pytest.raises(Assignment.DoesNotExist):
        assigning.skip(assignment_id=claimed.pk, annotator=factories.user())


# --- gold ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.django_db
def test_gold_comes_at_its_rate_and_each_at_most_once() -> None:
    project = factories.project(gold_rate=0.25, overlap=1)
    for _ in range(60):
        factories.pair_item(project)
    gold = {factories.gold_item(project, slots_left=slots.GOLD_SLOTS).pk for _ in range(36)}
    person, rng = factories.user(), random.Random(7)
    got = []
    for _ in range(60):
        claimed = assigning.claim(project=project, annotator=person, rng=rng)
        assert claimed is not None
        got.append(claimed.item_id)
        answer(claimed)
    assert len(set(got)) == len(got)
    shown = sum(item in gold for item in got)
    assert 5 <= shown <= 28  # 15 expected; 3 to 4 standard deviations of a binomial either way


@pytest.mark.django_db
@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_when_one_kind_has_run_out_the_other_is_given(rate: float) -> None:
    project = factories.project(gold_rate=rate)
    factories.pair_item(project)
    factories.gold_item(project, slots_left=slots.GOLD_SLOTS)
    person = factories.user()
    for _ in range(2):
        claimed = assigning.claim(project=project, annotator=person)
        assert claimed is not None
        answer(claimed)
    assert assigning.claim(project=project, annotator=person) is None


# --- leases ----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_lease_that_ran_out_gives_its_slot_to_the_next() -> None:
    project = factories.project(overlap=1)
    item = factories.pair_item(project)
    slow, quick = factories.user(), factories.user()
    held = assigning.claim(project=project, annotator=slow)
    assert held is not None
    assert assigning.claim(project=project, annotator=quick) is None
    assert assigning.expire_leases() == 0
    let_lease_run_out(held)
    assert assigning.expire_leases() == 1
    assert assigning.expire_leases() == 0
    item.refresh_from_db()
    assert item.slots_left == 1
    assert assigning.claim(project=project, annotator=quick) is not None


@pytest.mark.django_db
def test_a_claim_finds_the_slots_of_leases_nobody_has_expired_yet() -> None:
    project = factories.project(overlap=1)
    factories.pair_item(project)
    held = assigning.claim(project=project, annotator=factories.user())
    assert held is not None
    let_lease_run_out(held)
    assert assigning.claim(project=project, annotator=factories.user()) is not None


@pytest.mark.django_db
def test_leases_of_other_projects_are_left_alone() -> None:
    here, there = factories.project(), factories.project()
    factories.pair_item(there)
    held = assigning.claim(project=there, annotator=factories.user())
    assert held is not None
    let_lease_run_out(held)
    assert assigning.expire_leases(project=here) == 0
    assert assigning.expire_leases(project=there) == 1


@pytest.mark.django_db
def test_looking_again_renews_the_lease() -> None:
    project, person = factories.project(), factories.user()
    factories.pair_item(project)
    held = assigning.claim(project=project, annotator=person)
    assert held is not None
    let_lease_run_out(held)
    assigning.claim(project=project, annotator=person)
    assert assigning.expire_leases() == 0


@pytest.mark.django_db
def test_a_late_answer_is_accepted_while_a_slot_is_open() -> None:
    project = factories.project(overlap=1)
    item = factories.pair_item(project)
    held = assigning.claim(project=project, annotator=factories.user())
    assert held is not None
    let_lease_run_out(held)
    assigning.expire_leases()
    assert answer(held).created
    held.refresh_from_db()
    item.refresh_from_db()
    assert (held.state, held.surplus, item.slots_left) == ("done", False, 0)


@pytest.mark.django_db
def test_a_late_answer_without_a_slot_is_kept_as_surplus() -> None:
    project = factories.project(overlap=1)
    item = factories.pair_item(project)
    late = assigning.claim(project=project, annotator=factories.user())
    assert late is not None
    let_lease_run_out(late)
    assigning.expire_leases()
    other = assigning.claim(project=project, annotator=factories.user())
    assert other is not None
    assert answer(late).created
    answer(other)
    late.refresh_from_db()
    item.refresh_from_db()
    assert (late.state, late.surplus, item.slots_left) == ("done", True, 0)
    assert Judgment.objects.filter(item=item, live=True).count() == 2
    assert slots.wrong_slots(project) == []


@pytest.mark.django_db
def test_an_expired_item_comes_back_as_it_was_shown() -> None:
    project, person = factories.project(overlap=1), factories.user()
    factories.pair_item(project)
    held = assigning.claim(project=project, annotator=person)
    assert held is not None
    for _ in range(10):  # an order drawn anew would differ sooner or later
        let_lease_run_out(held)
        assert assigning.expire_leases() == 1
        again = assigning.claim(project=project, annotator=person)
        assert again is not None
        assert (again.pk, again.display_order, again.state) == (held.pk, held.display_order, "open")


@pytest.mark.django_db
def test_a_surplus_answer_taken_back_frees_no_slot() -> None:
    project = factories.project(overlap=1)
    item = factories.pair_item(project)
    late = assigning.claim(project=project, annotator=factories.user())
    assert late is not None
    let_lease_run_out(late)
    other = assigning.claim(project=project, annotator=factories.user())
    assert other is not None
    answer(late)  # surplus: the slot is the other's
    assert assigning.skip(assignment_id=late.pk, annotator=late.annotator)
    item.refresh_from_db()
    assert item.slots_left == 0
    assert assigning.claim(project=project, annotator=factories.user()) is None
    assert slots.wrong_slots(project) == []


@pytest.mark.django_db
def test_check_slots_finds_and_mends_a_wrong_count() -> None:
    project = factories.project(slug="harbour", overlap=3)
    right, wrong = factories.pair_item(project), factories.pair_item(project)
    gold = factories.gold_item(project, slots_left=slots.GOLD_SLOTS)
    for item in (right, wrong, gold):
        factories.judgment(item, factories.user(), "a")
    assert _check_slots("harbour") == {"project": "harbour", "corrected": []}
    Item.objects.filter(pk=wrong.pk).update(slots_left=3)
    found = {"item": wrong.pk, "slots_left": 3, "expected": 2}
    with pytest.raises(CommandError, match="1 items have a wrong count"):
        _check_slots("harbour")
    assert _check_slots("harbour", "--fix") == {"project": "harbour", "corrected": [found]}
    assert _check_slots("harbour")["corrected"] == []
    assert set(Item.objects.values_list("slots_left", flat=True)) == {2, slots.GOLD_SLOTS - 1}


def _check_slots(*arguments: str) -> dict[str, object]:
    out = StringIO()
    call_command("check_slots", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())
