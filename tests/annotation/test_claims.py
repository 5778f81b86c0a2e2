"""Claims: everybody gets work while there is any, no item more people than it wants, nothing is lost."""

import contextlib
import random
from collections import Counter
from datetime import timedelta

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
from annotation.services import assigning, judging
from tests import factories
from tests.annotation.crowds import at_once

HOLDING = Q(assignments__state__in=["open", "done"], assignments__surplus=False)


def most_held(project: Project) -> int:
    """The most holders that any work item has."""
    held = project.items.filter(is_gold=False).annotate(n=Count("assignments", filter=HOLDING))
    return max(held.values_list("n", flat=True))


def let_lease_run_out(assignment: Assignment) -> None:
    Assignment.objects.filter(pk=assignment.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def answer(assignment: Assignment, choice: str = "a", key: str = "") -> judging.Submission:
    return judging.submit(
        assignment_id=assignment.pk,
        annotator=assignment.annotator,
        choice=choice,
        idempotency_key=key or f"key-{assignment.pk}-{choice}",
    )


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
def test_nobody_can_leave_an_item_for_somebody_else() -> None:
    project, owner = factories.project(), factories.user()
    factories.pair_item(project)
    claimed = assigning.claim(project=project, annotator=owner)
    assert claimed is not None
    with pytest.raises(Assignment.DoesNotExist):
        assigning.skip(assignment_id=claimed.pk, annotator=factories.user())


# --- gold ------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_gold_comes_at_its_rate_and_each_at_most_once() -> None:
    project = factories.project(gold_rate=0.25, overlap=1)
    for _ in range(60):
        factories.pair_item(project)
    gold = {factories.gold_item(project, slots_left=assigning.GOLD_SLOTS).pk for _ in range(36)}
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
    factories.gold_item(project, slots_left=assigning.GOLD_SLOTS)
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
    assert assigning.wrong_slots(project) == []


@pytest.mark.django_db
def test_an_expired_item_comes_back_as_it_was_shown() -> None:
    project, person = factories.project(overlap=1), factories.user()
    factories.pair_item(project)
    held = assigning.claim(project=project, annotator=person)
    assert held is not None
    let_lease_run_out(held)
    assigning.expire_leases()
    again = assigning.claim(project=project, annotator=person)
    assert again is not None
    assert (again.pk, again.display_order, again.state) == (held.pk, held.display_order, "open")


# --- what it costs ---------------------------------------------------------------------------------


@pytest.mark.django_db
def test_queries_of_a_claim(django_assert_num_queries: object) -> None:
    project, person = factories.project(), factories.user()
    factories.pair_item(project)
    with django_assert_num_queries(7):  # 2 of a savepoint, which is the transaction outside tests
        assigning.claim(project=project, annotator=person)
    with django_assert_num_queries(5):
        assigning.claim(project=project, annotator=person)


# --- all at once -----------------------------------------------------------------------------------


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
    assert assigning.wrong_slots(project) == []


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
    assert assigning.wrong_slots(project) == []


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_everything_at_once_neither_hangs_nor_miscounts() -> None:
    """Claims, answers, skips, undos, expiry on few items from many threads: no deadlock, no wrong slot."""
    project = factories.project(overlap=4, gold_rate=0.2)
    for _ in range(12):
        factories.pair_item(project)
    factories.gold_item(project, slots_left=assigning.GOLD_SLOTS)
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
    assert assigning.wrong_slots(project) == []
    assert most_held(project) <= 4


# --- any sequence ----------------------------------------------------------------------------------

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
    assert assigning.wrong_slots(project) == []
    assert most_held(project) <= overlap
    live = Judgment.objects.filter(item__project=project, live=True)
    twice = live.values("item", "annotator").annotate(n=Count("pk")).filter(n__gt=1)
    assert not twice.exists()
    done = Assignment.objects.filter(item__project=project, state="done")
    assert done.count() == live.exclude(source="imported").count()
    for person in people:
        assert Assignment.objects.filter(item__project=project, annotator=person, state="open").count() <= 1
