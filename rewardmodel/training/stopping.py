"""SIGTERM: finish the step, save, and leave with 143."""

from __future__ import annotations

import signal
from types import FrameType

EXIT_CODE = 128 + signal.SIGTERM


class StoppedError(Exception):
    """The run was asked to stop; what it had done is saved."""


class Stop:
    """Remembers that SIGTERM came; the run asks at places where it can leave."""

    def __init__(self) -> None:
        self.asked = False

    def listen(self) -> None:
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True

    def check(self) -> None:
        if self.asked:
            raise StoppedError
