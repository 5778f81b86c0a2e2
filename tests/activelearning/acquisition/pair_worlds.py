"""Plain-function factories: responses, pairs of them, and the same pairs the other way round or shuffled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Pairs(NamedTuple):
    z: np.ndarray
    first: np.ndarray
    second: np.ndarray

    @property
    def x(self) -> np.ndarray:
        return self.z[self.first] - self.z[self.second]

    def swapped(self, which: np.ndarray) -> Pairs:
        return Pairs(
            self.z, np.where(which, self.second, self.first), np.where(which, self.first, self.second)
        )


def pairs(n: int = 80, *, responses: int = 60, q: int = 5, seed: int = 0) -> Pairs:
    """n different pairs, either way round; what responses share is large, as in embeddings."""
    rng = np.random.default_rng(seed)
    z = 5.0 + rng.standard_normal((responses, q))
    every = np.column_stack(np.triu_indices(responses, 1))
    chosen = rng.permuted(rng.choice(every, n, replace=False), axis=1)
    return Pairs(z, chosen[:, 0], chosen[:, 1])


def far(x: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Distances (N, m) between pairs x (N, q) and c (m, q), each its own swap."""
    minus = np.linalg.norm(x[:, None] - c[None], axis=2)
    return np.minimum(minus, np.linalg.norm(x[:, None] + c[None], axis=2))


def take(picker, open_: np.ndarray, n: int) -> list[int]:
    """The first n choices of a picker that works alone."""
    open_ = open_.copy()
    picks = []
    for _ in range(n):
        index = picker.next(open_)
        assert open_[index]
        open_[index] = False
        picker.observe(index)
        picks.append(index)
    return picks
