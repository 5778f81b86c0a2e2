"""Spot checks: which items are drawn, what their labels said, and the error rate that comes of them."""

import pytest
from django.utils import timezone

from annotation import review_selectors, spot_check_selectors
from annotation.aggregation.wilson import wilson
from annotation.answering.answer import Answer
from annotation.models.project import Project
from annotation.models.review import Review
from annotation.models.standing import Standing
from annotation.models.work import Item
from annotation.services import adjudicating, aggregating, judging, reviewing, spot_checking
from annotation.tasks import draw_spot_checks
from tests import factories
from tests.annotation.ordering import item_of, told, vote
from tests.annotation.reviewed import blind, decide, labelled
from tests.cast import Cast, make_cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    cast = make_cast()
    rate(cast.project, 1.0)
    return cast


def rate(project: Project, share: float) -> None:
    project.spot_check_rate = share
    project.save()


def drawn(project: Project) -> set[int]:
    return set(Review.objects.filter(project=project, kind="spot_check").values_list("item", flat=True))


def check(cast: Cast, votes: str) -> Review:
    """A spot check in the reviewer's hands."""
    (item,) = labelled(cast.project, votes)
    spot_checking.draw(project=cast.project)
    review = Review.objects.get(item=item)
    return adjudicating.take(review=review, reviewer=cast.reviewer, seen=None)


@pytest.mark.slow
def test_a_higher_rate_draws_the_same_items_and_more(cast: Cast) -> None:
    project = cast.project
    labelled(project, *["a"] * 200)
    found: list[set[int]] = []
    for share in (0.0, 0.05, 0.2, 0.6):
        rate(project, share)
        spot_checking.draw(project=project)
        found.append(drawn(project))
        Review.objects.all().delete()
    assert found[0] == set()
    assert found[1] < found[2] < found[3]
    assert 0.4 < len(found[3]) / 200 < 0.8
    spot_checking.draw(project=project)
    assert drawn(project) == found[3]  # by chance, but always the same


def test_each_finished_item_is_drawn_once(cast: Cast) -> None:
    done, unfinished, held, unlabelled = labelled(cast.project, "aab", "ab", "a", "b")
    Item.objects.filter(pk=unfinished.pk).update(slots_left=1)
    Item.objects.filter(pk=held.pk).update(slots_left=1)
    factories.assignment(held, cast.annotator)
    unlabelled.soft_labels.all().delete()
    factories.pair_item(cast.project, slots_left=0)  # without a vote
    golden = factories.gold_item(cast.project, slots_left=0)
    factories.soft_label(golden)
    assert draw_spot_checks() == 1
    assert drawn(cast.project) == {done.pk}
    assert draw_spot_checks() == 0
    check = Review.objects.get()
    adjudicating.take(review=check, reviewer=cast.reviewer, seen=None)
    blind(check, cast.reviewer, "a")
    assert draw_spot_checks() == 0


def test_nothing_is_drawn_from_a_closed_project(cast: Cast) -> None:
    labelled(cast.project, "aab")
    cast.project.state = Project.State.CLOSED
    cast.project.save()
    assert draw_spot_checks() == 0


def test_votes_that_do_not_count_make_no_label_to_check(cast: Cast) -> None:
    (item,) = labelled(cast.project, "a")
    voter = item.judgments.get().annotator
    Standing.objects.create(
        project=cast.project, annotator=voter, state="excluded", changed_at=timezone.now()
    )
    aggregating.rebuild(project=cast.project)
    assert spot_checking.draw(project=cast.project) == 0


@pytest.mark.parametrize(
    ("votes", "label"), [("aab", "a"), ("abb", "b"), ("att", "tie"), ("ab", "tie"), ("abt", "tie")]
)
def test_the_label_is_the_most_probable_answer(cast: Cast, votes: str, label: str) -> None:
    assert check(cast, votes).label == [{"criterion": "overall", "choice": label}]


def test_the_label_of_every_criterion_is_kept(cast: Cast) -> None:
    cast.project.criteria = [{"name": "overall", "description": ""}, {"name": "harm", "description": ""}]
    cast.project.save()
    assert [one["criterion"] for one in check(cast, "a").label] == ["harm", "overall"]


ORDERS = [
    ("ranking", [(1, 2, 3), (1, 2, 3), (3, 2, 1)], [1, 2, 3], (1, 2, 3), True),
    ("ranking", [(1, 2, 3)], [1, 2, 3], (1, 3, 2), False),  # two of three pairs
    ("ranking", [(1, 2, 3), (2, 3, 1), (3, 1, 2)], [1, 1, 1], (1, 1, 1), True),  # round and round
    ("rating", [(5, 3, 1), (5, 3, 3)], [1, 2, 2], (4, 2, 2), True),
    ("rating", [(5, 3, 1)], [1, 2, 3], (1, 3, 5), False),
]


@pytest.mark.parametrize(("kind", "votes", "label", "answer", "right"), ORDERS)
def test_orders_are_compared_pair_by_pair(
    cast: Cast,
    kind: str,
    votes: list[tuple[int, ...]],
    label: list[int],
    answer: tuple[int, ...],
    right: bool,
) -> None:
    cast.project.kind = kind
    cast.project.save()
    item = item_of(cast.project, 3)
    for numbers in votes:
        vote(item, numbers)
    Item.objects.filter(pk=item.pk).update(slots_left=0)
    aggregating.rebuild(project=cast.project)
    assert spot_checking.draw(project=cast.project) == 1
    review = adjudicating.take(review=Review.objects.get(), reviewer=cast.reviewer, seen=None)
    assert review.label == [{"criterion": "overall", "ranks": label}]
    blind(review, cast.reviewer, [told(cast.project, answer)])
    review.refresh_from_db()
    assert review.right is right


def test_a_reviewer_who_agrees_is_done_and_makes_no_judgment(cast: Cast) -> None:
    review = check(cast, "aab")
    assert review_selectors.queue(cast.project).total == 1
    done = blind(review, cast.reviewer, "a")
    assert (done.pk, done.state, done.right, done.judgment) == (review.pk, "done", True, None)
    assert done.decided_at is not None
    assert review_selectors.queue(cast.project).total == 0  # looked at, and right
    assert blind(review, cast.reviewer, "a").pk == review.pk
    with pytest.raises(adjudicating.CannotReview):
        blind(review, cast.reviewer, "b")


def test_a_reviewer_who_disagrees_goes_on_to_decide(cast: Cast) -> None:
    review = check(cast, "aab")
    going_on = blind(review, cast.reviewer, "b")
    review.refresh_from_db()
    assert (review.state, review.right) == ("done", False)
    assert (going_on.kind, going_on.state, going_on.blind) == ("adjudication", "open", review.blind)
    assert blind(review, cast.reviewer, "b") == going_on  # sent twice
    assert review_selectors.queue(cast.project).total == 1
    decide(going_on, cast.reviewer, "b")
    assert blind(review, cast.reviewer, "b") == going_on
    assert review_selectors.queue(cast.project).total == 0


def test_both_bad_is_no_other_answer_than_a_tie(cast: Cast) -> None:
    assert blind(check(cast, "ttt"), cast.reviewer, "both_bad").right


def test_who_knows_the_item_does_not_check_it(cast: Cast) -> None:
    (item,) = labelled(cast.project, "aab")
    spot_checking.draw(project=cast.project)
    review = Review.objects.get()
    waiting = spot_check_selectors.waiting_for
    assert list(waiting(cast.reviewer, cast.project)) == [review]
    reviewing.see_votes(item=item, annotator=cast.reviewer)
    voter = item.judgments.first().annotator  # type: ignore[union-attr]
    for person in (cast.reviewer, voter):
        assert list(waiting(person, cast.project)) == []
        with pytest.raises(adjudicating.CannotReview, match="You know this item"):
            adjudicating.take(review=review, reviewer=person, seen=None)
    adjudicating.take(review=review, reviewer=cast.manager, seen=None)
    assert list(waiting(cast.manager, cast.project)) == [review]
    assert list(waiting(cast.admin, cast.project)) == []  # it is in somebody's hands
    with pytest.raises(adjudicating.CannotReview, match="manager has this review now"):
        adjudicating.take(review=review, reviewer=cast.admin, seen=None)
    with pytest.raises(adjudicating.CannotReview, match="without the votes first"):
        decide(review, cast.manager, "a")


@pytest.mark.slow
def test_the_error_rate_has_wilsons_interval(cast: Cast) -> None:
    items = labelled(cast.project, *["aaa"] * 10, "ttt")
    spot_checking.draw(project=cast.project)
    assert spot_check_selectors.error_rate(cast.project) == spot_check_selectors.ErrorRate(0, 0, 0, 11)
    assert spot_check_selectors.error_rate(cast.project).low is None
    for number, item in enumerate(items):
        review = adjudicating.take(review=item.reviews.get(), reviewer=cast.reviewer, seen=None)
        if number == 9:
            adjudicating.dismiss(review=review, reviewer=cast.reviewer, reason="Unreadable.")
        else:
            blind(review, cast.reviewer, {0: "b", 1: "tie"}.get(number, "a"))
    found = spot_check_selectors.error_rate(cast.project)
    # Wrong: a turned round, a tie for A, and A for a tie; the one that was put aside says nothing.
    assert found == spot_check_selectors.ErrorRate(checked=10, wrong=3, reversed=1, waiting=0)
    assert found.share == pytest.approx(0.3)
    assert (found.low, found.high) == pytest.approx((0.1077913, 0.6032219), abs=1e-6)
    assert (found.low, found.high) == wilson(3, 10)


def test_the_answer_is_whole(cast: Cast) -> None:
    review = check(cast, "aab")
    with pytest.raises(judging.InvalidAnswer):
        blind(review, cast.reviewer, [Answer("overall", choice="c")])
    assert Review.objects.get(pk=review.pk).state == "open"
