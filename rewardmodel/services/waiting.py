"""Wait for a run until it is over; carry it out in this process when no training worker lives."""

from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

from rewardmodel.models import TrainingRun
from rewardmodel.selectors import trainer_alive
from rewardmodel.services import following, leasing, reconciling
from rewardmodel.services.running import ACTIVE

LOOK_SECONDS = 0.5
RECONCILE_SECONDS = 15.0


def wait_for(run: TrainingRun, *, tell: Callable[[dict[str, Any]], None]) -> TrainingRun:
    """The run as it ended. `tell` gets every new state of its progress."""
    told, reconcile_at = run.progress, 0.0
    while True:
        leasing.patiently(run.refresh_from_db)
        if run.state not in ACTIVE:
            return run
        if run.progress != told:
            told = run.progress
            tell(told)
        if monotonic() >= reconcile_at:
            reconcile_at = monotonic() + RECONCILE_SECONDS
            leasing.patiently(reconciling.reconcile)
        if run.state == TrainingRun.State.QUEUED and not leasing.patiently(trainer_alive):
            following.execute(run.pk, tell=tell)
        else:
            sleep(LOOK_SECONDS)
