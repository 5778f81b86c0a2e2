"""Carry out one run: hold its lease, train in a child process, follow it into the row, ask the gate.

Whatever happens here, the row ends well: a child that was killed resumes from its checkpoint; a database
that went away is waited for; a worker that dies takes its child with it and the reconciler sends the run
again; a worker that stops puts the run back into the queue.
"""

import hashlib
import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from annotation.services import snapshotting
from rewardmodel.models import TrainingRun
from rewardmodel.services import gating, leasing, outcomes
from rewardmodel.services.children import Child, StillHeld, end_left_over
from rewardmodel.services.leasing import Lease, Standing
from rewardmodel.services.running import folder_of
from rewardmodel.training import files

logger = logging.getLogger(__name__)

TRAINER = "rewardmodel.training"
BEAT_SECONDS = 1.0
stopping = threading.Event()  # set when this worker is told to stop


class _Cancelled(Exception):
    """A person wants the run to end."""


class _LeaseLost(Exception):
    """The run is somebody else's now."""


class _PutDown(Exception):
    """This worker stops."""


class _Failed(Exception):
    """The run cannot succeed; the message is the reason."""


def execute(run_id: int, *, tell: Callable[[dict[str, Any]], None] = lambda progress: None) -> bool:
    """Train the run to its end if it is queued. False when there was nothing to do.

    tell: called with every new state of progress.
    """
    lease = leasing.patiently(lambda: leasing.claim(run_id))
    if lease is None:
        return False
    try:
        run = leasing.patiently(
            lambda: TrainingRun.objects.select_related("project", "snapshot").get(pk=run_id)
        )
        _Attempt(run, lease, tell).carry_out()
    except _Cancelled:
        leasing.patiently(lambda: leasing.finish(lease, state=TrainingRun.State.CANCELLED))
    except _LeaseLost:
        logger.warning("run %s went to another worker", run_id)
    except (_PutDown, KeyboardInterrupt) as stop:
        leasing.patiently(lambda: leasing.put_down(lease))
        if isinstance(stop, KeyboardInterrupt):
            raise
    except _Failed as failure:
        _fail(lease, str(failure))
    except leasing.DATABASE_GONE:
        logger.exception(
            "the database is gone: run %s goes on when a worker and the database are back", run_id
        )
        raise
    except Exception as error:
        _fail(
            lease, f"Laurel itself failed: {type(error).__name__}: {error}. The trace is in the worker's log."
        )
        raise
    return True


def _fail(lease: Lease, reason: str) -> None:
    leasing.patiently(lambda: leasing.finish(lease, state=TrainingRun.State.FAILED, reason=reason))


class _Attempt:
    """One holder's work on one run."""

    def __init__(self, run: TrainingRun, lease: Lease, tell: Callable[[dict[str, Any]], None]) -> None:
        self.run = run
        self.lease = lease
        self.tell = tell
        self.folder = folder_of(run)
        self._next_beat = 0.0
        self._database_seen = monotonic()
        self._told: dict[str, Any] | None = None

    def carry_out(self) -> None:
        snapshot = _checked_snapshot(self.run)
        self.folder.mkdir(parents=True, exist_ok=True)
        files.write_json(self.folder / "request.json", self.run.config)
        while (outcome := self._train(snapshot)) is not None:
            if not outcome.retry:
                raise _Failed(outcome.reason)
            if not leasing.patiently(lambda: leasing.next_attempt(self.lease)):
                raise _Failed(
                    f"{outcome.reason} That was attempt {TrainingRun.MAX_ATTEMPTS}: no further one is made."
                )
            self._say("resuming", f"{outcome.reason} It goes on from its last checkpoint.")
        metrics = _read_metrics(self.folder)
        self._say("comparing", "Comparing with the ensemble in use")
        verdict = gating.judge(self.run, metrics, follow=self._follow)
        leasing.patiently(lambda: self._succeed(metrics, verdict))

    def _train(self, snapshot: Path) -> outcomes.Outcome | None:
        """One training process, to its end. None: it succeeded."""
        lock = self.folder / "process.lock"
        try:
            end_left_over(lock)
        except StillHeld as error:
            raise _Failed(str(error)) from error
        for name in ("failure.json", "progress.json"):
            (self.folder / name).unlink(missing_ok=True)
        killed = outcomes.memory_kills()
        arguments: list[str | Path] = [snapshot, self.folder, "--config", self.folder / "request.json"]
        arguments += ["--cache", settings.LAUREL_CACHE_DIR]
        child = Child(TRAINER, arguments, log=self.folder / "log.txt", lock=lock)
        try:
            code = self._follow(child)
        finally:
            child.end()
        self._beat()
        if code == 0:
            return None
        return outcomes.explain(code, self.folder, memory_kills=outcomes.memory_kills() - killed)

    def _follow(self, child: Child) -> int:
        """Wait for the child and keep lease and row up to date. Raises when the run must not go on."""
        while (code := child.poll(BEAT_SECONDS / 5)) is None:
            if monotonic() >= self._next_beat:
                self._next_beat = monotonic() + BEAT_SECONDS
                self._beat()
            if stopping.is_set():
                raise _PutDown
        return code

    def _say(self, phase: str, message: str) -> None:
        curve = (self._told or {}).get("curve", [])
        files.write_json(
            self.folder / "progress.json",
            {"phase": phase, "done": 0, "total": 1, "message": message, "curve": curve},
        )
        self._beat()

    def _beat(self) -> None:
        """Renew the lease and show the progress. A database that is away for a while is no reason to stop."""
        progress = _read_progress(self.folder)
        changed = progress is not None and progress != self._told
        try:
            standing = leasing.renew(self.lease, progress if changed else None)
        except leasing.DATABASE_GONE:
            connection.close()
            if monotonic() - self._database_seen > leasing.DATABASE_PATIENCE_SECONDS:
                raise
            return
        self._database_seen = monotonic()
        if standing is Standing.LOST:
            raise _LeaseLost
        if standing is Standing.CANCEL:
            raise _Cancelled
        if changed and progress is not None:
            self._told = progress
            self.tell(progress)

    @transaction.atomic
    def _succeed(self, metrics: dict[str, Any], verdict: gating.Verdict) -> None:
        """The end of the run and what the gate said, together or not at all."""
        if not leasing.finish(self.lease, state=TrainingRun.State.SUCCEEDED, metrics=metrics, reason=""):
            raise _LeaseLost
        gating.apply(self.run, verdict)


def _checked_snapshot(run: TrainingRun) -> Path:
    folder = snapshotting.folder_of(run.snapshot)
    try:
        found = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    except OSError as error:
        raise _Failed(
            f"The snapshot cannot be read from {folder} ({error.strerror}): train again."
        ) from error
    if found != run.snapshot_sha256:
        raise _Failed(f"The snapshot in {folder} was changed since the run was started: train again.")
    return folder


def _read_metrics(folder: Path) -> dict[str, Any]:
    try:
        metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _Failed(
            f"The training process succeeded but left no readable metrics.json ({error})."
        ) from error
    return metrics


def _read_progress(folder: Path) -> dict[str, Any] | None:
    try:
        progress = json.loads((folder / "progress.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return progress if isinstance(progress, dict) else None
