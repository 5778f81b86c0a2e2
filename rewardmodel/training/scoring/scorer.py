"""An ensemble that is loaded once and scores many times.

Served rewards are on the calibrated scale: raw rewards divided by the ensemble's temperature T, so that of
two responses to one prompt σ(reward_A - reward_B) is the probability that A is preferred, given no tie. A
coefficient tuned against one ensemble keeps its meaning with the next. With r_k the reward under head k:

    mean = Σ_k r_k / K     std = √(Σ_k (r_k - mean)² / K)     conservative = mean - λ · std
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from rewardmodel.training.failure import EnsembleError
from rewardmodel.training.scoring.conversation import Exchange

CHUNK = 4_096  # exchanges whose features are in memory at once
KEPT = 100_000  # embeddings in memory: 150 MB at width 384
LAMBDA = 1.0  # of mean - λ·std, where nobody asks for another


@dataclass(frozen=True)
class Identity:
    """Which ensemble gave a score; it goes with every answer."""

    sha256: str  # of ensemble.json, which holds the hashes of the other files
    format: str
    size: int  # K
    temperature: float
    tau: float
    criterion: str
    project: str | None = None
    run: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class RawScores:
    """What the members of an ensemble say of n exchanges, before temperature."""

    rewards: np.ndarray  # (n, K) float32, of the overall criterion
    criteria: Mapping[str, np.ndarray]  # each (n, K)
    distance: np.ndarray | None = None  # (n,) from the training responses, about 1 for a usual one
    flagged: np.ndarray | None = None  # (n,) bool: out of distribution


class Members(Protocol):
    """The members of an ensemble on their machine; called from one thread at a time."""

    def __call__(self, exchanges: Sequence[Exchange]) -> RawScores: ...

    def forget(self) -> None:
        """Drop what was remembered of earlier exchanges."""


@dataclass(frozen=True)
class Scored:
    """n exchanges on the calibrated scale, in the order asked for."""

    ensemble: Identity
    rewards: np.ndarray  # (n, K) float32
    criteria: Mapping[str, np.ndarray]  # means over the heads, each (n,)
    distance: np.ndarray | None
    flagged: np.ndarray | None

    @property
    def mean(self) -> np.ndarray:
        return np.asarray(self.rewards.mean(axis=1, dtype=np.float64))

    @property
    def std(self) -> np.ndarray:
        return np.asarray(self.rewards.std(axis=1, dtype=np.float64))

    def conservative(self, penalty: float = LAMBDA) -> np.ndarray:
        """(n,) mean - λ·std with λ = penalty."""
        return self.mean - penalty * self.std

    def part(self, begin: int, end: int) -> Scored:
        cut = slice(begin, end)
        return Scored(
            self.ensemble,
            self.rewards[cut],
            {name: values[cut] for name, values in self.criteria.items()},
            None if self.distance is None else self.distance[cut],
            None if self.flagged is None else self.flagged[cut],
        )


class Scorer:
    """Members in memory with the identity of their bundle. Several threads may call it; they take turns."""

    def __init__(self, identity: Identity, members: Members) -> None:
        self.identity, self._members = identity, members
        self._turn = threading.Lock()

    def score(self, exchanges: Sequence[Exchange]) -> Scored:
        with self._turn:
            parts = [self._members(exchanges[i : i + CHUNK]) for i in range(0, len(exchanges), CHUNK)]
        scale = np.float32(self.identity.temperature)
        return Scored(
            self.identity,
            _joined([part.rewards for part in parts]) / scale,
            {name: _joined([part.criteria[name] for part in parts]).mean(axis=1, dtype=np.float64) / scale
             for name in (parts[0].criteria if parts else ())},
            _joined_if_known([part.distance for part in parts]),
            _joined_if_known([part.flagged for part in parts]),
        )  # fmt: skip

    def forget(self) -> None:
        """Let the next scores depend, to the last bit, on nothing that was scored before."""
        with self._turn:
            self._members.forget()


def load(
    folder: Path,
    *,
    cache: Path | None = None,
    device: str = "cpu",
    project: str | None = None,
    run: int | None = None,
    keep: int = KEPT,
) -> Scorer:
    """The scorer of an ensemble folder, by the format its ensemble.json names.

    cache: embeddings on disk, read only; keep: embeddings in memory.
    Raises EnsembleError naming what is wrong.
    """
    try:
        content = (folder / "ensemble.json").read_bytes()
        description = json.loads(content)
        kind = description["format"]
        identity = Identity(
            hashlib.sha256(content).hexdigest(),
            kind,
            int(description["heads"] if "heads" in description else description["size"]),
            float(description["temperature"]),
            float(description["tau"]),
            str(description["criterion"]),
            project,
            run,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EnsembleError(
            f"{folder} does not hold a readable ensemble ({type(error).__name__}: {error})."
        ) from None
    if kind not in FORMATS:
        raise EnsembleError(
            f"{folder} has the format {kind!r}; this version reads {', '.join(sorted(FORMATS))}."
        )
    return Scorer(identity, FORMATS[kind](folder, cache, device, keep))


def _frozen(folder: Path, cache: Path | None, device: str, keep: int) -> Members:
    from rewardmodel.training.scoring.frozen import FrozenMembers  # with torch, which takes seconds

    return FrozenMembers(folder, cache, device, keep)


def _finetuned(folder: Path, cache: Path | None, device: str, keep: int) -> Members:
    from rewardmodel.training.finetune.serving import FinetunedMembers  # with torch likewise

    return FinetunedMembers(folder, device)


FORMATS: dict[str, Callable[[Path, Path | None, str, int], Members]] = {
    "laurel-ensemble/1": _frozen,
    "laurel-ensemble/2": _frozen,
    "laurel-ensemble-finetuned/1": _finetuned,
}


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros((0, 1), dtype=np.float32)


def _joined_if_known(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known and len(known) == len(parts) else None
