"""Doing an exercise: start an attempt, answer its items, finish it.

All items of an attempt are drawn when it starts: what somebody is about to practise on is no longer work for
them, and an exercise that is changed later does not change under their hands.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from annotation.answering.answer import Answer, InvalidAnswer, checked, to_canonical
from annotation.learning_selectors import (
    Stage,
    credits_by_criterion,
    exercise_for,
    expert_answers,
    standing_of,
)
from annotation.models.learning import Attempt, Exercise, PracticeAnswer
from annotation.services.assigning import one_step_at_a_time

LONGEST_COMMENT = 5_000
ROUNDING = 1e-9  # 0.8 of ten items is a pass at a pass mark of 0.8, whatever binary fractions make of it


class MayNotStart(Exception):
    """No new attempt now; the message says why and when."""


class AttemptOver(Exception):
    """The attempt is finished, or the exercise was closed."""


@dataclass(frozen=True)
class Answered:
    row: PracticeAnswer
    created: bool  # False: this item was answered before, and that answer stands
    finished: bool  # the whole attempt


@transaction.atomic
def start(*, exercise: Exercise, annotator: User, rng: random.Random | None = None) -> Attempt:
    """The open attempt, or a new one. Raises `MayNotStart`.

    Two tabs that start at once get the same attempt: the person's steps take turns.
    """
    one_step_at_a_time(annotator)
    exercise = Exercise.objects.select_for_update(of=("self",)).select_related("project").get(pk=exercise.pk)
    now = standing_of(exercise, annotator)
    if now.may_go_on and now.attempt is not None:
        return now.attempt
    if not now.may_start:
        raise MayNotStart(_refusal(exercise, now.stage))
    return begin(exercise=exercise, annotator=annotator, rng=rng)


def begin(*, exercise: Exercise, annotator: User, rng: random.Random | None = None) -> Attempt:
    """The next attempt, whatever the limits say. Call it inside the transaction that checked them."""
    rng = rng or random.SystemRandom()
    last = Attempt.objects.filter(exercise=exercise, annotator=annotator).order_by("-number").first()
    attempt = Attempt.objects.create(
        exercise=exercise, annotator=annotator, number=last.number + 1 if last else 1
    )
    rows = exercise.exercise_items.order_by("position").annotate(size=Count("item__item_responses"))
    PracticeAnswer.objects.bulk_create(
        PracticeAnswer(attempt=attempt, annotator=annotator, item_id=row.item_id, display_order=order)
        for row in rows
        if (order := rng.sample(range(row.size), row.size))
    )
    return attempt


@transaction.atomic
def answer(
    *,
    attempt: Attempt,
    item_id: int,
    answers: Sequence[Answer],
    reasons: Sequence[str] = (),
    comment: str = "",
    seconds: float | None = None,
) -> Answered:
    """Store the answer, given in display terms; the last one finishes the attempt and scores it.

    The first answer to an item stands: sent again, changed or not, it is returned as it was. Raises
    `InvalidAnswer`, `AttemptOver`, and `PracticeAnswer.DoesNotExist` for an item of another exercise.
    """
    one_step_at_a_time(attempt.annotator)
    row = PracticeAnswer.objects.select_related("item", "attempt").get(attempt=attempt, item_id=item_id)
    if row.answered_at is not None:
        return Answered(row, created=False, finished=row.attempt.finished_at is not None)
    exercise = exercise_for(attempt.exercise.project, attempt.exercise_id)
    if exercise.state != Exercise.State.OPEN:
        raise AttemptOver(_("“%s” was closed; your answers so far are kept.") % exercise.name)
    given = checked(
        [to_canonical(one, row.display_order) for one in _right_length(answers, row.display_order)],
        exercise.project.question,
        len(row.display_order),
    )
    row.answers = [one.as_json() for one in given]
    row.reasons = [reason for reason in exercise.project.reasons if reason in reasons]
    row.comment = comment[:LONGEST_COMMENT]
    row.seconds = seconds
    row.credit = _credit({one.criterion: one for one in given}, expert_answers(row.item))
    row.answered_at = timezone.now()
    row.save()
    return Answered(row, created=True, finished=_finish_if_done(attempt, exercise))


def _finish_if_done(attempt: Attempt, exercise: Exercise) -> bool:
    rows = list(PracticeAnswer.objects.filter(attempt=attempt))
    if any(row.answered_at is None for row in rows):
        return False
    credits = [row.credit for row in rows if row.credit is not None]
    attempt.finished_at = timezone.now()
    attempt.score = sum(credits) / len(credits) if credits else None
    if exercise.kind == Exercise.Kind.QUALIFICATION:
        attempt.passed = (attempt.score or 0.0) >= exercise.pass_mark - ROUNDING
    attempt.save(update_fields=["finished_at", "score", "passed"])
    return True


def _credit(given: dict[str, Answer], expert: dict[str, Answer]) -> float | None:
    """The mean over the criteria that have an expert's answer; none where there is none at all."""
    found = credits_by_criterion(given, expert)
    return sum(found.values()) / len(found) if found else None


def _right_length(answers: Sequence[Answer], order: Sequence[int]) -> Sequence[Answer]:
    """Only what can be turned round; `checked` says what else is wrong."""
    for one in answers:
        for numbers in (one.ranks, one.ratings):
            if numbers is not None and len(numbers) != len(order):
                raise InvalidAnswer(f"There are {len(order)} responses: answer for each one.")
    return answers


def _refusal(exercise: Exercise, stage: Stage) -> str:
    if exercise.state != Exercise.State.OPEN:
        return _("“%s” is not open.") % exercise.name
    return {
        Stage.PASSED: _("You have passed this test."),
        Stage.FAILED: _("Your next attempt is not open yet."),
        Stage.EXHAUSTED: _("You have no attempts left. Whoever manages the project can give you another."),
        Stage.FINISHED: _("You have finished this session."),
    }.get(stage, _("This cannot be started now."))
