"""Nothing is lost: runs that nobody works on are sent again. Safe to run at any time, any number of times."""

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from rewardmodel.models import TrainingRun
from rewardmodel.services import leasing, sending

SEND_AGAIN = timedelta(seconds=30)


def reconcile() -> list[int]:
    """Recover runs whose worker is gone, and send queued ones that nobody picked up. Returns the ids sent."""
    for run in TrainingRun.objects.filter(state=TrainingRun.State.RUNNING):
        if run.lease_expires_at is None or run.lease_expires_at < timezone.now():
            _recover(run, f"It stopped answering (last sign of life at {_last_sign(run)} UTC).")
        elif leasing.holder_is_gone(run.holder):
            _recover(run, "Its process is gone.")
    return [
        run.pk
        for run in TrainingRun.objects.filter(_unsent(), state=TrainingRun.State.QUEUED)
        if mark_sent(run.pk) and sending.wake_trainer(run.pk)
    ]


def mark_sent(run_id: int) -> bool:
    """Note that a queued run's message is on its way; False when one was sent a moment ago."""
    return bool(
        TrainingRun.objects.filter(_unsent(), pk=run_id, state=TrainingRun.State.QUEUED).update(
            lease_expires_at=timezone.now() + SEND_AGAIN
        )
    )


def _unsent() -> Q:
    """A queued run's `lease_expires_at` is until when its message may be under way."""
    return Q(lease_expires_at__isnull=True) | Q(lease_expires_at__lt=timezone.now())


def _recover(run: TrainingRun, what: str) -> None:
    """Back to the queue, or to its end; only if the row is still as it was seen."""
    seen = TrainingRun.objects.filter(
        pk=run.pk,
        state=TrainingRun.State.RUNNING,
        holder=run.holder,
        lease_expires_at=run.lease_expires_at,
    )
    if run.cancel_requested:
        seen.update(
            state=TrainingRun.State.CANCELLED,
            finished_at=timezone.now(),
            lease_expires_at=None,
            reason="Cancelled; its worker was already gone.",
        )
    elif run.attempts >= TrainingRun.MAX_ATTEMPTS:
        seen.update(
            state=TrainingRun.State.FAILED,
            finished_at=timezone.now(),
            lease_expires_at=None,
            reason=f"The worker that trained it was lost {run.attempts} times. {what} "
            "Look at the worker's log and the machine's memory, then train again.",
        )
    else:
        seen.update(state=TrainingRun.State.QUEUED, holder="", lease_expires_at=None)


def _last_sign(run: TrainingRun) -> str:
    if run.lease_expires_at is None:
        return "an unknown time"
    return f"{run.lease_expires_at - leasing.LEASE:%Y-%m-%d %H:%M:%S}"
