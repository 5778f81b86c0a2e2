"""The loop: after enough new judgments, or hours, retrain, promote if not worse, estimate, select.

Rows say how far a turn is:

    training --run succeeded--> selecting --estimate stored--> selecting --batch queued--> done
        |                           |                              |
        +-- run failed              +------------------------------+-- a step failed three times --> failed

Both functions are safe to call at any time and by two workers at once: whoever takes a step holds the turn by
a session lock, which ends with its process. No transaction is open while a model scores. A step is repeated
until its row is written, and only that step: a turn that has its estimate is not estimated again.
"""

import logging
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from activelearning.models import LoopTurn
from activelearning.services import estimating, selecting, steering
from activelearning.services.holding import held
from activelearning.services.policies import policy_of
from annotation.models.project import Project
from annotation.models.work import Judgment
from rewardmodel.models import TrainingRun
from rewardmodel.services import gating, running

logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 3
GIVEN_UP = "The estimate was begun three times and never finished."
OPEN = (LoopTurn.State.TRAINING, LoopTurn.State.SELECTING)


def judgments_that_count(project: Project) -> int:
    """Live judgments given here. Imported votes do not turn the loop: whoever imports decides to train."""
    return _counted(project).count()


def judgments_until_next(project: Project) -> int:
    """How many more judgments start the next turn; 0 when they have."""
    last = project.loop_turns.order_by("-pk").first()
    since = judgments_that_count(project) - (last.judgments if last else 0)
    return max(0, policy_of(project).retrain_every - since)


def next_by_clock(project: Project) -> datetime | None:
    """When a turn is due although the judgments are too few; None where hours do not count.

    Counted from the last turn, or from the first judgment. One new judgment there must be: without any, a
    turn would train on what the last one has trained on.
    """
    hours = policy_of(project).every_hours
    last = project.loop_turns.order_by("-pk").first()
    if hours is None or judgments_that_count(project) <= (last.judgments if last else 0):
        return None
    first = last or _counted(project).order_by("created_at").first()
    return first.created_at + timedelta(hours=hours) if first else None


def is_due(project: Project) -> bool:
    """Whether a turn is to begin: by the judgments, or by the clock."""
    if judgments_until_next(project) == 0:
        return True
    by_clock = next_by_clock(project)
    return by_clock is not None and by_clock <= timezone.now()


def begin_due_turns() -> list[LoopTurn]:
    """Begin a turn in every running project where one is due."""
    begun = []
    for project in Project.objects.filter(state=Project.State.RUNNING):
        if not policy_of(project).enabled or project.loop_turns.filter(state__in=OPEN).exists():
            continue
        if is_due(project):
            try:
                with transaction.atomic():
                    begun.append(
                        LoopTurn.objects.create(project=project, judgments=judgments_that_count(project))
                    )
            except IntegrityError:  # another worker began it in this instant
                continue
    return begun


def advance_turns() -> int:
    """Take the next step of every open turn; how many moved."""
    open_turns = LoopTurn.objects.filter(state__in=OPEN).values_list("pk", flat=True)
    return sum(_advance(turn_id) for turn_id in list(open_turns))


def _advance(turn_id: int) -> bool:
    with held(f"turn/{turn_id}") as mine:
        turn = LoopTurn.objects.select_related("project", "run").filter(pk=turn_id, state__in=OPEN).first()
        if not mine or turn is None:
            return False
        before = (turn.state, turn.run_id, turn.attempts)
        try:
            _step(turn)
        except Exception as error:  # whatever it is, the other projects' turns go on
            logger.exception("turn %s of %s", turn.pk, turn.project)
            _failed_once(turn, str(error) or type(error).__name__)
        return before != (turn.state, turn.run_id, turn.attempts)


def _step(turn: LoopTurn) -> None:
    if turn.state == LoopTurn.State.TRAINING:
        return _train(turn)
    if turn.estimate is None:
        _estimate(turn)
    return _select(turn)


def _train(turn: LoopTurn) -> None:
    if turn.run is None:
        try:
            with transaction.atomic():  # a run of the loop is always known to its turn
                turn.run = running.start_run(project=turn.project, trigger=TrainingRun.Trigger.LOOP)
                turn.save()
        except running.RunUnderWay:  # somebody pressed Train: the next step tries again
            return
        except running.CannotTrain as error:
            _end(turn, LoopTurn.State.FAILED, str(error))
    elif turn.run.state == TrainingRun.State.SUCCEEDED:
        gating.promote_if_not_worse(turn.run)
        turn.note = turn.run.verdict
        turn.state = LoopTurn.State.SELECTING
        turn.attempts = 0
        turn.save()
    elif turn.run.state in (TrainingRun.State.FAILED, TrainingRun.State.CANCELLED):
        _end(turn, LoopTurn.State.FAILED, f"Run {turn.run.number} {turn.run.state}: {turn.run.reason}")


def _estimate(turn: LoopTurn) -> None:
    """Does choosing pay, and is more worth its cost? Kept before anything is chosen: the choice rests on it.

    It never ends a turn: one that was begun too often, each worker dying over it, is given up.
    """
    if turn.attempts < MOST_ATTEMPTS:
        turn.attempts += 1
        turn.save(update_fields=["attempts"])
        turn.estimate = estimating.estimate(turn)
        turn.advice = steering.advice_for(turn)
    else:
        turn.estimate = {"reason": GIVEN_UP, "missing": "scores"}
    turn.note = f"{turn.note} {steering.note_for(turn)}".strip()
    turn.attempts = 0
    turn.save()


def _select(turn: LoopTurn) -> None:
    with selecting.alone(turn.project) as mine:
        if not mine:  # somebody selects: the next step chooses among what is left then
            return
        choice = selecting.choose(project=turn.project, n=policy_of(turn.project).batch_size)
        with transaction.atomic():  # the batch and the note that it is there
            turn.batch = selecting.queue(project=turn.project, choice=choice)
            turn.recipe = choice.recipe.name
            note = turn.note if turn.batch else f"{turn.note} Nothing is left to select."
            _end(turn, LoopTurn.State.DONE, note.strip())


def _failed_once(turn: LoopTurn, why: str) -> None:
    turn.refresh_from_db()
    turn.attempts += 1
    if turn.attempts >= MOST_ATTEMPTS:
        _end(turn, LoopTurn.State.FAILED, why)
    else:
        turn.save()


def _counted(project: Project) -> QuerySet[Judgment]:
    return Judgment.objects.filter(item__project=project, live=True).exclude(source=Judgment.Source.IMPORTED)


def _end(turn: LoopTurn, state: str, note: str) -> None:
    turn.state = state
    turn.note = note
    turn.finished_at = timezone.now()
    turn.save()
