"""Pairs that ask what was asked before.

Two pairs whose differences point the same way and are as long, |x·c| ≥ ρ‖x‖‖c‖ and ‖x‖/‖c‖ between 1/1.1
and 1.1, are one question to a reward linear in z. The absolute value makes a pair and its swap one.
"""

from __future__ import annotations

import numpy as np

from activelearning.acquisition.pair_geometry import BLOCK_PAIRS, PairGeometry
from activelearning.acquisition.pool import Floats, Mask, Positions, Reals

SIMILARITY = 0.98
LENGTH_RATIO = 1.1
ROUNDING = 1e-9  # a copy has a cosine of 1 up to rounding


class NearDuplicates:
    """What was picked or labelled, and which of N candidates say nearly the same. Its arrays are copies.

    z: (n, q) features; first, second: (N,) and known_first, known_second: (m,) labelled pairs, rows of z.
    """

    def __init__(
        self,
        z: Reals,
        first: Positions,
        second: Positions,
        similarity: float = SIMILARITY,
        known_first: Positions | None = None,
        known_second: Positions | None = None,
    ) -> None:
        self._pairs = PairGeometry(z, first, second)
        self._lengths = np.sqrt(self._pairs.lengths2)
        self._similarity = similarity * (1 - ROUNDING)
        self._store = np.zeros((0, z.shape[1]))
        if known_first is not None and known_second is not None:
            self._store = np.asarray(z[known_first], dtype=np.float64) - z[known_second]
        self._count = len(self._store)
        self._mask = np.zeros(len(first), dtype=np.bool_)
        self._compared = 0

    @property
    def _kept(self) -> Floats:
        return self._store[: self._count]

    def is_duplicate(self, index: int) -> bool:
        """Whether candidate `index` nearly repeats something kept; a picked one repeats itself. O(mq)."""
        x = self._pairs.difference(index)[None]
        return bool(self._alike(x, self._lengths[index : index + 1], self._kept)[0])

    def mask(self) -> Mask:
        """is_duplicate of every candidate, (N,). Only what was kept since the last call is compared."""
        fresh = self._kept[self._compared :]
        for begin in range(0, len(self._mask) if len(fresh) else 0, BLOCK_PAIRS):
            rows = slice(begin, begin + BLOCK_PAIRS)
            self._mask[rows] |= self._alike(self._pairs.differences(rows), self._lengths[rows], fresh)
        self._compared = len(self._kept)
        return self._mask.copy()

    def keep(self, index: int) -> None:
        """Candidate `index` was picked."""
        if self._count == len(self._store):  # doubled, so that keeping m costs O(m), not O(m²)
            self._store = np.vstack([self._store, np.empty((max(64, self._count), self._store.shape[1]))])
        self._store[self._count] = self._pairs.difference(index)
        self._count += 1

    def _alike(self, x: Floats, lengths: Floats, kept: Floats) -> Mask:
        """Whether each x (b, q) of the given lengths (b,) is like any row of kept (m, q), (b,)."""
        others = np.sqrt(np.einsum("ij,ij->i", kept, kept))
        similar = np.abs(x @ kept.T) >= self._similarity * np.outer(lengths, others)
        longer = lengths[:, None] <= LENGTH_RATIO * (1 + ROUNDING) * others
        shorter = others <= LENGTH_RATIO * (1 + ROUNDING) * lengths[:, None]
        return np.asarray((similar & longer & shorter).any(axis=1))
