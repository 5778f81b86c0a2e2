"""A reviewer decides an item: their own answer first, then the votes, then the decision and why.

One review an item is under way at a time, in one pair of hands; somebody else may take it over and begins
anew.
A decision is a judgment of its own kind: live as any vote, in place of the one this reviewer gave before.
Whoever changes their mind later opens another review.

Locks are taken in one order: the import lock, if gold is written, the person, the review, items.
"""

import hashlib
import json
from collections.abc import Sequence

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from annotation import gold_selectors, selectors, spot_check_selectors, vote_selectors
from annotation.answering.answer import Answer as Given
from annotation.answering.answer import InvalidAnswer, checked
from annotation.answering.same import says_the_same
from annotation.models.quality import GoldAnswer
from annotation.models.review import Review
from annotation.models.work import Answer, Item, Judgment
from annotation.services import assigning, gold, import_merge, reviewing
from annotation.typed_text import cleaned

LONGEST_REASON = 5_000


class CannotReview(Exception):
    """Not this item, not this person or not now; the message says why."""


@transaction.atomic
def start(*, item: Item, reviewer: User) -> Review:
    """The adjudication of the item that is under way, whoever has it, or a new one in these hands.

    Raises `CannotReview` for gold, which is corrected instead, and for what is retired.
    """
    if item.is_gold:
        raise CannotReview(_("This item is gold: correct its answer instead of deciding it."))
    if item.retired_at is not None:
        raise CannotReview(_("This item is retired: nothing is left to decide."))
    Item.objects.select_for_update(no_key=True).get(pk=item.pk)  # two who start at once get the same
    under_way = item.reviews.filter(kind=Review.Kind.ADJUDICATION, state=Review.State.OPEN).first()
    return under_way or Review.objects.create(
        project=item.project, item=item, kind=Review.Kind.ADJUDICATION, reviewer=reviewer
    )


@transaction.atomic
def take(*, review: Review, reviewer: User, seen: int | None) -> Review:
    """The open review in these hands. What its reviewer before had answered is theirs and goes.

    `seen` is who had it when this person asked for it. Raises `CannotReview` if somebody else has it by now,
    and for a spot check of an item that this person knows.
    """
    review = _locked(review, reviewer)
    _refuse_if_over(review)
    if review.reviewer_id not in (seen, reviewer.pk):
        _refuse_if_anothers(review, reviewer)
    if review.kind == Review.Kind.SPOT_CHECK and spot_check_selectors.knows(reviewer, review.item):
        raise CannotReview(_("You know this item: a spot check is for somebody who does not."))
    if review.reviewer_id != reviewer.pk:
        review.reviewer, review.blind, review.blind_at = reviewer, [], None
        review.save(update_fields=["reviewer", "blind", "blind_at"])
    return review


def needs_blind_answer(review: Review, reviewer: User) -> bool:
    """Whether this reviewer answers without the votes first: as long as they could not have seen them.

    A spot check is nothing else, whatever its reviewer may see otherwise.
    """
    if review.state != Review.State.OPEN or review.blind:
        return False
    role = selectors.role_in(reviewer, review.project)
    blind = vote_selectors.why_blind(reviewer, role, review.item) is not None
    return blind or review.kind == Review.Kind.SPOT_CHECK


@transaction.atomic
def answer_blind(*, review: Review, reviewer: User, answers: Sequence[Given]) -> Review:
    """Keep the answer given without the votes, and open them: the item never comes to this person again.

    Returns the review to go on with: after a spot check whose label says something else that is the item's
    adjudication. Raises `InvalidAnswer`, and `CannotReview` where another answer stands already.
    """
    review = _locked(review, reviewer)
    given = _checked(review.item, answers)
    if review.blind and review.reviewer_id == reviewer.pk:
        if review.blind == given:
            return _after_check(review)
        raise CannotReview(_("You have seen the votes since you answered: your first answer stands."))
    _refuse_if_over(review)
    _refuse_if_anothers(review, reviewer)
    if review.kind == Review.Kind.SPOT_CHECK and spot_check_selectors.knows(reviewer, review.item):
        raise CannotReview(_("You know this item: a spot check is for somebody who does not."))
    review.blind, review.blind_at = given, timezone.now()
    if review.kind == Review.Kind.SPOT_CHECK:
        review.right = _is_right(review)
        review.state, review.decided_at = Review.State.DONE, review.blind_at
    review.save(update_fields=["blind", "blind_at", "right", "state", "decided_at"])
    reviewing.see_votes(item=review.item, annotator=reviewer)
    return _after_check(review)


@transaction.atomic
def decide(
    *, review: Review, reviewer: User, answers: Sequence[Given], reason: str, make_gold: bool = False
) -> Review:
    """The reviewer's word on the item, as a judgment of theirs, and as gold if wanted. The same again is one.

    Raises `InvalidAnswer` without a whole answer or a reason, `CannotReview` if it is not theirs to decide,
    is decided otherwise, or their answer without the votes is missing.
    """
    if make_gold:
        with connection.cursor() as cursor:
            import_merge.lock(cursor, review.project_id)
    review = _locked(review, reviewer)
    given, why = _checked(review.item, answers), _reason(reason)
    sent_before = (review.reviewer_id, review.decision, review.reason) == (reviewer.pk, given, why)
    if review.state == Review.State.DONE and sent_before:
        return review
    _refuse_if_over(review)
    _refuse_if_anothers(review, reviewer)
    if review.kind == Review.Kind.SPOT_CHECK or needs_blind_answer(review, reviewer):
        raise CannotReview(_("Answer without the votes first."))
    reviewing.see_votes(item=review.item, annotator=reviewer)
    if make_gold:
        _write_gold(review, reviewer, given, why)
    review.judgment = _judge(review, reviewer, given, why)
    review.decision, review.reason = given, why
    review.state, review.decided_at = Review.State.DONE, timezone.now()
    review.save(update_fields=["judgment", "decision", "reason", "state", "decided_at"])
    return review


@transaction.atomic
def dismiss(*, review: Review, reviewer: User, reason: str) -> Review:
    """Put the review aside without a decision; the reason says why. Votes and label stay as they are."""
    review = _locked(review, reviewer)
    why = _reason(reason)
    if review.state == Review.State.DISMISSED and (review.reviewer_id, review.reason) == (reviewer.pk, why):
        return review
    _refuse_if_over(review)
    _refuse_if_anothers(review, reviewer)
    review.reason, review.state, review.decided_at = why, Review.State.DISMISSED, timezone.now()
    review.save(update_fields=["reason", "state", "decided_at"])
    return review


def plain(told: Sequence[dict[str, object]]) -> dict[str, Given]:
    """Answers as a review keeps them, by criterion."""
    answers = [Given.from_json(one) for one in told]
    return {answer.criterion: answer for answer in answers}


def _locked(review: Review, reviewer: User) -> Review:
    assigning.one_step_at_a_time(reviewer)
    rows = Review.objects.select_for_update(of=("self",)).select_related("item__project", "reviewer")
    return rows.get(pk=review.pk)


def _refuse_if_over(review: Review) -> None:
    if review.state == Review.State.DONE:
        raise CannotReview(
            _("%s has decided this already. Open another review to revise it.") % review.reviewer
        )
    if review.state == Review.State.DISMISSED:
        raise CannotReview(
            _("%s has put this review aside. Open another one to decide it.") % review.reviewer
        )


def _refuse_if_anothers(review: Review, reviewer: User) -> None:
    if review.reviewer_id is None:
        raise CannotReview(_("Take this review first."))
    if review.reviewer_id != reviewer.pk:
        raise CannotReview(_("%s has this review now. Take it over to go on with it.") % review.reviewer)


def _checked(item: Item, answers: Sequence[Given]) -> list[dict[str, object]]:
    given = checked(answers, item.project.question, item.item_responses.count())
    return [answer.as_json() for answer in given]


def _reason(reason: str) -> str:
    reason = cleaned(reason)
    if not reason:
        raise InvalidAnswer(_("Say why: others learn from it, and may have to revise it."))
    if len(reason) > LONGEST_REASON:
        raise InvalidAnswer(
            _("The reason has %(n)s characters; shorten it to %(most)s.")
            % {"n": len(reason), "most": LONGEST_REASON}
        )
    return reason


def _is_right(review: Review) -> bool:
    """Whether the label says what the reviewer does, under the main criterion."""
    main = review.project.main_criterion
    return says_the_same(plain(review.blind)[main], plain(review.label)[main])


def _after_check(review: Review) -> Review:
    """Where its reviewer goes on: a label they contradict is theirs to decide, unless somebody is at it."""
    if review.kind != Review.Kind.SPOT_CHECK or review.right or review.reviewer is None:
        return review
    since = review.item.reviews.filter(kind=Review.Kind.ADJUDICATION, created_at__gte=review.blind_at)
    found = since.order_by("pk").first() or start(item=review.item, reviewer=review.reviewer)
    if found.reviewer_id == review.reviewer_id and not found.blind:
        found.blind, found.blind_at = review.blind, review.blind_at
        found.save(update_fields=["blind", "blind_at"])
    return found


def _write_gold(review: Review, reviewer: User, given: Sequence[dict[str, object]], why: str) -> None:
    manages = selectors.role_in(reviewer, review.project) in selectors.MANAGERS
    if not manages and gold_selectors.gold_twin(review.item) is not None:
        raise CannotReview(_("These responses are gold already; a manager may correct them."))
    gold.write_for(
        item=review.item,
        answers=list(plain(given).values()),
        reason=why,
        source=GoldAnswer.Source.ADJUDICATED,
        actor=reviewer,
    )


def _judge(review: Review, reviewer: User, given: Sequence[dict[str, object]], why: str) -> Judgment:
    """The expert's judgment, in the place of what this person answered before.

    A review shows the responses in the item's own order, so that A is the same in every vote beside it.
    """
    before = Judgment.objects.filter(item=review.item, annotator=reviewer, live=True).first()
    if before is not None:
        before.live = False
        before.save(update_fields=["live"])
    judgment = Judgment.objects.create(
        item=review.item,
        annotator=reviewer,
        idempotency_key=f"review-{review.pk}",
        body_hash=hashlib.sha256(json.dumps([review.pk, given, why]).encode()).hexdigest(),
        source=Judgment.Source.EXPERT,
        supersedes=before,
        guideline=selectors.latest_guidelines(review.project),
        display_order=list(range(review.item.item_responses.count())),
        comment=why,
        judged_at=timezone.now(),
    )
    Answer.objects.bulk_create(
        Answer(
            judgment=judgment,
            criterion=one.criterion,
            choice=one.choice,
            strength=one.strength,
            ranks=None if one.ranks is None else list(one.ranks),
            ratings=None if one.ratings is None else list(one.ratings),
        )
        for one in plain(given).values()
    )
    return judgment
