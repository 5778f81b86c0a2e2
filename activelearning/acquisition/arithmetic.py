"""The sums over all candidates that a selection spends its time in, and who carries them out.

Everything else in this package is small. NUMPY does them here; `device` does the same ones on a GPU, to the
same picks but where single precision cannot tell two gains apart.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from activelearning.acquisition.pool import Floats, Mask, Positions, Reals
from activelearning.acquisition.posterior import Integers, quadratic_form
from activelearning.acquisition.projection import Singles


class PairState(Protocol):
    """What a design keeps of each of N pairs x: v, s² = xᵀΣx and, where there is a target, xᵀΣMΣx; (N,)."""

    def values(self) -> tuple[Floats, Floats, Floats | None]:
        """v, s², xᵀΣMΣx as they stand; not to be changed."""
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

    def put(
        self,
        pairs: Positions,
        information: Floats,
        s2: Floats,
        reach: Floats | None,
        responses: Positions,
        z: Reals,
    ) -> None:
        """Set v, s², xᵀΣMΣx of these pairs (m,), and the features (k, q) of these responses (k,)."""
        ...


class Arithmetic(Protocol):
    """Who carries the sums out."""

    def quadratic_form(self, z: Reals, first: Integers, second: Integers, matrix: Reals) -> Floats:
        """As `posterior.quadratic_form`."""
        ...

    def pair_state(
        self,
        z: Singles,
        first: Integers,
        second: Integers,
        information: Floats,
        covariance: Floats,
        spread: Floats | None,
    ) -> PairState:
        """z: (n, q), may be kept; first, second: (N,) rows of it; information: v (N,), is copied;
        covariance: Σ; spread: ΣMΣ, None without a target.
        """
        ...


class _NumpyPairs:
    def __init__(
        self,
        z: Singles,
        first: Integers,
        second: Integers,
        information: Floats,
        covariance: Floats,
        spread: Floats | None,
    ) -> None:
        self._z, self._first, self._second = z, first, second
        self._v = np.array(information, dtype=np.float64)
        self._s2 = quadratic_form(z, first, second, covariance)
        self._reach = None if spread is None else quadratic_form(z, first, second, spread)

    def values(self) -> tuple[Floats, Floats, Floats | None]:
        return self._v, self._s2, self._reach

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

    def put(
        self,
        pairs: Positions,
        information: Floats,
        s2: Floats,
        reach: Floats | None,
        responses: Positions,
        z: Reals,
    ) -> None:
        self._v[pairs], self._s2[pairs] = information, s2
        if self._reach is not None and reach is not None:
            self._reach[pairs] = reach
        self._z[responses] = z

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

    def pair_state(
        self,
        z: Singles,
        first: Integers,
        second: Integers,
        information: Floats,
        covariance: Floats,
        spread: Floats | None,
    ) -> PairState:
        return _NumpyPairs(z, first, second, information, covariance, spread)


NUMPY: Arithmetic = _Numpy()
