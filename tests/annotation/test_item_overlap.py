"""Items that want a number of votes of their own: who gets them, what is counted, and asking once more."""

import threading

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import User
from annotation import forecast, monitor_words, monitoring, progress_selectors, review_selectors
from annotation.models.content import Response
from annotation.models.project import MOST_VOTES, Project
from annotation.models.work import Item
from annotation.monitor_selectors import DayVolume
from annotation.services import aggregating, assigning, items, projects, reporting, slots
from annotation.services.items import UnfitVotes
from tests import factories
from tests.annotation.crowds import at_once
from tests.annotation.import_rows import bring, row
from tests.annotation.reviewed import adjudicated
from tests.annotation.working import answer, let_lease_run_out
from tests.cast import Cast, make_cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return factories.project(overlap=1)


def free(item: Item) -> int:
    """The free slots, which `./laurel check_slots` has nothing against."""
    assert slots.wrong_slots(item.project) == []
    return Item.objects.get(pk=item.pk).slots_left


def wants(item: Item) -> int | None:
    return Item.objects.get(pk=item.pk).overlap


def judged(item: Item, votes: int = 1) -> Item:
    for _ in range(votes):
        factories.judgment(item, factories.user())
    return item


def a_pair(of: Project) -> tuple[int, int]:
    first, second = factories.responses(factories.prompt(of))
    return first.pk, second.pk


def queued(of: Project, pair: tuple[int, int], votes: int | None, *, priority: int = 1) -> Item:
    (item,) = items.queue_pairs(
        project=of, pairs=[pair], priority=priority, origins=["random"], overlaps=[votes]
    )
    return Item.objects.get(pk=item.pk)


def ask(item: Item, votes: int = 1, *, most: int = 5, priority: int = 7) -> list[int]:
    raised = items.ask_again(project=item.project, items=[item.pk], votes=votes, most=most, priority=priority)
    assert slots.wrong_slots(item.project) == []
    return raised


# --- the field -------------------------------------------------------------------------------------


@pytest.mark.parametrize("votes", [0, MOST_VOTES + 1])
def test_no_item_wants_no_votes_or_very_many(project: Project, votes: int) -> None:
    item = factories.pair_item(project)
    with pytest.raises(IntegrityError, match="item_overlap"), transaction.atomic():
        Item.objects.filter(pk=item.pk).update(overlap=votes)
    with pytest.raises(UnfitVotes, match=f"1 to {MOST_VOTES} votes, not {votes}"):
        queued(project, a_pair(project), votes)
    for asked in ({"votes": votes, "most": 3}, {"votes": 1, "most": votes}):
        with pytest.raises(UnfitVotes, match=f"not {votes}"):
            items.ask_again(project=project, items=[item.pk], priority=0, **asked)


def test_whoever_writes_items_without_knowing_of_the_field_leaves_them_to_the_project(
    project: Project,
) -> None:
    """As the release before does, while this one's migration has run."""
    item = factories.pair_item(project)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO annotation_item (project_id, prompt_id, key, response_set, external_id, origin,"
            " priority, shuffle, slots_left, metadata, created_at)"
            " SELECT project_id, prompt_id, 'k', 'r', '', origin, 0, 0.5, 1, '{}', now()"
            " FROM annotation_item WHERE id = %s RETURNING id",
            [item.pk],
        )
        (pk,) = cursor.fetchone()
    assert (wants(Item.objects.get(pk=pk)), free(item)) == (None, 1)


# --- queueing --------------------------------------------------------------------------------------


def test_a_pair_may_want_votes_of_its_own(project: Project) -> None:
    audit, usual = a_pair(project), a_pair(project)
    found = items.queue_pairs(
        project=project, pairs=[audit, usual], priority=1, origins=["random", "selected"], overlaps=[3, None]
    )
    assert [(wants(item), free(item)) for item in found] == [(3, 3), (None, 1)]
    taken: list[int] = []
    for _ in range(6):
        held = assigning.claim(project=project, annotator=factories.user())
        if held is not None:
            taken.append(held.item_id)
    assert sorted(taken) == sorted([found[0].pk] * 3 + [found[1].pk])
    assert [free(item) for item in found] == [0, 0]


def test_fewer_votes_than_the_project_asks_for(project: Project) -> None:
    projects.edit(project=project, changes={"overlap": 4})
    assert free(queued(project, a_pair(project), 2)) == 2


def test_a_known_item_comes_to_want_more_and_never_fewer(project: Project) -> None:
    pair = a_pair(project)
    item = judged(queued(project, pair, None))
    assert free(item) == 0
    for votes, own, left in [(1, None, 0), (3, 3, 2), (2, 3, 2), (None, 3, 2), (4, 4, 3)]:
        assert queued(project, (pair[1], pair[0]), votes, priority=6).pk == item.pk
        assert (wants(item), free(item)) == (own, left)
    item.refresh_from_db()
    assert (item.priority, item.judgments.count()) == (6, 1)


def test_a_pair_that_is_named_twice_wants_the_larger_number(project: Project) -> None:
    pair = a_pair(project)
    found = items.queue_pairs(
        project=project,
        pairs=[pair, (pair[1], pair[0]), pair],
        priority=1,
        origins=["random"] * 3,
        overlaps=[4, 2, None],
    )
    assert len({item.pk for item in found}) == 1
    assert (wants(found[0]), free(found[0])) == (4, 4)


def test_the_numbers_are_as_many_as_the_pairs(project: Project) -> None:
    with pytest.raises(ValueError, match="zip"), transaction.atomic():
        items.queue_pairs(
            project=project, pairs=[a_pair(project)], priority=1, origins=["random"], overlaps=[2, 3]
        )
    assert not project.items.exists()


# --- what is counted -------------------------------------------------------------------------------


def test_another_overlap_of_the_project_leaves_it_alone(project: Project) -> None:
    own = judged(factories.pair_item(project, overlap=3))
    usual = judged(factories.pair_item(project))
    for overlap, left in [(5, 4), (2, 1), (1, 0)]:
        projects.edit(project=project, changes={"overlap": overlap})
        assert (free(own), free(usual)) == (2, left)
    assert (wants(own), wants(usual)) == (3, None)


def test_a_place_that_comes_back_is_one_of_its_own(project: Project) -> None:
    item = factories.pair_item(project, overlap=2)
    first, second = (assigning.claim(project=project, annotator=factories.user()) for _ in range(2))
    assert first is not None
    assert second is not None
    assert free(item) == 0
    assert assigning.skip(assignment_id=first.pk, annotator=first.annotator)
    assert free(item) == 1
    let_lease_run_out(second)
    assigning.expire_leases(project=project)
    assert free(item) == 2


def test_check_slots_counts_by_it(project: Project) -> None:
    item = judged(factories.pair_item(project, overlap=3))
    Item.objects.filter(pk=item.pk).update(slots_left=0)  # what the project's overlap would leave
    assert slots.wrong_slots(project) == [(item.pk, 0, 2)]
    slots.recount_slots([item.pk])
    assert free(item) == 2


def test_votes_that_a_file_brings_take_its_places(project: Project) -> None:
    bring(project, row(1, ("w1", "a")))
    item = project.items.get()
    assert free(item) == 0
    assert ask(item, 2) == [item.pk]
    assert (wants(item), free(item)) == (3, 2)
    bring(project, row(1, ("w1", "a"), ("w2", "b")))
    assert free(item) == 1
    assert Response.objects.count() == 2


def test_the_progress_and_the_forecast_count_the_votes_it_wants(project: Project) -> None:
    judged(factories.pair_item(project))
    judged(factories.pair_item(project, overlap=4))
    factories.pair_item(project)
    found = progress_selectors.totals_of([project.pk], fresh=True)[project.pk]
    assert (found.done, found.total, found.open_slots) == (1, 3, 4)
    expected = forecast.forecast(found.open_slots, [DayVolume(timezone.localdate(), 2)])
    assert expected is not None
    assert expected.days == 2


def test_a_single_vote_is_few_where_the_item_wants_more(project: Project) -> None:
    """Its places are all taken, but others are still at it."""
    usual, audit = judged(factories.pair_item(project)), judged(factories.pair_item(project, overlap=2))
    assert assigning.claim(project=project, annotator=factories.user()) is not None
    assert free(audit) == 0
    aggregating.rebuild(project=project)
    assert [one.item_id for one in review_selectors.queue(project).rows] == [usual.pk]
    projects.edit(project=project, changes={"overlap": 3})
    Item.objects.filter(pk=usual.pk).update(slots_left=0, overlap=1)
    assert [one.item_id for one in review_selectors.queue(project).rows] == [usual.pk]


def test_a_project_of_single_votes_is_not_told_to_ask_two_once_enough_items_do(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor_words, "LEAST_ITEMS", 2)
    judged(factories.pair_item(project))
    factories.gold_item(project, overlap=2, slots_left=slots.GOLD_SLOTS)
    for told in (True, False):
        factories.pair_item(project, overlap=2)
        totals = progress_selectors.totals_of([project.pk], fresh=True)[project.pk]
        found = monitoring.monitor_of(project, reporting.report_of(project), {}, totals=totals)
        assert ("raise its overlap" in found.verdict.meaning) is told


# --- asking once more ------------------------------------------------------------------------------


def test_an_item_that_is_done_is_asked_about_once_more(project: Project) -> None:
    first = factories.user()
    item = factories.pair_item(project)
    factories.judgment(item, first)
    assert assigning.claim(project=project, annotator=factories.user()) is None
    assert ask(item) == [item.pk]
    item.refresh_from_db()
    assert (item.overlap, item.slots_left, item.priority) == (2, 1, 7)
    assert assigning.claim(project=project, annotator=first) is None  # has answered it
    held = assigning.claim(project=project, annotator=factories.user())
    assert held is not None
    answer(held)
    assert free(item) == 0
    assert item.judgments.filter(live=True).count() == 2


def test_asking_twice_is_asking_once_while_the_place_is_free(project: Project) -> None:
    item = judged(factories.pair_item(project))
    assert [ask(item), ask(item), ask(item, priority=9)] == [[item.pk], [], []]
    item.refresh_from_db()
    assert (item.overlap, item.slots_left, item.priority) == (2, 1, 7)
    assert ask(item, 2) == [item.pk]  # one place more, not two
    assert (wants(item), free(item)) == (3, 2)
    judged(item, 2)
    assert ask(item) == [item.pk]
    assert (wants(item), free(item)) == (4, 1)


def test_never_beyond_the_most(project: Project) -> None:
    item = judged(factories.pair_item(project))
    assert ask(item, 5, most=3) == [item.pk]
    assert (wants(item), free(item)) == (3, 2)
    judged(item, 2)
    assert ask(item, 5, most=3) == []
    projects.edit(project=project, changes={"overlap": 2})
    other = judged(factories.pair_item(project), 2)
    projects.edit(project=project, changes={"overlap": 1})
    assert ask(other, most=2) == []  # although it wants fewer than it has
    assert wants(other) is None
    assert ask(other, most=3) == [other.pk]
    assert (wants(other), free(other)) == (3, 1)


def test_what_somebody_holds_is_a_vote_to_come(project: Project) -> None:
    item = factories.pair_item(project)
    held = assigning.claim(project=project, annotator=factories.user())
    assert held is not None
    assert ask(item, most=1) == []
    assert ask(item, most=2) == [item.pk]
    assert (wants(item), free(item)) == (2, 1)


def test_an_answer_that_came_too_late_is_a_vote_too(project: Project) -> None:
    """It holds no slot, so that the item would be asked about once too often."""
    item = factories.pair_item(project)
    late = assigning.claim(project=project, annotator=factories.user())
    assert late is not None
    let_lease_run_out(late)
    other = assigning.claim(project=project, annotator=factories.user())
    assert other is not None
    answer(other)
    answer(late)
    late.refresh_from_db()
    assert late.surplus
    assert ask(item, most=2) == []
    assert ask(item, 3, most=4) == [item.pk]
    assert free(item) == 2


def test_a_reviewers_decision_is_a_vote_too() -> None:
    cast: Cast = make_cast()
    projects.edit(project=cast.project, changes={"overlap": 1})
    item = judged(factories.pair_item(cast.project))
    adjudicated(item, cast.reviewer)
    assert ask(item, most=2) == []
    assert ask(item, most=3) == [item.pk]
    assert free(item) == 1


def test_only_work_of_this_project_is_asked_about_again(project: Project) -> None:
    elsewhere = judged(factories.pair_item(factories.project(overlap=1)))
    gold = judged(factories.gold_item(project, slots_left=slots.GOLD_SLOTS))
    retired = judged(factories.pair_item(project))
    Item.objects.filter(pk=retired.pk).update(retired_at=timezone.now())
    item = judged(factories.pair_item(project))
    asked = [each.pk for each in (elsewhere, gold, retired, item)]
    assert items.ask_again(project=project, items=asked, most=3, priority=7) == [item.pk]
    left = Item.objects.exclude(pk=item.pk)
    assert not left.exclude(overlap=None, priority=0).exists()
    assert [free(each) for each in (elsewhere, gold, retired, item)] == [0, slots.GOLD_SLOTS - 1, 0, 1]
    assert items.ask_again(project=project, items=[], most=3, priority=7) == []


# --- at once ---------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_crowd_that_asks_at_once_asks_once() -> None:
    project = factories.project(overlap=1)
    done = [judged(factories.pair_item(project)) for _ in range(3)]
    asked = [item.pk for item in done]

    def again(_: int) -> list[int]:
        return items.ask_again(project=project, items=asked, most=5, priority=1)

    found = at_once(again, range(8), threads=4)
    assert sorted(map(len, found)) == [0] * 7 + [3]
    assert [(wants(item), free(item)) for item in done] == [(2, 1)] * 3


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_whoever_claims_meanwhile_never_finds_a_place_too_many() -> None:
    project = factories.project(overlap=1)
    work = [judged(factories.pair_item(project)) for _ in range(3)]
    people = [factories.user() for _ in range(12)]
    asked = threading.Event()

    def turn(person: User | None) -> None:
        if person is None:
            for overlap in (2, 1) * 3:
                items.ask_again(project=project, items=[item.pk for item in work], most=4, priority=1)
                projects.edit(project=Project.objects.get(), changes={"overlap": overlap})
            asked.set()
            return
        while (held := assigning.claim(project=project, annotator=person)) or not asked.is_set():
            if held is not None:
                answer(held)

    at_once(turn, [None, *people], threads=4)
    for item in work:
        assert item.judgments.filter(live=True).count() + free(item) <= 4
        assert item.judgments.filter(live=True).count() >= 2
