"""How far pairs are from what their features say: the variance ω² of a pair's own effect, by moments.

η = μ + u, u ~ N(0, ω²), votes y_k ∈ {0, ½, 1} with mean q(η) = ρσ(η) + (1 − ρ)/2. Two votes on one pair share
u and nothing else, so with c = q(μ)

    E[(y_1 − c)(y_2 − c)] = ρ² E_u[(σ(μ + u) − σ(μ))²] =: ρ² h(μ, ω²),

whatever the noise of one vote is (a tie is not a coin). The left side is averaged over all pairs of votes on
a pair, then over pairs with weight n − 1 (the method of moments for random effects: DerSimonian and Laird
1986, here without linearising); h grows with ω², which is solved for. Below the value at ω² = 0 the estimate
is 0. The error of μ counts as pair effect too: give predictions for pairs the model has not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from activelearning.acquisition.pool import Floats

ENOUGH_PAIRS = 30
LARGEST = 50.0  # logits²: beyond it nearly every pair is unanimous and the moment is flat
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(31)


@dataclass(frozen=True)
class PairEffect:
    """variance: ω², logits², None below 30 pairs with two votes (`pairs` of them). standard_error: by the
    delta method, None where the estimate is at either end.
    """

    variance: float | None
    standard_error: float | None
    pairs: int


def pair_effect_variance(
    shares: Floats, votes: Floats, mean: Floats, *, reliability: float = 1.0
) -> PairEffect:
    """ω² from shares (m, 3) of (a, tie, b), the number of votes (m,) and the model's μ (m,), logits."""
    used = votes >= 2
    if int(used.sum()) < ENOUGH_PAIRS:
        return PairEffect(None, None, int(used.sum()))
    shares, n, mean = shares[used], votes[used], mean[used]
    c = reliability * expit(mean) + (1 - reliability) / 2
    off = np.column_stack([1 - c, 0.5 - c, -c])
    together = np.square(n * (shares * off).sum(axis=1)) - n * (shares * off**2).sum(axis=1)
    seen = together / (n * (n - 1)) / reliability**2
    weight = (n - 1) / (n - 1).sum()

    def excess(variance: float) -> float:
        return float(weight @ (seen - _spread(mean, variance)))

    if excess(0.0) <= 0:
        return PairEffect(0.0, None, len(n))
    if excess(LARGEST) >= 0:
        return PairEffect(LARGEST, None, len(n))
    found = float(brentq(excess, 0.0, LARGEST, xtol=1e-6))
    step = 1e-3 * max(found, 1e-2)
    slope = (excess(found + step) - excess(max(found - step, 0.0))) / (found + step - max(found - step, 0.0))
    error = float(np.sqrt((np.square(weight * (seen - _spread(mean, found)))).sum()) / abs(slope))
    return PairEffect(found, error, len(n))


def _spread(mean: Floats, variance: float) -> Floats:
    """h(μ, ω²), (m,), by 31-node Gauss-Hermite."""
    moved = expit(mean[:, None] + np.sqrt(variance) * NODES) - expit(mean)[:, None]
    return np.asarray(np.square(moved) @ (WEIGHTS / WEIGHTS.sum()))
