"""A reviewer decides an item: their own answer, then the votes, then the decision; each once."""

import threading

import pytest
from django.db import connection, connections

from accounts.models import Role
from annotation import vote_selectors
from annotation.answering.answer import InvalidAnswer
from annotation.models.quality import GoldAnswer
from annotation.models.review import Review
from annotation.models.work import Assignment, Item, Judgment
from annotation.services import adjudicating, assigning, gold, judging
from tests import factories
from tests.annotation.reviewed import adjudicated, blind, decide, labelled
from tests.cast import Cast, make_cast, member

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def item(cast: Cast) -> Item:
    (item,) = labelled(cast.project, "aab")
    return item


def test_a_decision_is_an_experts_judgment(cast: Cast, item: Item) -> None:
    factories.guideline(cast.project)
    review = adjudicating.start(item=item, reviewer=cast.reviewer)
    assert (review.state, review.kind, review.reviewer) == ("open", "adjudication", cast.reviewer)
    blind(review, cast.reviewer, "b")
    done = decide(review, cast.reviewer, "a", " The source says so. ")
    assert done.state == Review.State.DONE
    assert done.blind == [{"criterion": "overall", "choice": "b"}]
    assert done.decision == [{"criterion": "overall", "choice": "a"}]
    judgment = done.judgment
    assert judgment is not None
    assert (judgment.source, judgment.live, judgment.assignment) == ("expert", True, None)
    assert (judgment.comment, judgment.idempotency_key) == ("The source says so.", f"review-{review.pk}")
    assert judgment.display_order == [0, 1]
    assert judgment.guideline is not None
    assert judgment.answers.get().choice == "a"
    assert item.judgments.filter(live=True).count() == 4


def test_the_votes_open_with_the_blind_answer_and_never_before(cast: Cast, item: Item) -> None:
    review = adjudicating.start(item=item, reviewer=cast.reviewer)
    assert adjudicating.needs_blind_answer(review, cast.reviewer)
    with pytest.raises(adjudicating.CannotReview, match="without the votes first"):
        decide(review, cast.reviewer, "a")
    assert vote_selectors.why_blind(cast.reviewer, Role.REVIEWER, item)
    blind(review, cast.reviewer, "b")
    assert vote_selectors.why_blind(cast.reviewer, Role.REVIEWER, item) is None
    assert assigning.claim(project=cast.project, annotator=cast.reviewer) is None
    same = blind(review, cast.reviewer, "b")  # sent twice
    assert same.pk == review.pk
    with pytest.raises(adjudicating.CannotReview, match="first answer stands"):
        blind(review, cast.reviewer, "a")


def test_who_has_seen_the_votes_is_not_asked_to_forget_them(cast: Cast, item: Item) -> None:
    from annotation.services import reviewing

    reviewing.see_votes(item=item, annotator=cast.reviewer)
    review = adjudicating.start(item=item, reviewer=cast.reviewer)
    assert not adjudicating.needs_blind_answer(review, cast.reviewer)
    assert decide(review, cast.reviewer, "a").blind == []


def test_without_blind_review_the_votes_are_there_at_once(cast: Cast, item: Item) -> None:
    cast.project.blind_review = False
    cast.project.save()
    item.refresh_from_db()
    review = adjudicating.start(item=item, reviewer=cast.reviewer)
    assert not adjudicating.needs_blind_answer(review, cast.reviewer)


def test_the_same_decision_twice_is_one_and_another_is_refused(cast: Cast, item: Item) -> None:
    review = adjudicated(item, cast.reviewer)
    assert decide(review, cast.reviewer, "a").pk == review.pk
    for choice, reason in (("b", "It is."), ("a", "Another reason.")):
        with pytest.raises(adjudicating.CannotReview, match="decided this already"):
            decide(review, cast.reviewer, choice, reason)
    assert Judgment.objects.filter(source="expert").count() == 1


def test_a_decision_needs_a_reason_and_a_whole_answer(cast: Cast, item: Item) -> None:
    review = adjudicating.start(item=item, reviewer=cast.reviewer)
    blind(review, cast.reviewer, "b")
    with pytest.raises(InvalidAnswer, match="Say why"):
        decide(review, cast.reviewer, "a", " \x00 ")
    with pytest.raises(InvalidAnswer, match="No answer yet"):
        adjudicating.decide(review=review, reviewer=cast.reviewer, answers=[], reason="Because.")
    with pytest.raises(InvalidAnswer, match="shorten it"):
        decide(review, cast.reviewer, "a", "x" * 5_001)
    assert Review.objects.get().state == "open"


def test_ones_own_vote_gives_way_to_ones_decision(cast: Cast) -> None:
    cast.project.overlap = 4
    cast.project.save()
    item = factories.pair_item(cast.project)
    own = factories.judgment(item, cast.reviewer, "a")
    review = adjudicating.start(item=item, reviewer=cast.reviewer)
    assert adjudicating.needs_blind_answer(review, cast.reviewer)  # it could still be changed
    blind(review, cast.reviewer, "a")
    done = decide(review, cast.reviewer, "b")
    own.refresh_from_db()
    assert not own.live
    assert done.judgment is not None
    assert done.judgment.supersedes == own
    with pytest.raises((InvalidAnswer, judging.Conflict)):  # and cannot be changed back
        judging.submit(
            assignment_id=own.assignment_id,  # type: ignore[arg-type]
            annotator=cast.reviewer,
            answers=judging.pairwise(cast.project, "tie"),
            idempotency_key="again",
            replaces=own.pk,
        )


def test_a_later_review_revises_the_decision(cast: Cast, item: Item) -> None:
    first = adjudicated(item, cast.reviewer, "a")
    second = adjudicated(item, cast.reviewer, "b", "I was wrong.")
    assert second.pk != first.pk
    assert second.judgment is not None
    assert second.judgment.supersedes == first.judgment
    assert Judgment.objects.filter(item=item, annotator=cast.reviewer, live=True).get() == second.judgment


def test_one_review_is_in_one_pair_of_hands(cast: Cast, item: Item) -> None:
    review = adjudicating.start(item=item, reviewer=cast.reviewer)
    blind(review, cast.reviewer, "a")
    assert adjudicating.start(item=item, reviewer=cast.manager) == review
    with pytest.raises(adjudicating.CannotReview, match="reviewer has this review now"):
        blind(review, cast.manager, "b")
    taken = adjudicating.take(review=review, reviewer=cast.manager, seen=cast.reviewer.pk)
    assert (taken.reviewer, taken.blind, taken.blind_at) == (cast.manager, [], None)
    with pytest.raises(adjudicating.CannotReview, match="manager has this review now"):
        decide(review, cast.reviewer, "a")
    with pytest.raises(adjudicating.CannotReview, match="manager has this review now"):
        adjudicating.take(review=review, reviewer=cast.admin, seen=cast.reviewer.pk)
    blind(review, cast.manager, "b")
    assert decide(review, cast.manager, "b").reviewer == cast.manager


def test_gold_in_the_same_step(cast: Cast, item: Item) -> None:
    review = adjudicating.start(item=item, reviewer=cast.reviewer)
    blind(review, cast.reviewer, "a")
    decide(review, cast.reviewer, "a", "The source says so.", gold=True)
    twin = Item.objects.get(is_gold=True)
    answer = GoldAnswer.objects.get()
    assert (answer.choice, answer.source, answer.reason) == ("a", "adjudicated", "The source says so.")
    assert twin.response_set == item.response_set
    assert Assignment.objects.get(item=twin, annotator=cast.reviewer).note == Assignment.WROTE_GOLD
    item.refresh_from_db()
    assert not item.is_gold  # the votes on it stay in the labels


def test_standing_gold_is_the_managers_to_correct(cast: Cast, item: Item) -> None:
    places = item.item_responses.select_related("response").order_by("position")
    gold.write(
        project=cast.project,
        responses=[place.response for place in places],
        answers=judging.pairwise(cast.project, "b"),
    )
    review = adjudicating.start(item=item, reviewer=cast.reviewer)
    blind(review, cast.reviewer, "a")
    with pytest.raises(adjudicating.CannotReview, match="gold already"):
        decide(review, cast.reviewer, "a", gold=True)
    assert GoldAnswer.objects.get().choice == "b"
    assert Review.objects.get().state == "open"  # all of it or nothing
    adjudicating.take(review=review, reviewer=cast.manager, seen=cast.reviewer.pk)
    blind(review, cast.manager, "a")
    decide(review, cast.manager, "a", gold=True)
    assert GoldAnswer.objects.get().choice == "a"


def test_gold_and_what_is_retired_is_refused_with_words(cast: Cast) -> None:
    golden = factories.gold_item(cast.project)
    with pytest.raises(adjudicating.CannotReview, match="is gold"):
        adjudicating.start(item=golden, reviewer=cast.reviewer)
    retired = factories.pair_item(cast.project, retired_at="2026-03-02T12:00Z")
    with pytest.raises(adjudicating.CannotReview, match="is retired"):
        adjudicating.start(item=retired, reviewer=cast.reviewer)


def test_a_review_is_put_aside_with_a_reason(cast: Cast, item: Item) -> None:
    review = adjudicating.start(item=item, reviewer=cast.reviewer)
    with pytest.raises(InvalidAnswer):
        adjudicating.dismiss(review=review, reviewer=cast.reviewer, reason="")
    for _ in range(2):
        gone = adjudicating.dismiss(review=review, reviewer=cast.reviewer, reason="Both are fine.")
        assert (gone.state, gone.reason) == ("dismissed", "Both are fine.")
    with pytest.raises(adjudicating.CannotReview, match="put this review aside"):
        blind(review, cast.reviewer, "a")
    assert adjudicating.start(item=item, reviewer=cast.manager).pk != review.pk


def test_an_open_hold_on_the_item_gives_its_slot_back(cast: Cast) -> None:
    item = factories.pair_item(cast.project)
    held = assigning.claim(project=cast.project, annotator=cast.reviewer)
    assert held is not None
    review = adjudicating.start(item=item, reviewer=cast.reviewer)
    blind(review, cast.reviewer, "a")
    held.refresh_from_db()
    item.refresh_from_db()
    assert (held.state, item.slots_left) == ("skipped", 3)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_many_at_once_make_one_review_and_one_decision(cast: Cast) -> None:
    (item,) = labelled(cast.project, "aab")
    second = factories.user("second")
    member(second, cast.project, Role.REVIEWER)
    opened: list[int] = []

    def at_once(*steps: object) -> None:
        def run(step: object) -> None:
            try:
                step()  # type: ignore[operator]
            except adjudicating.CannotReview:
                pass
            finally:
                connections.close_all()

        threads = [threading.Thread(target=run, args=(step,)) for step in steps]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    at_once(
        *(
            lambda who=who: opened.append(adjudicating.start(item=item, reviewer=who).pk)
            for who in (cast.reviewer, second) * 3
        )
    )
    assert len(opened) == 6
    assert len(set(opened)) == 1
    review = Review.objects.get()
    assert review.reviewer is not None
    reviewer = review.reviewer
    blind(review, reviewer, "a")
    at_once(*(lambda: decide(review, reviewer, "a") for _ in range(6)))
    assert Judgment.objects.filter(source="expert").count() == 1
    connection.close()
