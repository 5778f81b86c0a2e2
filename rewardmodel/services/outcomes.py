"""How a training process ended, in plain words, and whether another attempt makes sense."""

import json
import signal
from dataclasses import dataclass
from pathlib import Path

from rewardmodel import leash

TAIL_BYTES = 8_000
ASKED_TO_STOP = 128 + signal.SIGTERM  # what the trainer exits with after SIGTERM, everything saved


@dataclass(frozen=True)
class Outcome:
    reason: str
    retry: bool  # it was not the run's own fault


def explain(code: int, run: Path, *, memory_kills: int) -> Outcome:
    """Why a training process with exit code `code` (negative: a signal) failed.

    memory_kills: how many processes the kernel ended for want of memory while it ran.
    """
    told = _told(run / "failure.json")
    if code > 0 and told is not None:
        return Outcome(told, retry=False)
    if code == ASKED_TO_STOP:
        return Outcome(
            "The training process was asked to stop (SIGTERM) by somebody outside Laurel.", retry=True
        )
    if code == -signal.SIGKILL and memory_kills > 0:
        return Outcome(
            "The machine ran out of memory and the kernel ended the training process. Free some memory, or "
            "train with fewer heads or folds (`heads`, `folds` in the configuration).",
            retry=False,
        )
    if code < 0:
        name = signal.Signals(-code).name
        return Outcome(f"The training process was killed from outside ({name}).", retry=True)
    if code == leash.BUSY:
        return Outcome("Another process is still training this run.", retry=True)
    words = tail(run, 600) or "It said nothing."
    return Outcome(f"The training process ended with exit code {code}. Its last words: {words}", retry=False)


def tail(run: Path, size: int = TAIL_BYTES) -> str:
    """The end of the run's log, from the beginning of a line."""
    try:
        with (run / "log.txt").open("rb") as file:
            file.seek(0, 2)
            start = max(0, file.tell() - size)
            file.seek(start)
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return (text.partition("\n")[2] or text if start else text).strip()


def memory_kills() -> int:
    """Processes the kernel ended for want of memory since the machine started; 0 where it does not say."""
    try:
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def _told(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
