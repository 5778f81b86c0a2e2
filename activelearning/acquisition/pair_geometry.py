"""Distances between pairs that do not depend on which response is called a.

A pair is x = w (z(a) − z(b)), and its swap is −x: the same pair. Hence the distance

    d(x, c)² = min(‖x − c‖², ‖x + c‖²) = ‖x‖² + ‖c‖² − 2|x·c|,

which is the distance between the sets {x, −x} and {c, −c} and therefore a metric on pairs. x·c is
w ((z c)[a] − (z c)[b]): one product per *response* and a look-up per pair.
"""

from __future__ import annotations

import numpy as np

from activelearning.acquisition.pool import Floats, Positions, Reals

BLOCK_PAIRS = 2_048
BLOCK_CENTRES = 256
ROUNDING = 1e-13  # of the largest squared length of a response: below it two pairs are the same


class PairGeometry:
    """N candidate pairs of n responses, z (n, q) with first, second (N,) rows of it. Its arrays are copies.

    weight: w (N,), by default 1. lengths2: ‖x‖² (N,). Everything here is in the units of z (squared for
    lengths2 and distances).
    """

    def __init__(self, z: Reals, first: Positions, second: Positions, weight: Floats | None = None) -> None:
        used, place = np.unique(np.concatenate([first, second]), return_inverse=True)
        self._z = np.asarray(z[used], dtype=np.float64)
        # A shift of all responses changes no difference, but keeps x·c from cancelling large numbers.
        self._z = self._z - self._z.mean(axis=0) if len(used) else self._z
        self._first, self._second = place[: len(first)], place[len(first) :]
        self._weight = np.ones(len(first)) if weight is None else np.array(weight, dtype=np.float64)
        self.lengths2 = np.empty(len(first))
        for begin in range(0, len(first), BLOCK_PAIRS):
            rows = slice(begin, begin + BLOCK_PAIRS)
            x = self.differences(rows)
            self.lengths2[rows] = np.einsum("ij,ij->i", x, x)
        scale = np.einsum("ij,ij->i", self._z, self._z).max(initial=0.0)
        self._nothing = ROUNDING * float(scale) * float((self._weight**2).max(initial=0.0))

    def __len__(self) -> int:
        return len(self.lengths2)

    def difference(self, index: int) -> Floats:
        """x of one candidate, (q,)."""
        step = self._z[self._first[index]] - self._z[self._second[index]]
        return np.asarray(self._weight[index] * step)

    def along(self, direction: Reals) -> Floats:
        """x·direction of every candidate, (N,); direction (q,)."""
        each = self._z @ np.asarray(direction, dtype=np.float64)
        return np.asarray(self._weight * (each[self._first] - each[self._second]))

    def squared_distances(self, centre: Reals) -> Floats:
        """d(x, centre)² of every candidate, (N,)."""
        centre = np.asarray(centre, dtype=np.float64)
        return self._clean(self.lengths2 + float(centre @ centre) - 2.0 * np.abs(self.along(centre)))

    def nearest(self, centres: Reals) -> Floats:
        """Squared distance of every candidate to the nearest of the centres (m, q), (N,); ∞ for m = 0."""
        centres = np.asarray(centres, dtype=np.float64)
        found = np.full(len(self), np.inf)
        for begin in range(0, len(self), BLOCK_PAIRS):
            rows = slice(begin, begin + BLOCK_PAIRS)
            x = self.differences(rows)
            for start in range(0, len(centres), BLOCK_CENTRES):
                some = centres[start : start + BLOCK_CENTRES]
                reach = x @ some.T
                np.abs(reach, out=reach)
                reach *= -2.0
                reach += np.einsum("ij,ij->i", some, some)
                found[rows] = np.minimum(found[rows], self.lengths2[rows] + reach.min(axis=1))
        return self._clean(found)

    def differences(self, rows: slice) -> Floats:
        """x of some candidates, (b, q)."""
        x = self._z[self._first[rows]] - self._z[self._second[rows]]
        return np.asarray(x * self._weight[rows, None])

    def _clean(self, squared: Floats) -> Floats:
        return np.where(squared <= self._nothing, 0.0, squared)
