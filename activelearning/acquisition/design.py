"""A batch that knows about itself: greedy D- and I-optimal design with exact rank-one updates.

One vote on x = z(a) − z(b) carries the information v = p(1 − p) and turns Σ into
Σ' = Σ − v Σx xᵀΣ/(1 + v s²), s² = xᵀΣx (Sherman-Morrison). Hence the gain

* D-optimal: log(1 + v s²), the fall of log det Σ in nats (submodular: greedy has 1 − 1/e of the best batch);
* I-optimal: v xᵀΣMΣx/(1 + v s²), the fall of tr(ΣM), the mean variance of the target pairs in logits²
  (linear EPIG; for M see `target`).

Both are exact after every pick. With c = Σx, h = ΣMΣx, k = v/(1 + v s²), m = xᵀΣMΣx of the picked pair, any
other pair y changes by

    s²(y)     -= k (c·y)²
    yᵀΣMΣy    += −2k (c·y)(h·y) + k² m (c·y)².

A pair is a difference of two rows of z, so c·y = (z c)[a] − (z c)[b]: a pick costs two products over the
*responses* and a few look-ups per pair, not one product per pair. Every quantity is even in x: swapping a
and b changes nothing. Where every prompt has a part of its own, x is what its prompt leaves of the pair and
v what a vote on that tells, see `prompt_effects`; a pick changes both for the pairs of its prompt.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from activelearning.acquisition.pool import Floats, Mask, Positions, Reals
from activelearning.acquisition.posterior import quadratic_form
from activelearning.acquisition.prompt_effects import PromptEffects, Saturation

Singles = NDArray[np.float32]


class GreedyDesign:
    """The running state of one batch over N candidate pairs of n responses. Its arrays are copies.

    z: (n, q) features; first, second: (N,) rows of z; information: v (N,) ∈ (0, ¼] of a vote on each;
    covariance: Σ (q, q); target: M (q, q), or None for D-optimality. effects: what the prompts have told
    already, of the same n responses; None where all prompts are alike.
    """

    def __init__(
        self,
        z: Reals,
        first: Positions,
        second: Positions,
        information: Floats,
        covariance: Floats,
        target: Floats | None = None,
        *,
        effects: PromptEffects | None = None,
    ) -> None:
        used, place = np.unique(np.concatenate([first, second]), return_inverse=True)
        self._z = np.ascontiguousarray(z[used], dtype=np.float32)
        narrow = place.astype(np.int32)
        self._first, self._second = narrow[: len(first)], narrow[len(first) :]
        self.v = np.array(information, dtype=np.float64)
        self._saturation: Saturation | None = None
        if effects is not None:
            plain, self._z = self._z, np.ascontiguousarray(effects.z[used], dtype=np.float32)
            self._saturation = Saturation(
                effects.variance, plain, self._z, effects.prompt[used], self._first, self._second, self.v
            )
            self.v = self._saturation.information()
        self.covariance = np.array(covariance, dtype=np.float64)
        self.s2 = quadratic_form(self._z, self._first, self._second, self.covariance)
        self.reach: Floats | None = None  # xᵀΣMΣx of every pair
        self._spread = np.zeros((0, 0))
        if target is not None:
            self._spread = self.covariance @ np.asarray(target, dtype=np.float64) @ self.covariance
            self.reach = quadratic_form(self._z, self._first, self._second, self._spread)

    def __len__(self) -> int:
        return len(self.v)

    def information_gains(self) -> Floats:
        """log(1 + v s²) of every candidate under the batch so far, (N,), nats."""
        return np.log1p(self.v * np.maximum(self.s2, 0.0))

    def information_gain(self, index: int) -> float:
        return float(np.log1p(self.v[index] * max(self.s2[index], 0.0)))

    def gains(self) -> Floats:
        """What is maximised: the fall of tr(ΣM) where there is a target, else the information gain; (N,)."""
        if self.reach is None:
            return self.information_gains()
        return self.v * np.maximum(self.reach, 0.0) / (1.0 + self.v * np.maximum(self.s2, 0.0))

    def best(self, allowed: Mask) -> int | None:
        """The allowed candidate with the largest gain, ties to the lower position; None where none is."""
        if not len(self) or not allowed.any():
            return None
        return int(np.argmax(np.where(allowed, self.gains(), -np.inf)))

    def pick(self, index: int) -> float:
        """Take one vote on candidate `index` into account; returns its information gain in nats."""
        x = (self._z[self._first[index]] - self._z[self._second[index]]).astype(np.float64)
        v = float(self.v[index])
        gain = self.observe(x, v)
        if self._saturation is not None:
            told = self._saturation.observe(index, x, v)
            self.v[told.pairs] = told.information
            self.s2[told.pairs] = told.quadratic_form(self.covariance)
            if self.reach is not None:
                self.reach[told.pairs] = told.quadratic_form(self._spread)
        return gain

    def observe(self, x: Reals, v: float) -> float:
        """Take one vote of information v on the difference x (q,) into account, candidate or not."""
        x = np.asarray(x, dtype=np.float64)
        c = self.covariance @ x
        s2 = max(float(c @ x), 0.0)
        k = v / (1.0 + v * s2)
        if self.reach is None:
            (along,) = self._along(c)
        else:
            h = self._spread @ x
            m = float(h @ x)
            along, across = self._along(c, h)
            self.reach += k * along * (k * m * along - 2.0 * across)
            cross = np.outer(c, h)
            self._spread += k * k * m * np.outer(c, c) - k * (cross + cross.T)
        self.s2 -= k * along**2
        self.covariance -= k * np.outer(c, c)
        return float(np.log1p(v * s2))

    def _along(self, *directions: Floats) -> list[Floats]:
        """direction·y of every candidate y, (N,) for each direction; the features are read once for all."""
        each = np.stack(directions).astype(np.float32) @ self._z.T
        return [np.asarray(row[self._first] - row[self._second], dtype=np.float64) for row in each]


def greedy_batch(design: GreedyDesign, n: int) -> tuple[Positions, Floats]:
    """The first n greedy picks and, for each at its turn, the gain that was maximised."""
    allowed = np.ones(len(design), dtype=np.bool_)
    picks: list[int] = []
    gains: list[float] = []
    for _ in range(min(n, len(design))):
        index = design.best(allowed)
        if index is None:
            break
        allowed[index] = False
        picks.append(index)
        gains.append(float(design.gains()[index]))
        design.pick(index)
    return np.array(picks, dtype=np.int64), np.array(gains, dtype=np.float64)
