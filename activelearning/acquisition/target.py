"""For whom the model is to be good: the moment M = E[w x xᵀ] of the pairs that the policy will meet.

I-optimality asks how much a vote shrinks E_target[s²] = tr(ΣM). Two choices of the weight w:

* `mean_variance`: w = 1, every target pair alike (linear EPIG, Bickford Smith et al. 2023).
* `regret`: w = φ(μ/s)/s. If the model must call the pair and calls it by the sign of μ, what it loses on
  average is the expected regret R = s φ(z) − |μ| Φ(−|z|), z = μ/s (the value of perfect information: Howard
  1966, Frazier et al. 2008), and ∂R/∂s² = φ(z)/(2s). So a pair which is called already, whatever is still
  unknown about how clear it is, asks for nothing more; a pair whose sign hangs in the balance asks for most.
"""

from __future__ import annotations

import numpy as np

from activelearning.acquisition.pool import Floats, Positions, Reals
from activelearning.acquisition.posterior import Posterior, quadratic_form

MOST_PAIRS = 50_000
CHUNK_PAIRS = 1 << 15


def regret_weights(mean: Floats, variance: Floats) -> Floats:
    """∂R/∂s² up to a constant, scaled to mean 1, (T,); of a pair with s² = 0 there is nothing to learn."""
    known = variance <= 1e-12 * max(float(variance.max(initial=0.0)), 1e-300)
    s = np.sqrt(np.where(known, 1.0, variance))
    weight = np.where(known, 0.0, np.exp(-0.5 * (mean / s) ** 2) / s)
    total = float(weight.sum())
    if total < 1e-280:  # every pair is decided beyond doubt: then the variance itself is left to improve
        return np.ones(len(weight))
    return np.asarray(weight * (len(weight) / total), dtype=np.float64)


def moment(
    z: Reals,
    first: Positions,
    second: Positions,
    *,
    posterior: Posterior | None = None,
    rng: np.random.Generator | None = None,
) -> Floats:
    """M (q, q) over the target pairs, each the difference of two rows of z (n, q).

    With a posterior the pairs weigh by their regret, without by one. More than 50,000 pairs are sampled down
    with rng (the first ones without it).
    """
    q = int(z.shape[1])
    if len(first) == 0:
        return np.asarray(np.eye(q) / q, dtype=np.float64)
    if len(first) > MOST_PAIRS:
        few = np.arange(MOST_PAIRS) if rng is None else rng.choice(len(first), MOST_PAIRS, replace=False)
        first, second = first[few], second[few]
    weight = np.ones(len(first))
    if posterior is not None:
        reward = np.asarray(z @ posterior.mean.astype(z.dtype), dtype=np.float64)
        variance = quadratic_form(z, first, second, posterior.covariance)
        weight = regret_weights(reward[first] - reward[second], variance)
    total = np.zeros((q, q))
    for begin in range(0, len(first), CHUNK_PAIRS):
        rows = np.arange(begin, min(begin + CHUNK_PAIRS, len(first)))
        x = z[first[rows]] - z[second[rows]]
        x = x * np.sqrt(weight[rows]).astype(x.dtype)[:, None]
        total += (x.T @ x).astype(np.float64)
    return np.asarray(total / len(first), dtype=np.float64)
