"""Answers are changed by reopening the last one; and some items come back, silently, as repeats."""

import random
from datetime import timedelta

import pytest
from django.utils import timezone

from annotation.models.work import Assignment, Judgment
from annotation.services import assigning, judging, slots
from tests import factories
from tests.annotation.crowds import at_once
from tests.annotation.working import held, send

# --- undo: the last answer is reopened, and stands until another takes its place -------------------


@pytest.mark.django_db
def test_a_changed_answer_supersedes_the_one_it_replaces() -> None:
    mine = held()
    first = send(mine, "a", key="k1").judgment
    again = judging.last_answered(project=mine.project, annotator=mine.annotator)
    assert again == mine
    assert judging.standing_answer(again) == first
    second = send(mine, "b", key="k2", replaces=first.pk).judgment
    third = send(mine, "a", key="k3", replaces=second.pk).judgment
    assert [(each.live, each.supersedes) for each in Judgment.objects.order_by("pk")] == [
        (False, None),
        (False, first),
        (True, second),
    ]
    mine.refresh_from_db()
    assert judging.standing_answer(mine) == third
    assert slots.wrong_slots(mine.project) == []


@pytest.mark.django_db
def test_reopening_alone_takes_nothing_back() -> None:
    mine = held(overlap=1)
    first = send(mine).judgment
    assert judging.last_answered(project=mine.project, annotator=mine.annotator) == mine
    first.refresh_from_db()
    mine.refresh_from_db()
    assert (first.live, mine.state) == (True, "done")
    mine.item.refresh_from_db()
    assert mine.item.slots_left == 0


@pytest.mark.django_db
def test_the_answer_of_last_is_the_one_given_last() -> None:
    mine = held()
    project, person = mine.project, mine.annotator
    factories.pair_item(project)
    first = send(mine).judgment
    other = assigning.claim(project=project, annotator=person)
    assert other is not None
    send(other, key="k2")
    assert judging.last_answered(project=project, annotator=person) == other
    send(mine, "b", key="k3", replaces=first.pk)
    assert judging.last_answered(project=project, annotator=person) == mine


@pytest.mark.django_db
@pytest.mark.parametrize("seen", ["nothing", "an older one"])
def test_who_has_not_seen_what_stands_replaces_nothing(seen: str) -> None:
    mine = held()
    first = send(mine, "a", key="k1").judgment
    second = send(mine, "b", key="k2", replaces=first.pk).judgment
    with pytest.raises(judging.Conflict) as refused:
        send(mine, "tie", key="k3", replaces=first.pk if seen == "an older one" else None)
    assert refused.value.stored == second
    second.refresh_from_db()
    assert second.live


@pytest.mark.django_db
def test_a_retry_that_arrives_after_the_change_does_not_bring_the_answer_back() -> None:
    mine = held()
    first = send(mine, "a", key="k1").judgment
    second = send(mine, "b", key="k2", replaces=first.pk).judgment
    again = send(mine, "a", key="k1")
    assert (again.judgment, again.created, again.judgment.live) == (first, False, False)
    assert Judgment.objects.get(live=True) == second


@pytest.mark.django_db
def test_a_change_sent_twice_is_one_change() -> None:
    mine = held()
    first = send(mine, "a", key="k1").judgment
    second = send(mine, "b", key="k2", replaces=first.pk)
    again = send(mine, "b", key="k2", replaces=first.pk)
    assert (again.judgment, again.created) == (second.judgment, False)
    assert Judgment.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_changes_at_once_are_one_change_and_one_conflict() -> None:
    mine = held()
    first = send(mine, "a", key="k1").judgment

    def change(choice: str) -> bool:
        try:
            return send(mine, choice, key=f"tab-{choice}", replaces=first.pk).created
        except judging.Conflict:
            return False

    assert sum(at_once(change, ["b", "tie", "both_bad"])) == 1
    assert Judgment.objects.filter(live=True).count() == 1
    assert Judgment.objects.count() == 2


@pytest.mark.django_db
def test_there_is_nothing_to_reopen_without_an_answer_or_in_a_closed_project() -> None:
    mine = held()
    project = mine.project
    assert judging.last_answered(project=project, annotator=mine.annotator) is None
    first = send(mine).judgment
    assert judging.last_answered(project=project, annotator=factories.user()) is None
    project.state = "closed"
    project.save()
    assert judging.last_answered(project=project, annotator=mine.annotator) is None
    with pytest.raises(judging.Conflict):
        send(mine, "b", key="k2", replaces=first.pk)
    assert Judgment.objects.get().live


@pytest.mark.django_db
@pytest.mark.parametrize(("hours", "open_still"), [(None, True), (2, True), (1, False), (0, False)])
def test_an_answer_can_be_changed_for_as_long_as_the_project_says(
    hours: int | None, open_still: bool
) -> None:
    mine = held()
    project = mine.project
    project.reopen_hours = hours
    project.save()
    first = send(mine).judgment
    Assignment.objects.update(finished_at=timezone.now() - timedelta(hours=1, minutes=1))
    found = judging.last_answered(project=project, annotator=mine.annotator)
    assert (found == mine) == open_still
    if open_still:
        assert send(mine, "b", key="k2", replaces=first.pk).created
    else:
        with pytest.raises(judging.Conflict):
            send(mine, "b", key="k2", replaces=first.pk)


@pytest.mark.django_db
def test_an_answer_taken_back_by_a_skip_is_superseded_by_a_later_one() -> None:
    mine = held()
    first = send(mine, "a", key="k1").judgment
    assigning.skip(assignment_id=mine.pk, annotator=mine.annotator)
    mine.refresh_from_db()
    assert judging.standing_answer(mine) is None
    second = send(mine, "b", key="k2").judgment
    assert (second.live, second.supersedes) == (True, first)
    assert slots.wrong_slots(mine.project) == []


@pytest.mark.django_db
def test_a_reason_dropped_by_the_project_blocks_neither_an_edit_nor_a_retry() -> None:
    mine = held()
    first = send(mine, reasons=["unsafe"]).judgment
    mine.project.reasons = []
    mine.project.save()
    assert send(mine, reasons=["unsafe"]).judgment == first
    assert send(mine, "b", key="k2", reasons=["unsafe"], replaces=first.pk).created
    with pytest.raises(judging.InvalidAnswer):
        send(held(), key="k3", reasons=["hard to read"])


# --- silent repeats --------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_answer_to_a_repeat_is_kept_and_never_counts() -> None:
    mine = held(overlap=1)
    project = mine.project
    project.repeat_rate = 0.5
    project.save()
    first = send(mine, "a", key="k1").judgment
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assigning, "REPEAT_DISTANCE", 0)
        repeat = assigning.claim(project=project, annotator=mine.annotator, rng=random.Random(1))
    assert repeat is not None
    assert (repeat.item_id, repeat.repeat, repeat.surplus) == (mine.item_id, True, True)
    assert repeat.display_order == list(reversed(mine.display_order))
    answered = send(repeat, "b", key="k2").judgment
    assert (answered.live, answered.repeat, answered.supersedes) == (False, True, None)
    changed = send(repeat, "tie", key="k3", replaces=answered.pk).judgment
    assert (changed.live, changed.supersedes) == (False, answered)
    assert Judgment.objects.get(live=True) == first
    mine.item.refresh_from_db()
    assert mine.item.slots_left == 0
    assert slots.wrong_slots(project) == []


@pytest.mark.slow
@pytest.mark.django_db
def test_a_repeat_comes_once_and_only_after_enough_other_answers() -> None:
    project, person = factories.project(repeat_rate=0.5), factories.user()
    for _ in range(assigning.REPEAT_DISTANCE + 6):
        factories.pair_item(project)
    rng, repeated = random.Random(2), []
    for number in range(assigning.REPEAT_DISTANCE + 12):
        claimed = assigning.claim(project=project, annotator=person, rng=rng)
        if claimed is None:
            break
        if claimed.repeat:
            earlier = Assignment.objects.filter(annotator=person, item=claimed.item, repeat=False).get()
            after = Assignment.objects.filter(annotator=person, finished_at__gt=earlier.finished_at)
            assert after.count() >= assigning.REPEAT_DISTANCE
            repeated.append(claimed.item_id)
        send(claimed, key=f"r{number}")
    assert repeated
    assert len(set(repeated)) == len(repeated)
