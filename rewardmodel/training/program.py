"""How the commands of this package begin and end: threads, SIGTERM, and the words for what went wrong."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from rewardmodel.training import files, stopping
from rewardmodel.training.failure import TrainingError, explain


def carry_out(work: Callable[[stopping.Stop], object], status: Path | None = None) -> int:
    """The exit code of a program: 0; 1 with the reason on standard error and in `status`/failure.json; 143
    after SIGTERM, with what was done saved."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # 50 times faster on a busy machine; before torch
    stop = stopping.Stop()
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
        if status is not None:
            with contextlib.suppress(OSError):  # a full disk must not hide its own reason
                found = {"reason": failure.reason, "kind": failure.kind}
                files.write_json(status / "failure.json", found)
        return 1
    return 0
