"""Finding what a supervisor started, by a mark in the environment that every descendant inherits.

Process groups do not suffice: a training subprocess has its own, and a killed supervisor took its list
along.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil

DATA = "LAUREL_SUPERVISED"
MEMBER = "LAUREL_MEMBER"


def leftovers(data: Path, member: str | None = None) -> Iterator[psutil.Process]:
    """Every living process that a supervisor of this data folder started (as ``member``), directly or not."""
    for process in psutil.process_iter():
        try:
            marks = process.environ()
            if process.pid == os.getpid() or marks.get(DATA) != str(data):
                continue
            if member is None or marks.get(MEMBER) == member:
                yield process
        except (psutil.Error, OSError):
            continue


def end_leftovers(data: Path, member: str | None = None) -> int:
    """End them, politely first. Returns how many there were."""
    found = list(leftovers(data, member))
    for process in found:
        _tell(process, signal.SIGTERM)
    _, stubborn = psutil.wait_procs(found, timeout=3)
    for process in stubborn:
        _tell(process, signal.SIGKILL)
    psutil.wait_procs(stubborn, timeout=3)
    return len(found)


def _tell(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
