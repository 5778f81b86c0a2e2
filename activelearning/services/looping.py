"""The loop: after enough new judgments retrain, promote if not worse, select. Rows say how far a turn is.

    training --run succeeded--> selecting --batch queued--> done
        |                           |
        +-- run failed              +-- a step failed three times --> failed

Both functions are safe to call at any time and by two workers at once: whoever takes a step holds the turn by
a session lock, which ends with its process. No transaction is open while a model scores.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import User
from accounts.services import audit
from activelearning.models import LoopPolicy, LoopTurn
from activelearning.services import selecting
from annotation.models.project import Project
from annotation.models.work import Judgment
from rewardmodel.models import TrainingRun
from rewardmodel.services import gating, running

logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 3
OPEN = (LoopTurn.State.TRAINING, LoopTurn.State.SELECTING)


class InvalidPolicy(ValueError):
    """The loop cannot be set as asked; the message says what to change."""


def policy_of(project: Project) -> LoopPolicy:
    """The project's policy, or the default one, not saved."""
    return LoopPolicy.objects.filter(project=project).first() or LoopPolicy(project=project)


@transaction.atomic
def set_policy(
    *, project: Project, enabled: bool, retrain_every: int, batch_size: int, actor: User | None = None
) -> LoopPolicy:
    """Raises `InvalidPolicy`."""
    if retrain_every < 1 or batch_size < 1:
        raise InvalidPolicy("Retrain after at least one judgment and select at least one pair.")
    values = {"enabled": enabled, "retrain_every": retrain_every, "batch_size": batch_size}
    policy, _ = LoopPolicy.objects.update_or_create(project=project, defaults=values)
    audit.record(actor=actor, project=project, action="loop policy", detail=values)
    return policy


def judgments_that_count(project: Project) -> int:
    """Live judgments given here. Imported votes do not turn the loop: whoever imports decides to train."""
    return (
        Judgment.objects.filter(item__project=project, live=True)
        .exclude(source=Judgment.Source.IMPORTED)
        .count()
    )


def judgments_until_next(project: Project) -> int:
    """How many more judgments start the next turn; 0 when it is due."""
    last = project.loop_turns.order_by("-pk").first()
    since = judgments_that_count(project) - (last.judgments if last else 0)
    return max(0, policy_of(project).retrain_every - since)


def begin_due_turns() -> list[LoopTurn]:
    """Begin a turn in every running project that has enough new judgments."""
    begun = []
    for project in Project.objects.filter(state=Project.State.RUNNING, kind=Project.Kind.PAIRWISE):
        if not policy_of(project).enabled or project.loop_turns.filter(state__in=OPEN).exists():
            continue
        if judgments_until_next(project) == 0:
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
    with _held(turn_id) as mine:
        turn = LoopTurn.objects.select_related("project", "run").filter(pk=turn_id, state__in=OPEN).first()
        if not mine or turn is None:
            return False
        before = (turn.state, turn.run_id, turn.attempts)
        step = _train if turn.state == LoopTurn.State.TRAINING else _select
        try:
            step(turn)
        except Exception as error:  # whatever it is, the other projects' turns go on
            logger.exception("turn %s of %s", turn.pk, turn.project)
            _failed_once(turn, str(error) or type(error).__name__)
        return before != (turn.state, turn.run_id, turn.attempts)


@contextmanager
def _held(turn_id: int) -> Iterator[bool]:
    """Whether the turn is ours to advance; false while another worker is at it."""
    key = f"turn/{turn_id}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [key])
        (mine,) = cursor.fetchone()
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [key])


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


def _select(turn: LoopTurn) -> None:
    choice = selecting.choose(project=turn.project, n=policy_of(turn.project).batch_size)
    with transaction.atomic():  # the batch and the note that it is there
        turn.batch = selecting.queue(project=turn.project, choice=choice)
        note = turn.note if turn.batch else f"{turn.note} Nothing is left to select."
        _end(turn, LoopTurn.State.DONE, note.strip())


def _failed_once(turn: LoopTurn, why: str) -> None:
    turn.refresh_from_db()
    turn.attempts += 1
    if turn.attempts >= MOST_ATTEMPTS:
        _end(turn, LoopTurn.State.FAILED, why)
    else:
        turn.save()


def _end(turn: LoopTurn, state: str, note: str) -> None:
    turn.state = state
    turn.note = note
    turn.finished_at = timezone.now()
    turn.save()
