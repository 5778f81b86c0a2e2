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

from activelearning.acquisition.arithmetic import NUMPY, Arithmetic, Change, Start
from activelearning.acquisition.pool import Floats, Mask, Positions, Reals
from activelearning.acquisition.prompt_effects import PromptEffects, Saturation


class GreedyDesign:
    """The running state of one batch over N candidate pairs of n responses. Its arrays are copies.

    z: (n, q) features; first, second: (N,) rows of z; information: v (N,) ∈ (0, ¼] of a vote on each;
    covariance: Σ (q, q); target: M (q, q), or None for D-optimality. effects: what the prompts have told
    already, of the same n responses; None where all prompts are alike. arithmetic: who carries out the sums.
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
        arithmetic: Arithmetic = NUMPY,
    ) -> None:
        used, place = np.unique(np.concatenate([first, second]), return_inverse=True)
        self._z = np.ascontiguousarray(z[used], dtype=np.float32)
        narrow = place.astype(np.int32)
        self._first, self._second = narrow[: len(first)], narrow[len(first) :]
        vote = np.asarray(information, dtype=np.float64)
        self._saturation: Saturation | None = None
        if effects is not None:
            plain, self._z = self._z, np.ascontiguousarray(effects.z[used], dtype=np.float32)
            self._saturation = Saturation(
                effects.variance, plain, self._z, effects.prompt[used], self._first, self._second, vote
            )
            vote = self._saturation.information()
        self.covariance = np.array(covariance, dtype=np.float64)
        self._spread: Floats | None = None
        if target is not None:
            self._spread = self.covariance @ np.asarray(target, dtype=np.float64) @ self.covariance
        start = Start(self._z, self._first, self._second, vote, self.covariance, self._spread)
        self._pairs = arithmetic.pair_state(start)

    def __len__(self) -> int:
        return len(self._first)

    @property
    def s2(self) -> Floats:
        """xᵀΣx of every candidate under the batch so far, (N,), logits²."""
        return self._pairs.values()[1]

    def information_gains(self) -> Floats:
        """log(1 + v s²) of every candidate under the batch so far, (N,), nats."""
        v, s2 = self._pairs.values()
        return np.log1p(v * np.maximum(s2, 0.0))

    def information_gain(self, index: int) -> float:
        v, s2 = self._pairs.at(index)
        return float(np.log1p(v * max(s2, 0.0)))

    def gains(self) -> Floats:
        """What is maximised: the fall of tr(ΣM) where there is a target, else the information gain; (N,)."""
        return self._pairs.gains()

    def best(self, allowed: Mask) -> int | None:
        """The allowed candidate with the largest gain, ties to the lower position; None where none is."""
        if not len(self) or not allowed.any():
            return None
        return self._pairs.best(allowed)

    def pick(self, index: int) -> float:
        """Take one vote on candidate `index` into account; returns its information gain in nats."""
        x = (self._z[self._first[index]] - self._z[self._second[index]]).astype(np.float64)
        v, _ = self._pairs.at(index)
        gain = self.observe(x, v)
        if self._saturation is not None:
            told = self._saturation.observe(index, x, v)
            reach = None if self._spread is None else told.quadratic_form(self._spread)
            s2 = told.quadratic_form(self.covariance)
            self._pairs.put(Change(told.pairs, told.information, s2, reach, told.responses, told.z))
        return gain

    def observe(self, x: Reals, v: float) -> float:
        """Take one vote of information v on the difference x (q,) into account, candidate or not."""
        x = np.asarray(x, dtype=np.float64)
        c = self.covariance @ x
        s2 = max(float(c @ x), 0.0)
        k = v / (1.0 + v * s2)
        h, m = None, 0.0
        if self._spread is not None:
            h = self._spread @ x
            m = float(h @ x)
            cross = np.outer(k * c, h - (k * m / 2) * c)  # and its transpose: −k(chᵀ + hcᵀ) + k²m ccᵀ
            self._spread -= cross + cross.T
        self._pairs.learn(k, c, h, m)
        self.covariance -= k * np.outer(c, c)
        return float(np.log1p(v * s2))


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
