"""Claims by many people at once, and by a few in any order: no item too many, nobody sent away, nothing lost.

Each race has a control beside it: the same crowd without the guard does lose or exceed.
"""

import contextlib
import random

import pytest
from django.db import connection, transaction
from django.db.models import Count, F, Q
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from annotation import selectors
from annotation.models.project import Project
from annotation.models.work import Assignment, Item, Judgment
from annotation.services import assigning, judging, slots
from tests import factories
from tests.annotation.crowds import at_once
from tests.annotation.working import answer, let_lease_run_out

HOLDING = Q(assignments__state__in=["open", "done"], assignments__surplus=False)


def most_held(project: Project) -> int:
    """The most holders that any work item has."""
    held = project.items.filter(is_gold=False).annotate(n=Count("assignments", filter=HOLDING))
    return max(held.values_list("n", flat=True))


@pytest.mark.django_db(transaction=True)
def test_two_hundred_people_at_once() -> None:
    project = factories.project(overlap=3)
    for _ in range(40):
        factories.pair_item(project)
    people = [factories.user() for _ in range(200)]

    def claim(person: User) -> tuple[int | None, bool]:
        found = assigning.claim(project=project, annotator=person)
        return (found.pk, True) if found else (None, selectors.open_to(project, person).exists())

    found = at_once(claim, people)
    assert most_held(project) == 3
    assert [more for pk, more in found if pk is None] == [False] * 80
    assert Assignment.objects.count() == 120
    assert slots.wrong_slots(project) == []


@pytest.mark.django_db(transaction=True)
def test_control_a_claim_without_the_lock_gives_an_item_to_too_many() -> None:
    """The same crowd with look-then-take: were this to hold too, the test above would prove nothing."""
    project = factories.project(overlap=3)
    for _ in range(4):
        factories.pair_item(project)
    people = [factories.user() for _ in range(200)]

    def claim(person: User) -> None:
        with transaction.atomic():
            item = selectors.open_to(project, person).order_by("-priority", "shuffle").first()
            if item is None:
                return
            Item.objects.filter(pk=item.pk, slots_left__gt=0).update(slots_left=F("slots_left") - 1)
            Assignment.objects.create(
                item=item,
                annotator=person,
                display_order=[0, 1],
                lease_expires_at=assigning.lease_end(project),
            )

    at_once(claim, people)
    assert most_held(project) > 3


@pytest.mark.django_db(transaction=True)
def test_nobody_is_sent_away_while_rows_are_locked_for_an_instant() -> None:
    """One item, a hundred people: SKIP LOCKED alone would tell most of them that there is nothing."""
    project = factories.project(overlap=100)
    factories.pair_item(project)
    people = [factories.user() for _ in range(100)]
    found = at_once(lambda person: assigning.claim(project=project, annotator=person), people)
    assert all(found)


@pytest.mark.django_db(transaction=True)
def test_control_skip_locked_alone_sends_people_away() -> None:
    project = factories.project(overlap=100)
    factories.pair_item(project)
    people = [factories.user() for _ in range(100)]

    def claim(person: User) -> object:
        with transaction.atomic():
            found = assigning._claim_row(project, person, gold=False, skip=True)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.01)")
            return found

    assert not all(at_once(claim, people))


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
    """Claims, answers, skips, undos, expiry on few items from many threads: no deadlock, no wrong slot."""
    project = factories.project(overlap=4, gold_rate=0.2)
    for _ in range(12):
        factories.pair_item(project)
    factories.gold_item(project, slots_left=slots.GOLD_SLOTS)
    people = [factories.user() for _ in range(10)]

    def work(number: int) -> None:
        rng = random.Random(number)
        for step in range(25):
            person = people[rng.randrange(len(people))]
            claimed = assigning.claim(project=project, annotator=person, rng=rng)
            act = rng.randrange(6)
            if claimed is None or act == 0:
                judging.undo_last(project=project, annotator=person)
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


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["claim", "submit", "late", "skip", "flag", "undo", "run out", "expire", "import"]),
        st.integers(0, 3),
        st.sampled_from(["a", "b", "tie", "both_bad"]),
    ),
    min_size=1,
    max_size=40,
)


@pytest.mark.slow
@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS, overlap=st.integers(1, 3), items=st.integers(1, 3))
def test_whatever_four_people_do_the_invariants_hold(
    steps: list[tuple[str, int, str]], overlap: int, items: int
) -> None:
    project = factories.project(overlap=overlap)
    for _ in range(items):
        factories.pair_item(project)
    people = [factories.user() for _ in range(4)]
    voters = iter(range(1_000))
    stored: set[int] = set()
    for number, (step, who, choice) in enumerate(steps):
        _do(step, project, people[who], choice, f"{project.pk}-{number}", next(voters))
        now = set(Judgment.objects.filter(item__project=project).values_list("pk", flat=True))
        assert stored <= now
        stored = now
        _check(project, people, overlap)


def _do(step: str, project: Project, person: User, choice: str, key: str, voter: int) -> None:
    mine = Assignment.objects.filter(annotator=person, item__project=project)
    held = mine.filter(state="open").first()
    expired = mine.filter(state="expired").first()
    if step == "claim":
        assigning.claim(project=project, annotator=person)
    elif step == "undo":
        judging.undo_last(project=project, annotator=person)
    elif step == "expire":
        assigning.expire_leases(project=project)
    elif step == "import":
        _import_a_vote(project, voter)
    elif step == "late" and expired:
        answer(expired, choice, key)
    elif step == "run out" and held:
        let_lease_run_out(held)
    elif step == "submit" and held:
        answer(held, choice, key)
    elif step in ("skip", "flag") and (held or expired):
        leave = assigning.skip if step == "skip" else assigning.flag
        leave(assignment_id=(held or expired).pk, annotator=person)


def _import_a_vote(project: Project, voter: int) -> None:
    """What the import does to an item it knows, in two lines."""
    item = project.items.order_by("pk")[voter % project.items.count()]
    Judgment.objects.create(
        item=item,
        annotator=factories.user(),
        idempotency_key=f"import-{project.pk}-{voter}",
        body_hash="",
        source="imported",
        judged_at=timezone.now(),
    )
    Item.objects.filter(pk=item.pk, slots_left__gt=0).update(slots_left=F("slots_left") - 1)


def _check(project: Project, people: list[User], overlap: int) -> None:
    assert slots.wrong_slots(project) == []
    assert most_held(project) <= overlap
    live = Judgment.objects.filter(item__project=project, live=True)
    twice = live.values("item", "annotator").annotate(n=Count("pk")).filter(n__gt=1)
    assert not twice.exists()
    done = Assignment.objects.filter(item__project=project, state="done")
    assert done.count() == live.exclude(source="imported").count()
    for person in people:
        assert Assignment.objects.filter(item__project=project, annotator=person, state="open").count() <= 1
