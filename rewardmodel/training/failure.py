"""What can go wrong in a training run, in words for the person who pressed the button."""

from __future__ import annotations

import errno
from dataclasses import dataclass


class TrainingError(Exception):
    """A run cannot go on. `reason` says what happened and what to do; `kind` is the same for a program."""

    kind = "error"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ConfigError(TrainingError):
    kind = "config"


class SnapshotError(TrainingError):
    kind = "snapshot"


class TooFewError(TrainingError):
    kind = "too_few"


class NoPreferenceError(TrainingError):
    kind = "only_ties"


class EncoderError(TrainingError):
    kind = "encoder"


class BackboneError(TrainingError):
    kind = "backbone"


class PreflightError(TrainingError):
    kind = "preflight"


class EnsembleError(TrainingError):
    kind = "ensemble"


class ScoringInputError(TrainingError):
    kind = "scoring_input"


class RewardServerError(TrainingError):
    kind = "reward_server"


class DivergedError(TrainingError):
    kind = "diverged"


@dataclass(frozen=True)
class Failure:
    """What RUN/failure.json holds."""

    reason: str
    kind: str


def explain(error: BaseException) -> Failure:
    """Any exception as a reason in plain words with what to do about it."""
    if isinstance(error, TrainingError):
        return Failure(error.reason, error.kind)
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and any(words in str(error).lower() for words in ("allocate memory", "out of memory"))
    ):
        return Failure(
            "The machine ran out of memory. Free some, or train with fewer heads or fewer folds "
            "(`heads`, `folds` in the configuration), or fine-tune with a smaller `tokens_per_pass`.",
            "out_of_memory",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failure(
            "The disk is full. Free some space and start the run again: it goes on from its last checkpoint.",
            "disk_full",
        )
    if isinstance(error, PermissionError):
        return Failure(
            f"No permission to write {error.filename}. Make the run folder writable and start again.",
            "permission",
        )
    return Failure(
        f"{type(error).__name__}: {error}. This is unexpected; the whole trace is in the log of the run.",
        "unexpected",
    )
