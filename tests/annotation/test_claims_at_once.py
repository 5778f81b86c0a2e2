"""Claims by many people at once, and by a few in any order: no item too many, nobody sent away, nothing lost.

Each race has a control beside it: the same crowd without the guard does lose or exceed.
"""

import contextlib
import random
from collections import Counter

import pytest
from django.db import connection, transaction
from django.db.models import Count, F, Q

from accounts.models import User
from annotation import selectors
from annotation.models.project import Project
from annotation.models.work import Assignment, Item
from annotation.services import assigning, judging, slots
from tests import factories
from tests.annotation.crowds import at_once
from tests.annotation.many_items import many_pair_items
from tests.annotation.working import answer, let_lease_run_out

HOLDING = Q(assignments__state__in=["open", "done"], assignments__surplus=False)


def most_held(project: Project) -> int:
    """The most holders that any work item has."""
    held = project.items.filter(is_gold=False).annotate(n=Count("assignments", filter=HOLDING))
    return max(held.values_list("n", flat=True))


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
@pytest.mark.parametrize("ahead", [False, True])
def test_two_hundred_people_at_once_on_a_thousand_items(ahead: bool) -> None:
    """600 slots at the front are wanted by all; everybody gets work and no item one holder too many."""
    project = factories.project(overlap=3)
    many_pair_items(project, 1_000)
    people = [factories.user() for _ in range(200)]

    def work(person: User) -> int:
        held = [
            (assigning.hand_out(project=project, annotator=person, ahead=ahead), turn) for turn in range(3)
        ]
        assert len({work.current.pk for work, _ in held if work.current}) == 1, "a reload shows the same"
        current, waiting = held[-1][0].current, held[-1][0].ahead
        assert current is not None
        assert (waiting is not None) == ahead
        answer(current)
        following = assigning.hand_out(project=project, annotator=person, ahead=ahead).current
        assert following is not None
        assert not ahead or following == waiting
        return following.item_id

    found = at_once(work, people)
    assert most_held(project) == 3
    assert Assignment.objects.count() == 200 * (3 if ahead else 2)
    assert max(Counter(found).values()) <= 3
    touched = project.items.filter(slots_left__lt=3).count()
    assert touched < 2 * Assignment.objects.count() / 3, "items fill up one after another, not all at once"
    assert slots.wrong_slots(project) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
@pytest.mark.parametrize("ahead", [False, True])
def test_two_hundred_people_at_once_on_too_few_items(ahead: bool) -> None:
    """120 slots for 200 people: all are taken, and who goes without had nothing open to them."""
    project = factories.project(overlap=3)
    many_pair_items(project, 40)
    people = [factories.user() for _ in range(200)]

    def claim(person: User) -> tuple[int | None, bool]:
        found = assigning.hand_out(project=project, annotator=person, ahead=ahead).current
        return (found.pk, True) if found else (None, slots.open_to(project, person.pk))

    found = at_once(claim, people)
    assert most_held(project) == 3
    assert [more for pk, more in found if pk is None] == [False] * 80
    working = Assignment.objects.filter(state="open")
    assert (working.count(), working.filter(shown_at=None).count()) == (120, 0)
    assert slots.wrong_slots(project) == []


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_control_a_claim_without_the_lock_gives_an_item_to_too_many() -> None:
    """The same crowd with look-then-take: were this to hold too, the tests above would prove nothing."""
    project = factories.project(overlap=3)
    many_pair_items(project, 1_000)
    people = [factories.user() for _ in range(200)]

    def claim(person: User) -> None:
        with transaction.atomic():
            item = selectors.open_to(project, person).order_by("-priority", "shuffle").first()
            if item is None:
                return
            Item.objects.filter(pk=item.pk, slots_left__gt=0).update(slots_left=F("slots_left") - 1)
            Assignment.objects.create(
                item=item,
                project=project,
                annotator=person,
                display_order=[0, 1],
                lease_expires_at=assigning.lease_end(project),
            )

    at_once(claim, people)
    assert most_held(project) > 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_nobody_is_sent_away_while_rows_are_locked_for_an_instant() -> None:
    """One item, a hundred people: SKIP LOCKED alone would tell most of them that there is nothing."""
    project = factories.project(overlap=100)
    factories.pair_item(project)
    people = [factories.user() for _ in range(100)]
    found = at_once(lambda person: assigning.claim(project=project, annotator=person), people)
    assert all(found)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_control_skip_locked_alone_sends_people_away() -> None:
    project = factories.project(overlap=100)
    factories.pair_item(project)
    people = [factories.user() for _ in range(100)]

    def claim(person: User) -> object:
        with transaction.atomic():
            found = slots.claim_row(project, person.pk, gold=False)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.01)")
            return found

    assert not all(at_once(claim, people))


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_tabs_of_one_person_get_one_item() -> None:
    project, person = factories.project(), factories.user()
    for _ in range(20):
        factories.pair_item(project)
    found = at_once(lambda _: assigning.claim(project=project, annotator=person), range(32))
    assert len({claimed.pk for claimed in found if claimed}) == 1
    assert Assignment.objects.count() == 1
    assert slots.wrong_slots(project) == []


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_everything_at_once_neither_hangs_nor_miscounts() -> None:
    """Claims, answers, edits, skips, expiry on few items from many threads: no deadlock, no wrong slot."""
    project = factories.project(overlap=4, gold_rate=0.2, repeat_rate=0.1)
    for _ in range(12):
        factories.pair_item(project)
    factories.gold_item(project, slots_left=slots.GOLD_SLOTS)
    people = [factories.user() for _ in range(10)]

    def work(number: int) -> None:
        rng = random.Random(number)
        for step in range(25):
            person = people[rng.randrange(len(people))]
            claimed = assigning.hand_out(project=project, annotator=person, rng=rng).current
            act = rng.randrange(6)
            if claimed is None or act == 0:
                last = judging.last_answered(project=project, annotator=person)
                seen = None if last is None else judging.standing_answer(last)
                if last is None or seen is None:
                    continue
                with contextlib.suppress(judging.Conflict):  # another tab has changed it since
                    answer(last, rng.choice(["a", "b"]), f"{number}-{step}", replaces=seen.pk)
            elif act == 1:
                assigning.skip(assignment_id=claimed.pk, annotator=person)
            elif act == 2:
                let_lease_run_out(claimed)
                assigning.expire_leases(project=project)
            else:
                with contextlib.suppress(judging.Conflict):  # another tab of this person was quicker
                    answer(claimed, rng.choice(["a", "b"]), key=f"{number}-{step}")

    at_once(work, range(12), threads=12)
    assert slots.wrong_slots(project) == []
    assert most_held(project) <= 4
