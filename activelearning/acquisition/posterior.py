"""What the labels say about a linear reward, and how surely: the Laplace posterior of Bradley-Terry.

Model: r(y) = θ·z(y), θ ~ N(0, I/λ), P(a ≻ b) = σ(θ·x) with x = z(a) − z(b); a tie is half a vote for each
side. For k votes of which the share y went to a,

    θ̂ = argmax Σ k [y log σ(θ·x) + (1 − y) log σ(−θ·x)] − ½ λ‖θ‖²,    Σ = (λI + Σ k p(1 − p) x xᵀ)⁻¹.

For a pair μ = θ̂·x and s² = xᵀΣx. Averaged over θ its chance is about σ(κμ), κ = 1/√(1 + πs²/8) (MacKay
1992): what is not known yet is not called certain, so v = p(1 − p), the information of a vote, does not
vanish where the fit is merely overconfident.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from activelearning.acquisition.pool import Floats, Positions, Reals

Integers = NDArray[np.integer[Any]]

MOST_STEPS = 25
TOLERANCE = 1e-4  # logits of the linear predictor, more or less: far below what any label tells
CHUNK_PAIRS = 1 << 12  # differences that stay in the cache: twice as fast as 65,536
PRECISIONS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, eq=False)
class Posterior:
    """N(mean (q,), covariance (q, q)) over θ. labels: the number of votes it rests on."""

    mean: Floats
    covariance: Floats
    prior_precision: float
    labels: float = 0.0

    @classmethod
    def prior(cls, dimensions: int, prior_precision: float) -> Posterior:
        """What is known before the first label."""
        return cls(np.zeros(dimensions), np.eye(dimensions) / prior_precision, prior_precision)


def fit_posterior(
    x: Reals, share: Floats, votes: Floats, *, prior_precision: float, start: Floats | None = None
) -> Posterior:
    """The posterior after pairs x (m, q) of which the share (m,) ∈ [0, 1] of the votes (m,) went to a.

    Newton's method on a strictly concave objective, each step halved until it gains, from `start` (q,) where
    given. Without pairs it is the prior.
    """
    rows = _doubles(x)
    m, q = rows.shape
    if m == 0:
        return Posterior.prior(q, prior_precision)
    theta = np.zeros(q) if start is None else np.array(start, dtype=np.float64)
    value = _objective(theta, rows, share, votes, prior_precision)
    for _ in range(MOST_STEPS):
        p = expit(rows @ theta)
        slope = rows.T @ (votes * (share - p)) - prior_precision * theta
        step = np.linalg.solve(_precision(rows, votes * p * (1 - p), prior_precision), slope)
        reach = 1.0
        while (found := _objective(theta + reach * step, rows, share, votes, prior_precision)) < value:
            reach /= 2
            if reach < 1e-6:
                break
        else:
            theta, value = theta + reach * step, found
        if reach < 1e-6 or float(np.abs(step).max()) < TOLERANCE:
            break
    p = expit(rows @ theta)
    covariance = np.linalg.inv(_precision(rows, votes * p * (1 - p), prior_precision))
    return Posterior(theta, (covariance + covariance.T) / 2, prior_precision, float(votes.sum()))


def choose_prior_precision(
    x: Reals,
    share: Floats,
    votes: Floats,
    groups: Positions,
    rng: np.random.Generator,
    *,
    grid: Sequence[float] = PRECISIONS,
    folds: int = 5,
) -> float:
    """λ of the grid with the least cross-validated loss (nats a vote), whole groups (m,) left out together.

    With fewer groups than folds each is a fold; with a single one, pairs are. Below 20 pairs, where this
    would be a guess, the middle of the grid.
    """
    if len(share) < 20:
        return float(sorted(grid)[len(grid) // 2])
    names, of_pair = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        names, of_pair = np.arange(len(share)), np.arange(len(share))
    fold = (rng.permutation(len(names)) % min(folds, len(names)))[of_pair]
    rows = _doubles(x)
    losses = []
    for precision in grid:
        total = 0.0
        for left_out in range(int(fold.max()) + 1):
            seen, unseen = fold != left_out, fold == left_out
            theta = fit_posterior(rows[seen], share[seen], votes[seen], prior_precision=precision).mean
            total -= float(_likelihood(rows[unseen] @ theta, share[unseen], votes[unseen]))
        losses.append(total)
    return float(grid[int(np.argmin(losses))])


def moderated_probability(mean: Floats, variance: Floats) -> Floats:
    """P(a ≻ b | no tie) averaged over the posterior, (N,), from μ (N,) and s² (N,)."""
    return np.asarray(expit(mean / np.sqrt(1 + np.pi * variance / 8)))


def quadratic_form(
    z: Reals, first: Integers, second: Integers, matrix: Reals, chunk: int = CHUNK_PAIRS
) -> Floats:
    """xᵀAx of every pair, (N,), for a symmetric positive semi-definite A (q, q).

    With A = RRᵀ it is ‖Rᵀz(a) − Rᵀz(b)‖²: one product per response, then differences in chunks.
    """
    root = (z @ square_root(matrix).astype(np.float32)).astype(np.float32, copy=False)
    found = np.empty(len(first))
    for begin in range(0, len(first), chunk):
        rows = slice(begin, begin + chunk)
        x = root.take(first[rows], axis=0)  # a quarter faster than root[...]
        x -= root.take(second[rows], axis=0)
        found[rows] = np.einsum("ij,ij->i", x, x)
    return found


def square_root(matrix: Reals) -> Floats:
    """R (q, r) with RRᵀ = the symmetric matrix; directions without weight are left out."""
    values, vectors = np.linalg.eigh(matrix)
    kept = values > max(float(values[-1]), 0.0) * 1e-12
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def _doubles(x: Reals) -> Floats:
    return np.asarray(x, dtype=np.float64)


def _objective(theta: Floats, x: Floats, share: Floats, votes: Floats, precision: float) -> float:
    return _likelihood(x @ theta, share, votes) - precision / 2 * float(theta @ theta)


def _likelihood(mean: Floats, share: Floats, votes: Floats) -> float:
    return float((votes * (share * log_expit(mean) + (1 - share) * log_expit(-mean))).sum())


def _precision(x: Floats, information: Floats, prior_precision: float) -> Floats:
    return np.asarray((x.T * information) @ x + prior_precision * np.eye(x.shape[1]))
