"""Pairs which teach the model something that neither the labels nor the rest of the batch will.

For x = φ(a) − φ(b), p = σ(μ), v = p(1 − p), the posterior covariance of a linear reward is Σ = (λI +
Σ_labelled v x xᵀ)⁻¹ and a further vote on x shrinks its log-determinant by log(1 + v s²), s² = xᵀΣx
(D-optimality, nats). After each pick Σ ← Σ − v Σx xᵀΣ/(1 + v s²) (Sherman-Morrison), so the batch knows
about itself. Every quantity is even in x: swapping a and b changes nothing.

Features are rotated to at most 64 principal directions of the *differences* (not of the texts: what two
responses share cancels) and scaled so that the candidates have E‖x‖² = 1; λ = 1 then says that a reward
difference has a prior variance of about 1 logit². The gain is submodular, so the greedy batch has at least
1 − 1/e of the best batch's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activelearning.acquisition.pool import Floats, Mask, Positions, Reals

Singles = NDArray[np.float32]

MAX_DIMENSIONS = 64
FIT_PAIRS = 20_000


@dataclass(frozen=True, eq=False)
class Projection:
    """Linear map (d, q) from features to the scaled principal directions of pair differences."""

    matrix: Singles

    def apply(self, features: Reals) -> Singles:
        return np.asarray(features, dtype=np.float32) @ self.matrix


def fit_projection(
    features: Reals,
    first: Positions,
    second: Positions,
    rng: np.random.Generator,
    max_dimensions: int = MAX_DIMENSIONS,
) -> Projection:
    """Uncentred PCA of x, on at most 20,000 pairs drawn at random; a rotation is skipped when d is small."""
    rows = np.arange(len(first))
    if len(rows) > FIT_PAIRS:
        rows = np.sort(rng.choice(len(first), FIT_PAIRS, replace=False))
    x = features[first[rows]].astype(np.float64) - features[second[rows]]
    moment = x.T @ x / max(1, len(x))
    d = features.shape[1]
    directions = np.eye(d)
    if d > max_dimensions:
        directions = np.linalg.eigh(moment)[1][:, : -max_dimensions - 1 : -1]
    kept = float(np.einsum("ij,jk,ki->", directions.T, moment, directions))
    scale = 1.0 / np.sqrt(kept) if kept > 0 else 1.0
    return Projection((directions * scale).astype(np.float32))


def posterior_covariance(x: Reals, v: Floats, prior_precision: float = 1.0) -> Floats:
    """Σ = (λI + Σ v x xᵀ)⁻¹ from the labelled differences x (m, q), v (m,). Shape (q, q)."""
    x = np.asarray(x, dtype=np.float64)
    precision = (x.T * v) @ x + prior_precision * np.eye(x.shape[1])
    return np.asarray(np.linalg.inv(precision), dtype=np.float64)


class GreedyDesign:
    """The running state of one greedy batch: Σ (q, q) and s² (N,) of every candidate under it.

    `observe` costs O(Nq): 50,000 candidates at q = 64 take a few milliseconds. Its own arrays are copies.
    """

    def __init__(self, x: Reals, v: Floats, covariance: Floats) -> None:
        self._x = np.array(x, dtype=np.float32)
        self.v = np.array(v, dtype=np.float64)
        self.covariance = np.array(covariance, dtype=np.float64)
        self.s2 = np.empty(len(self._x))
        for begin in range(0, len(self._x), 1 << 16):
            rows = self._x[begin : begin + (1 << 16)].astype(np.float64)
            self.s2[begin : begin + len(rows)] = np.einsum("ij,ij->i", rows @ self.covariance, rows)

    def gains(self) -> Floats:
        """log(1 + v s²) of every candidate, (N,), nats."""
        return np.log1p(self.v * np.maximum(self.s2, 0.0))

    def gain(self, index: int) -> float:
        return float(np.log1p(self.v[index] * max(self.s2[index], 0.0)))

    def best(self, allowed: Mask) -> int | None:
        """The allowed candidate with the largest gain; None when none is allowed."""
        score = np.where(allowed, self.v * self.s2, -np.inf)
        index = int(np.argmax(score)) if len(score) else 0
        return index if len(score) and allowed[index] else None

    def observe(self, x: Reals, v: float) -> float:
        """Take one vote on difference x (q,) into account; returns the gain it had."""
        column = self.covariance @ np.asarray(x, dtype=np.float64)
        s2 = max(float(column @ x), 0.0)
        shrink = v / (1.0 + v * s2)
        shared = (self._x @ column.astype(np.float32)).astype(np.float64)
        self.s2 -= shrink * shared**2
        self.covariance -= shrink * np.outer(column, column)
        return float(np.log1p(v * s2))

    def pick(self, index: int) -> float:
        """Observe candidate `index`; returns the gain it had."""
        return self.observe(self._x[index], float(self.v[index]))


def greedy_d_optimal(x: Reals, v: Floats, n: int, covariance: Floats) -> tuple[Positions, Floats]:
    """The first n greedy picks and the gain of each at its turn; ties go to the lower position."""
    design = GreedyDesign(x, v, covariance)
    allowed = np.ones(len(design.v), dtype=np.bool_)
    picks, gains = [], []
    for _ in range(min(n, len(design.v))):
        index = design.best(allowed)
        if index is None:
            break
        allowed[index] = False
        picks.append(index)
        gains.append(design.pick(index))
    return np.array(picks, dtype=np.int64), np.array(gains, dtype=np.float64)


def thin(
    score: Floats | None, size: int, keep: int, rng: np.random.Generator, top_share: float = 0.6
) -> Positions:
    """Positions (sorted) of at most `keep` of `size` candidates: the best `top_share` by score, the rest at
    random.

    The random part keeps what no score favours within reach of the diversity and error quotas.
    """
    if size <= keep:
        return np.arange(size)
    top = np.zeros(0, dtype=np.int64)
    if score is not None:
        best = int(keep * top_share)
        top = np.argpartition(-score, best)[:best]
    rest = np.ones(size, dtype=np.bool_)
    rest[top] = False
    drawn = rng.choice(np.flatnonzero(rest), keep - len(top), replace=False)
    return np.sort(np.concatenate([top, drawn]))


def density_floor(x: Reals, quantile: float = 0.99, smallest: int = 200) -> Mask:
    """False for outliers: leverage xᵀ(XᵀX/N)⁺x above the pool's quantile. D-optimality alone loves outliers.

    Pools under `smallest` pairs are left whole, there a quantile this far out means little. The cut keeps
    ties.
    """
    if len(x) < smallest:
        return np.ones(len(x), dtype=np.bool_)
    x = np.asarray(x, dtype=np.float64)
    moment = x.T @ x / len(x)
    ridge = 1e-6 * max(float(np.trace(moment)), 1e-12)
    leverage = np.einsum("ij,ij->i", x @ np.linalg.inv(moment + ridge * np.eye(x.shape[1])), x)
    return np.asarray(leverage <= np.quantile(leverage, quantile), dtype=np.bool_)
