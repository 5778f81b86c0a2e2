"""Who trains a run until when. Every change of a run's state is one conditional UPDATE on its row.

    queued --claim--> running --finish--> succeeded | failed | cancelled
       ^                 |
       +--- put down ----+     the worker stops, or (see `reconciling`) is lost

A holder is named anew at each claim, so whoever lost the run cannot write to its row any more.
"""

import enum
import os
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic, sleep
from typing import Any, TypeVar

import psutil
from django.db import InterfaceError, OperationalError, connection
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from rewardmodel.models import TrainingRun

LEASE = timedelta(seconds=60)
DATABASE_GONE = (OperationalError, InterfaceError)
DATABASE_PATIENCE_SECONDS = 600.0

T = TypeVar("T")


@dataclass(frozen=True)
class Lease:
    run_id: int
    holder: str


class Standing(enum.Enum):
    HELD = "held"
    CANCEL = "cancel"  # still ours, and a person wants it to end
    LOST = "lost"


def claim(run_id: int) -> Lease | None:
    """Take a queued run. None when somebody else has it, it is over, or it was tried too often."""
    holder = f"{_here()} {os.getpid()} {psutil.Process().create_time():.2f} {uuid.uuid4().hex[:8]}"
    now = timezone.now()
    claimed = TrainingRun.objects.filter(
        pk=run_id, state=TrainingRun.State.QUEUED, attempts__lt=TrainingRun.MAX_ATTEMPTS
    ).update(
        state=TrainingRun.State.RUNNING,
        holder=holder,
        lease_expires_at=now + LEASE,
        attempts=F("attempts") + 1,
        started_at=Coalesce("started_at", now),
    )
    return Lease(run_id, holder) if claimed else None


def renew(lease: Lease, progress: dict[str, Any] | None = None) -> Standing:
    """Hold the run for another while and show how far it is."""
    changes: dict[str, Any] = {"lease_expires_at": timezone.now() + LEASE}
    if progress is not None:
        changes["progress"] = progress
    if not _held(lease).update(**changes):
        return Standing.LOST
    wanted = TrainingRun.objects.filter(pk=lease.run_id, cancel_requested=True).exists()
    return Standing.CANCEL if wanted else Standing.HELD


def next_attempt(lease: Lease) -> bool:
    """Count another attempt under the same lease. False when it was the last one, or the run is lost."""
    return bool(
        _held(lease)
        .filter(attempts__lt=TrainingRun.MAX_ATTEMPTS)
        .update(attempts=F("attempts") + 1, lease_expires_at=timezone.now() + LEASE)
    )


def put_down(lease: Lease) -> bool:
    """Give the run back to the queue; an attempt that was stopped on purpose does not count. A run that a
    person wants to end is not given back: nobody might come to end it."""
    given_back = (
        _held(lease)
        .filter(cancel_requested=False)
        .update(state=TrainingRun.State.QUEUED, attempts=F("attempts") - 1, holder="", lease_expires_at=None)
    )
    return bool(given_back) or finish(lease, state=TrainingRun.State.CANCELLED)


def finish(lease: Lease, *, state: str, **fields: Any) -> bool:
    """End the run. False when it is no longer ours."""
    return bool(_held(lease).update(state=state, lease_expires_at=None, finished_at=timezone.now(), **fields))


def holder_is_gone(holder: str) -> bool:
    """Whether the process that held a run is known to be dead: only of one on this machine."""
    try:
        here, number, created, _ = holder.split(" ")
        if here != _here():
            return False
        return bool(abs(psutil.Process(int(number)).create_time() - float(created)) > 0.1)
    except psutil.NoSuchProcess:
        return True
    except (ValueError, psutil.Error):
        return False


def patiently(act: Callable[[], T]) -> T:
    """`act()`, again and again while the database is away; at last its own error. For idempotent acts."""
    deadline = monotonic() + DATABASE_PATIENCE_SECONDS
    while True:
        try:
            return act()
        except DATABASE_GONE:
            connection.close()
            if monotonic() > deadline:
                raise
            sleep(0.5)


def _held(lease: Lease) -> QuerySet[TrainingRun]:
    return TrainingRun.objects.filter(pk=lease.run_id, state=TrainingRun.State.RUNNING, holder=lease.holder)


def _here() -> str:
    """This machine, and its process numbers: two containers may share a host name."""
    try:
        space = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        space = "0"
    return f"{socket.gethostname()[:100]}/{space}".replace(" ", "_")
