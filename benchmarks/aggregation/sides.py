"""Laurel and crowd-kit on the same votes, each in its own environment and in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from annotation.aggregation.votes import Votes

ROOT = Path(__file__).resolve().parents[2]
LAUREL, CROWD_KIT = "laurel", "crowd-kit"


@dataclass(frozen=True, eq=False)
class Fitted:
    """chances: (pairs, 3). What `fitting` tells of the process."""

    chances: np.ndarray
    steps: int
    seconds: float
    cpu_seconds: float
    before_mb: float
    peak_mb: float


@dataclass(frozen=True)
class Staged:
    """Votes in a file, and the Python of each side."""

    folder: Path
    pythons: dict[str, str]

    def fit(self, side: str, method: str) -> Fitted:
        """On one thread."""
        module = f"benchmarks.aggregation.fit_{side.replace('-', '_')}"
        chances = self.folder / "chances.npy"
        command = [self.pythons[side], "-m", module, method, str(self.folder / "votes.npz"), str(chances)]
        alone = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=alone, cwd=ROOT)
        fitted = Fitted(np.load(chances), **json.loads(done.stdout))
        print(f"{side} {method}: {fitted.steps} steps, {fitted.seconds:.2f} s, {fitted.peak_mb:.0f} MB")
        return fitted


@contextmanager
def staged(
    votes: Votes, crowd_kit: str, *, people: Sequence[str] = (), labels: Sequence[str] = ()
) -> Iterator[Staged]:
    """people, labels: what crowd-kit is to read in place of the numbers of annotators and outcomes."""
    arrays = ("pair", "annotator", "outcome", "swapped", "pairs", "annotators")
    names = {
        "people": np.array(people or range(votes.annotators)),
        "labels": np.array(labels or range(votes.outcomes)),
    }
    with tempfile.TemporaryDirectory(prefix="laurel-votes-") as folder:
        np.savez(Path(folder) / "votes.npz", **names, **{name: getattr(votes, name) for name in arrays})
        yield Staged(Path(folder), {LAUREL: sys.executable, CROWD_KIT: crowd_kit})
