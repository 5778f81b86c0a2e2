"""Programs that embed for as long as somebody waits: what is embedded stays in the cache, the rest waits."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from rewardmodel.training import encoder, program, stopping
from rewardmodel.training.config import TrainingConfig

LATE = 3  # the exit code of a program whose time was over


class OutOfTimeError(Exception):
    """The time is over and texts are still to be embedded."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What such a program takes beside its files: cache, encoder, windows, seconds."""
    defaults = TrainingConfig()
    parser.add_argument("--cache", type=Path, help="where embeddings are kept (default: beside OUT)")
    parser.add_argument("--encoder", default=defaults.encoder, help="a folder or a Hugging Face id")
    parser.add_argument("--windows", type=int, default=defaults.windows, help="of a long text, averaged")
    parser.add_argument("--seconds", type=float, help="stop embedding after so long, with exit code 3")


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
