"""RUN/progress.json: where the run is. Replaced atomically, so that a reader never sees half of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rewardmodel.training import files

CURVE_POINTS = 200


@dataclass
class Progress:
    """Reports at most every `every` seconds within a phase; a change of phase or its end is always
    written."""

    path: Path
    every: float = 0.25
    curve: list[dict[str, float]] = field(default_factory=list)
    _phase: str = ""
    _written: float = 0.0

    def report(self, phase: str, done: int, total: int, message: str) -> None:
        now = time.monotonic()
        if phase == self._phase and done < total and now - self._written < self.every:
            return
        self._phase, self._written = phase, now
        state: dict[str, Any] = {
            "phase": phase,
            "done": done,
            "total": total,
            "message": message,
            "updated_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "curve": self.curve[-CURVE_POINTS:],
        }
        files.write_json(self.path, state)

    def point(self, step: int, train: float, validation: float) -> None:
        """One point of the learning curve: mean NLL per vote, in nats, over all heads."""
        self.curve.append({"step": step, "train": round(train, 6), "validation": round(validation, 6)})
