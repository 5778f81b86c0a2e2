"""Child processes of a worker: started in a group of their own, on a leash, ended with all they started."""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

TERM_SECONDS = 10.0
KILL_SECONDS = 10.0


class StillHeld(RuntimeError):
    """Another process works in the same folder and cannot be ended from here."""


class Child:
    """`python -m MODULE ARGUMENTS` that dies when this process dies. Its output goes to the end of `log`."""

    def __init__(
        self, module: str, arguments: Sequence[str | Path], *, log: Path, lock: Path | None = None
    ) -> None:
        command = [sys.executable, "-m", "rewardmodel.leash"]
        command += ["--lock", str(lock)] if lock is not None else []
        command += ["-m", module, *map(str, arguments)]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=settings.BASE_DIR,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self, seconds: float) -> int | None:
        """Wait at most so long; the exit code once it has ended (negative: the signal that killed it)."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def wait(self) -> int:
        return self._process.wait()

    def end(self) -> None:
        """Politely first: it saves what it has. Then with everything it started."""
        self._signal(signal.SIGTERM)
        if self.poll(TERM_SECONDS) is None:
            self._signal(signal.SIGKILL)
            self._process.wait(KILL_SECONDS)
        self.close()

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:  # not reaped, so the number is still its own
            os.killpg(self._process.pid, number)


def end_left_over(lock: Path) -> bool:
    """End the process that still holds `lock`. Raises `StillHeld`. True when there was one."""
    deadline = time.monotonic() + KILL_SECONDS
    found = False
    while (holder := _holder(lock)) is not None:
        found = True
        host, _, number = holder.partition(" ")
        if host not in ("", socket.gethostname()) or time.monotonic() > deadline:
            raise StillHeld(
                f"Another process is still training this run ({holder}): end it, then train again."
            )
        if number:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(number), signal.SIGKILL)
        time.sleep(0.1)
    return found


def _holder(lock: Path) -> str | None:
    """What the holder wrote into the lock file; None when nobody holds it."""
    if not lock.exists():
        return None
    descriptor = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, 300, 0).decode()
    else:
        return None
    finally:
        os.close(descriptor)
