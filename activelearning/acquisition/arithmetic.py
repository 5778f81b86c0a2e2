"""The sums over all candidates that a selection spends its time in, and who carries them out.

Everything else in this package is small. NUMPY does them here; `device` does the same ones on a GPU, to the
same picks but where single precision cannot tell two gains apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from activelearning.acquisition.pool import Floats, Mask, Positions, Reals
from activelearning.acquisition.posterior import Integers, quadratic_form
from activelearning.acquisition.projection import Singles


@dataclass(frozen=True, eq=False)
class Start:
    """Before the first pick. z: (n, q), may be kept; first, second: (N,) rows of it; information: v (N,), is
    copied; covariance: Σ (q, q); spread: ΣMΣ (q, q), None without a target.
    """

    z: Singles
    first: Integers
    second: Integers
    information: Floats
    covariance: Floats
    spread: Floats | None


@dataclass(frozen=True, eq=False)
class Change:
    """Pairs (m,) that now have these v, s² and, with a target, xᵀΣMΣx (m,); responses (k,) and their features
    (k, q) from now on.
    """

    pairs: Positions
    information: Floats
    s2: Floats
    reach: Floats | None
    responses: Positions
    z: Reals


class PairState(Protocol):
    """What a design keeps of each of N pairs x: v, s² = xᵀΣx and, where there is a target, xᵀΣMΣx; (N,)."""

    def values(self) -> tuple[Floats, Floats]:
        """v and s² as they stand; not to be changed."""
        ...

    def at(self, index: int) -> tuple[float, float]:
        """v and s² of one pair."""
        ...

    def gains(self) -> Floats:
        """v xᵀΣMΣx/(1 + v s²), or log(1 + v s²) where there is no target; (N,)."""
        ...

    def best(self, allowed: Mask) -> int:
        """The allowed pair with the largest gain, ties to the lower position. At least one is allowed."""
        ...

    def learn(self, k: float, c: Floats, h: Floats | None, m: float) -> None:
        """A vote was cast: s² −= k (c·x)², xᵀΣMΣx += k (c·x)(k m (c·x) − 2 h·x). c, h: (q,)."""
        ...

    def put(self, change: Change) -> None:
        """Some pairs and responses are others now."""
        ...


class Arithmetic(Protocol):
    """Who carries the sums out."""

    def quadratic_form(self, z: Reals, first: Integers, second: Integers, matrix: Reals) -> Floats:
        """As `posterior.quadratic_form`."""
        ...

    def pair_state(self, start: Start) -> PairState: ...


class _NumpyPairs:
    def __init__(self, start: Start) -> None:
        self._z, self._first, self._second = start.z, start.first, start.second
        self._v = np.array(start.information, dtype=np.float64)
        self._s2 = quadratic_form(start.z, start.first, start.second, start.covariance)
        self._reach: Floats | None = None
        if start.spread is not None:
            self._reach = quadratic_form(start.z, start.first, start.second, start.spread)

    def values(self) -> tuple[Floats, Floats]:
        return self._v, self._s2

    def at(self, index: int) -> tuple[float, float]:
        return float(self._v[index]), float(self._s2[index])

    def gains(self) -> Floats:
        if self._reach is None:
            return np.log1p(self._v * np.maximum(self._s2, 0.0))
        return self._v * np.maximum(self._reach, 0.0) / (1.0 + self._v * np.maximum(self._s2, 0.0))

    def best(self, allowed: Mask) -> int:
        return int(np.argmax(np.where(allowed, self.gains(), -np.inf)))

    def learn(self, k: float, c: Floats, h: Floats | None, m: float) -> None:
        if h is None or self._reach is None:
            (along,) = self._along(c)
        else:
            along, across = self._along(c, h)
            self._reach += k * along * (k * m * along - 2.0 * across)
        self._s2 -= k * along**2

    def put(self, change: Change) -> None:
        self._v[change.pairs], self._s2[change.pairs] = change.information, change.s2
        if self._reach is not None and change.reach is not None:
            self._reach[change.pairs] = change.reach
        self._z[change.responses] = change.z

    def _along(self, *directions: Floats) -> list[Floats]:
        """direction·x of every pair, (N,) for each direction.

        A response's products lie beside each other: so each response is looked up once for all directions.
        """
        each = self._z @ np.stack(directions, axis=1).astype(np.float32)
        found = each.take(self._first, axis=0)
        found -= each.take(self._second, axis=0)
        return [np.array(column, dtype=np.float64) for column in found.T]


class _Numpy:
    """Here, on the processor."""

    def quadratic_form(self, z: Reals, first: Integers, second: Integers, matrix: Reals) -> Floats:
        return quadratic_form(z, first, second, matrix)

    def pair_state(self, start: Start) -> PairState:
        return _NumpyPairs(start)


NUMPY: Arithmetic = _Numpy()
