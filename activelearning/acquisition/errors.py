"""Where the model errs: its error on the judged pairs, carried over to their neighbours among the candidates.

The error of a judged pair is the excess cross-entropy of the model's vote prediction q (Davidson: softmax
of (μ/2, τ, −μ/2) over a, tie, b) against the vote shares p: e = Σ p log(p/q) = CE(p, q) − H(p), in nats.
The entropy of the votes themselves is taken off, else evenly split pairs would look like mistakes.

A candidate's expected error is a k-nearest-neighbour average of e, weighted by effective votes and shrunk
to the mean: ê = (Σ w e + κ ē)/(Σ w + κ). The space joins two blocks of equal mean square length: the
feature difference of the pair, turned so that the predicted winner comes first (a pair and its swap are one
point), and the mean features of its prompt. So both "prefers the longer answer wrongly" and "does badly on
this topic" can be found.

Errors on prompts used in training are optimistic: held-out pairs alone are used once there are enough of
them. `skill` is the leave-one-out Spearman correlation of ê with e: near or below zero this part of the
recipe is a guess.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax, xlogy
from scipy.stats import spearmanr
from sklearn.neighbors import NearestNeighbors

from activelearning.acquisition.knowledge import Knowledge
from activelearning.acquisition.pool import Floats, Mask, Positions, Reals

NEIGHBOURS = 15
SHRINKAGE = 2.0
MIN_PAIRS = 20
MAX_PAIRS = 5_000
QUERY_CHUNK = 8_192


class TooFewLabelsError(ValueError):
    """Not enough judged pairs to say where the model errs."""


@dataclass(frozen=True, eq=False)
class ErrorModel:
    """points (m, s), errors (m,) nats, weights (m,) with mean 1; skill is None when e or ê is constant."""

    points: Floats
    errors: Floats
    weights: Floats
    neighbours: int
    mean_error: float
    skill: float | None


@dataclass(frozen=True, eq=False)
class ErrorEstimate:
    """The error model, the expected error (N,) of the candidates, and whether it was learned on held-out
    prompts."""

    model: ErrorModel
    expected: Floats
    held_out: bool


def estimate_errors(
    known: Knowledge, first: Positions, second: Positions, rng: np.random.Generator
) -> ErrorEstimate | None:
    """Expected error of the candidates: the ensemble's where there is one, else the posterior mean's.

    None where there are too few labels to learn it from.
    """
    labels = known.labels
    rows, held_out = usable_pairs(labels.held_out, rng)
    if len(rows) < MIN_PAIRS:
        return None
    prompt_features = known.prompt_means()
    if known.members is not None:
        reward = np.asarray(known.members.mean(axis=1), dtype=np.float64)
    else:
        reward = np.asarray(known.z @ known.posterior.mean.astype(np.float32), dtype=np.float64)

    def points(a: Positions, b: Positions, mu: Floats) -> Floats:
        return error_points(known.z[a] - known.z[b], mu, prompt_features[known.prompt[a]])

    a, b = labels.first[rows], labels.second[rows]
    mu = reward[a] - reward[b]
    errors = excess_cross_entropy(labels.shares[rows], mu, known.tau)
    model = fit_errors(points(a, b, mu), errors, labels.votes[rows])
    expected = expected_error(model, points(first, second, reward[first] - reward[second]))
    return ErrorEstimate(model, expected, held_out)


def excess_cross_entropy(shares: Floats, mean_difference: Floats, tau: float) -> Floats:
    """e = Σ p log(p/q), shape (m,), nats, ≥ 0. shares: (m, 3) of (a, tie, b); mean_difference μ: (m,)."""
    half = mean_difference / 2.0
    log_q = log_softmax(np.column_stack([half, np.full_like(half, tau), -half]), axis=1)
    return np.asarray(np.maximum((xlogy(shares, shares) - shares * log_q).sum(axis=1), 0.0))


def error_points(x: Reals, mean_difference: Floats, prompt_features: Reals) -> Floats:
    """Joined points (N, q + s): x with the predicted winner first, beside the prompt's features.

    Without a predicted winner (μ = 0) the first non-zero coordinate of x is made positive, so a swap is still
    the same point.
    """
    x = np.asarray(x, dtype=np.float64)
    leading = x[np.arange(len(x)), np.argmax(x != 0, axis=1)]
    sign = np.where(mean_difference != 0, np.sign(mean_difference), np.sign(leading))
    return np.hstack([x * sign[:, None], np.asarray(prompt_features, dtype=np.float64)])


def usable_pairs(held_out: Mask, rng: np.random.Generator) -> tuple[Positions, bool]:
    """Positions of the labelled pairs to learn from, and whether they are held-out ones (else: all of
    them).
    """
    honest = int(held_out.sum()) >= MIN_PAIRS
    rows = np.flatnonzero(held_out) if honest else np.arange(len(held_out))
    if len(rows) > MAX_PAIRS:
        rows = np.sort(rng.choice(rows, MAX_PAIRS, replace=False))
    return rows, honest


def fit_errors(points: Floats, errors: Floats, votes: Floats, neighbours: int = NEIGHBOURS) -> ErrorModel:
    """points: (m, s), errors: (m,), votes: (m,). Raises TooFewLabelsError below 20 pairs."""
    m = len(errors)
    if m < MIN_PAIRS:
        raise TooFewLabelsError(
            f"{m} judged pairs, at least {MIN_PAIRS} are needed to say where the model errs."
        )
    weights = votes / votes.mean()
    mean = float(np.average(errors, weights=weights))
    index = _nearest(points, points, neighbours + 1)
    # Drop the point itself; where copies of it filled the list, drop the furthest instead.
    own = index == np.arange(m)[:, None]
    own[~own.any(axis=1), -1] = True
    others = index[~own].reshape(m, -1)
    left_out_mean = (errors * weights).sum() - errors * weights
    left_out_mean /= weights.sum() - weights
    estimate = _average(errors, weights, others, left_out_mean)
    skill = None
    if np.ptp(errors) > 0 and np.ptp(estimate) > 0:
        skill = float(spearmanr(estimate, errors).statistic)
    return ErrorModel(points.copy(), errors.copy(), weights, neighbours, mean, skill)


def expected_error(model: ErrorModel, points: Floats) -> Floats:
    """ê of (N, s) points, (N,), nats; always between the smallest and the largest error seen."""
    index = _nearest(model.points, points, model.neighbours)
    return _average(model.errors, model.weights, index, np.full(len(points), model.mean_error))


def _average(errors: Floats, weights: Floats, index: Positions, prior: Floats) -> Floats:
    w = weights[index]
    total = (w * errors[index]).sum(axis=1) + SHRINKAGE * prior
    return np.asarray(total / (w.sum(axis=1) + SHRINKAGE), dtype=np.float64)


def _nearest(known: Floats, points: Floats, k: int) -> Positions:
    known, points = known.astype(np.float32), points.astype(np.float32)  # half the time, the same neighbours
    search = NearestNeighbors(n_neighbors=min(k, len(known)), algorithm="brute").fit(known)
    found = np.empty((len(points), min(k, len(known))), dtype=np.int64)
    for begin in range(0, len(points), QUERY_CHUNK):
        rows = slice(begin, begin + QUERY_CHUNK)
        found[rows] = search.kneighbors(points[rows], return_distance=False)
    return found
