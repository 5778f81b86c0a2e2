"""Programs that embed for as long as somebody waits: what is embedded stays in the cache, the rest waits."""

from __future__ import annotations

import time
from collections.abc import Callable

from rewardmodel.training import encoder, program, stopping

LATE = 3  # the exit code of a program whose time was over


class OutOfTimeError(Exception):
    """The time is over and texts are still to be embedded."""


def carry_out(work: Callable[[encoder.Report], object], seconds: float | None) -> int:
    """As `program.carry_out`, but LATE when `work`, which reports each batch, has embedded for too long.

    seconds: from now on; only embedding is cut short, whatever comes after it is not. None: no limit.
    """
    late, begun = False, time.monotonic()

    def limited(stop: stopping.Stop) -> None:
        nonlocal late

        def report(done: int, total: int) -> None:
            stop.check()
            if seconds is not None and done < total and time.monotonic() - begun > seconds:
                raise OutOfTimeError

        try:
            work(report)
        except OutOfTimeError:
            late = True

    code = program.carry_out(limited)
    return LATE if late else code
