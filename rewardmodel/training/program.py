"""How the commands of this package begin and end: threads, SIGTERM, and the words for what went wrong."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from rewardmodel.training import files, stopping
from rewardmodel.training.failure import TrainingError, explain

TICK = (
    0.05  # seconds: files are stamped by a clock that lags behind time.time() by up to a tick of the kernel
)


def carry_out(work: Callable[[stopping.Stop], object], status: Path | None = None) -> int:
    """The exit code of a program: 0; 1 with the reason on standard error and in `status`/failure.json; 143
    after SIGTERM, with what was done saved. Of several processes the first to fail gives the reason: the
    others fail because it is gone."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # 50 times faster on a busy machine; before torch
    stop, began = stopping.Stop(), time.time()
    stop.listen()
    try:
        work(stop)
    except stopping.StoppedError:
        return stopping.EXIT_CODE
    except Exception as error:
        if not isinstance(error, TrainingError):
            traceback.print_exc()
        failure = explain(error)
        sys.stderr.write(failure.reason + "\n")
        if status is not None and not _told_since(status / "failure.json", began):
            with contextlib.suppress(OSError):  # a full disk must not hide its own reason
                found = {"reason": failure.reason, "kind": failure.kind}
                files.write_json(status / "failure.json", found)
        return 1
    return 0


def _told_since(path: Path, began: float) -> bool:
    try:
        return path.stat().st_mtime >= began - TICK
    except OSError:
        return False
