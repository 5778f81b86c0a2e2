"""The queue of items to decide: what an item is worth, who waits, and what is left out."""

import math

import pytest
from django.db import connection
from django.utils import timezone

from annotation import review_selectors
from annotation.models.project import Project
from annotation.models.review import ModelOdds
from annotation.models.standing import Standing
from annotation.models.work import Assignment, Item
from annotation.services import adjudicating, aggregating, gold
from tests import factories
from tests.annotation.ordering import item_of, vote
from tests.annotation.reviewed import adjudicated, labelled
from tests.cast import Cast, make_cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def waiting(project: Project) -> list[int]:
    return [row.item_id for row in review_selectors.queue(project).rows]


def entropy(*counts: float, outcomes: int = 3) -> float:
    """Of the posterior mean, straight from the definition."""
    total = sum(counts) + outcomes / 2
    shares = [(count + 0.5) / total for count in counts]
    return -sum(p * math.log2(p) for p in shares)


def flag(item: Item, note: str = "Both are empty.") -> Assignment:
    return Assignment.objects.create(
        item=item,
        project=item.project,
        annotator=factories.user(),
        state=Assignment.State.FLAGGED,
        display_order=[0, 1],
        note=note,
        lease_expires_at=timezone.now(),
        finished_at=timezone.now(),
    )


def test_the_value_is_the_entropy_of_the_label(cast: Cast) -> None:
    even, split, sure = labelled(cast.project, "abt", "aab", "aaa")
    queue = review_selectors.queue(cast.project)
    assert [row.item_id for row in queue.rows] == [even.pk, split.pk]
    assert [row.value for row in queue.rows] == pytest.approx([entropy(1, 1, 1), entropy(2, 0, 1)], abs=1e-12)
    assert queue.total == 2
    assert review_selectors.queue(cast.project, limit=1).total == 2
    assert sure.pk not in waiting(cast.project)


def test_an_item_that_others_are_still_asked_about_waits_only_when_flagged(cast: Cast) -> None:
    finished, unfinished = labelled(cast.project, "ab", "ab")
    Item.objects.filter(pk=unfinished.pk).update(slots_left=1)
    assert waiting(cast.project) == [finished.pk]
    flag(unfinished)
    assert waiting(cast.project) == [unfinished.pk, finished.pk]


def test_a_single_vote_is_few_where_one_is_all_that_is_asked_for(cast: Cast) -> None:
    (item,) = labelled(cast.project, "a")
    assert waiting(cast.project) == []
    cast.project.overlap = 1
    cast.project.save()
    (row,) = review_selectors.queue(cast.project).rows
    assert (row.item_id, row.value) == (item.pk, pytest.approx(entropy(1, 0, 0), abs=1e-12))


@pytest.mark.slow
def test_the_best_are_found_among_many(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """With three candidates of each sort the order is that of all."""
    items = labelled(cast.project, *["aaab", "aab", "abt", "aaa", "aabb", "aaaab"])
    in_order = waiting(cast.project)
    assert in_order[:3] == [items[2].pk, items[1].pk, items[4].pk]
    few = review_selectors._QUEUE.replace(f"LIMIT {review_selectors.CANDIDATES}", "LIMIT 3")
    monkeypatch.setattr(review_selectors, "_QUEUE", few)
    assert waiting(cast.project) == in_order[:3]


def test_without_ties_there_are_two_outcomes(cast: Cast) -> None:
    cast.project.ties = cast.project.both_bad = False
    cast.project.save()
    split, sure = labelled(cast.project, "aab", "aaa")
    (row,) = review_selectors.queue(cast.project).rows
    assert row.item_id == split.pk != sure.pk
    assert row.value == pytest.approx(entropy(2, 1, outcomes=2), abs=1e-12)


def test_each_of_two_flags_is_worth_a_bit(cast: Cast) -> None:
    split, sure = labelled(cast.project, "aab", "aaa")
    unjudged = factories.pair_item(cast.project)
    for _ in range(3):
        flag(sure)
    flag(unjudged)
    rows = {row.item_id: row for row in review_selectors.queue(cast.project).rows}
    assert list(rows) == [sure.pk, split.pk, unjudged.pk]
    assert rows[sure.pk].flags == 3
    assert rows[sure.pk].value == pytest.approx(2 + entropy(3, 0, 0), abs=1e-12)
    assert rows[unjudged.pk].value == 1


def odds(item: Item, a: float, tie: float, b: float) -> None:
    first, second = item.item_responses.order_by("position").values_list("response_id", flat=True)
    ModelOdds.objects.create(
        project=item.project,
        item=item,
        response_a_id=first,
        response_b_id=second,
        p_a=a,
        p_tie=tie,
        p_b=b,
        odds=1,
    )


def test_a_model_that_says_something_else_adds_the_divergence(cast: Cast) -> None:
    against, along = labelled(cast.project, "aaa", "aaa")
    odds(against, 0.1, 0.2, 0.7)
    odds(along, 0.5, 0.2, 0.3)  # less sure than the people, but of one mind with them
    (row,) = review_selectors.queue(cast.project).rows
    assert row.item_id == against.pk
    p, m = (3.5 / 4.5, 0.5 / 4.5, 0.5 / 4.5), (0.1, 0.2, 0.7)

    def bits(shares: tuple[float, ...]) -> float:
        return -sum(share * math.log2(share) for share in shares)

    middle = tuple((x + y) / 2 for x, y in zip(p, m, strict=True))
    assert row.odds == pytest.approx(bits(middle) - bits(p) / 2 - bits(m) / 2, abs=1e-12)
    assert row.value == pytest.approx(row.bits + row.odds, abs=1e-12)


def test_of_an_order_the_mean_over_its_pairs_counts(cast: Cast) -> None:
    cast.project.kind = "ranking"
    cast.project.save()
    item = item_of(cast.project, 3, slots_left=0)
    for ranks in ((1, 2, 3), (1, 3, 2)):
        vote(item, ranks)
    aggregating.rebuild(project=cast.project)
    (row,) = review_selectors.queue(cast.project).rows
    assert row.value == pytest.approx((2 * entropy(2, 0, 0) + entropy(1, 0, 1)) / 3, abs=1e-12)


def test_votes_of_paused_people_are_not_counted(cast: Cast) -> None:
    (item,) = labelled(cast.project, "aaab")
    assert waiting(cast.project) == [item.pk]
    (odd_one,) = item.judgments.filter(answers__choice="b")
    Standing.objects.create(
        project=cast.project, annotator=odd_one.annotator, state="paused", changed_at=timezone.now()
    )
    aggregating.rebuild(project=cast.project)
    assert waiting(cast.project) == []


def test_gold_and_retired_items_never_wait(cast: Cast) -> None:
    (item,) = labelled(cast.project, "aab")
    golden = factories.gold_item(cast.project)
    factories.soft_label(golden, p_a=0.5, votes=2)
    flag(golden)
    gold.retire(item=golden)
    assert waiting(cast.project) == [item.pk]


def test_what_is_decided_leaves_and_a_new_vote_brings_it_back(cast: Cast) -> None:
    first, second = labelled(cast.project, "aab", "abt")
    adjudicated(first, cast.reviewer)
    aggregating.rebuild(project=cast.project)
    assert waiting(cast.project) == [second.pk]
    review = adjudicating.start(item=second, reviewer=cast.reviewer)
    adjudicating.dismiss(review=review, reviewer=cast.reviewer, reason="A matter of taste.")
    assert waiting(cast.project) == []
    factories.judgment(first, factories.user(), "b")
    aggregating.rebuild(project=cast.project)
    assert waiting(cast.project) == [first.pk]
    flag(second)
    assert waiting(cast.project) == [second.pk, first.pk]


def test_the_queue_is_one_statement(cast: Cast, django_assert_num_queries: pytest.FixtureRequest) -> None:
    labelled(cast.project, *["aab"] * 5)
    with django_assert_num_queries(1):
        assert len(waiting(cast.project)) == 5


def test_the_first_are_found_by_an_index_of_the_same_entropy(cast: Cast) -> None:
    labelled(cast.project, "aab", "aaa")
    values = {"project": cast.project.pk, "criterion": "overall", "outcomes": 3, "floor": 1, "limit": 50}
    with connection.cursor() as cursor:
        cursor.execute("SELECT laurel_label_bits(0.5, 0.3, 0.2, 10)")
        assert cursor.fetchone()[0] == pytest.approx(entropy(5, 3, 2), abs=1e-12)
        cursor.execute("SET LOCAL enable_seqscan = off")  # two rows need no index
        cursor.execute("SET LOCAL enable_sort = off")
        # An autovacuum of what other tests rolled back leaves sizes behind that mislead the planner.
        cursor.execute("ANALYZE annotation_item, annotation_assignment, annotation_softlabel")
        cursor.execute("EXPLAIN " + review_selectors._QUEUE, {**values, "overlap": 3, "least": 2})
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "soft_label_open_most" in plan
    assert "odds_first" in plan
    assert "assignment_flagged" in plan
    # Asked of items, what is settled would be charged anew for each: then a million labels are rather sorted.
    assert not [line for line in plan.splitlines() if "slots_left = 0" in line and "SubPlan" in line]
