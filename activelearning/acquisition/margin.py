"""How close the ensemble calls a pair.

μ = mean_k [r_k(a) − r_k(b)] / T (T: temperature). The margin |μ| in logits is small where the ensemble
expects a near-even vote; p = σ(μ) is P(a ≻ b) given that the vote is not a tie. v = p(1 − p) is the
Bernoulli variance which weighs a pair's Fisher information v x xᵀ.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from activelearning.acquisition.pool import Floats


def margin(mean_difference: Floats) -> Floats:
    """|μ|, shape (N,), logits. Unchanged when a and b are swapped."""
    return np.abs(mean_difference)


def probability(mean_difference: Floats) -> Floats:
    """p = σ(μ), shape (N,)."""
    return np.asarray(expit(mean_difference), dtype=np.float64)


def vote_variance(mean_difference: Floats) -> Floats:
    """v = p(1 − p), shape (N,), at most ¼. Written as σ(μ)σ(−μ), which does not cancel for large |μ|."""
    return probability(mean_difference) * probability(-mean_difference)
