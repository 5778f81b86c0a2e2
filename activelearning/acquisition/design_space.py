"""The pairs of one selection in canonical form, and the space in which they are compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activelearning.acquisition.diversity import Projection, Singles, fit_projection, posterior_covariance
from activelearning.acquisition.errors import (
    ErrorModel,
    TooFewLabelsError,
    error_points,
    excess_cross_entropy,
    expected_error,
    fit_errors,
    usable_pairs,
)
from activelearning.acquisition.margin import vote_variance
from activelearning.acquisition.pool import (
    CandidatePairs,
    Floats,
    LabelledPairs,
    Mask,
    PoolError,
    Positions,
    Reals,
    ResponsePool,
    find_positions,
)
from activelearning.acquisition.uncertainty import pair_differences


@dataclass(frozen=True, eq=False)
class PairTable:
    """Pairs as positions in the pool, each once, lower response id first, sorted by ids: the same table
    whatever the order of the candidates. swapped: the caller had the pair the other way round.
    """

    first: Positions
    second: Positions
    swapped: Mask
    sampling_probability: Floats
    prompt: Positions

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, eq=False)
class LabelTable:
    """Labelled pairs as positions in the pool with the ensemble's mean difference μ (0 without an
    ensemble).
    """

    first: Positions
    second: Positions
    mean: Floats
    shares: Floats
    votes: Floats
    held_out: Mask


def pair_table(pool: ResponsePool, candidates: CandidatePairs, labelled: LabelledPairs | None) -> PairTable:
    """Candidates without repeats and without any pair that is labelled already.

    Raises UnknownResponseError when the candidates or labels name a response which is not in the pool,
    PoolError for a pair across two prompts.
    """
    table = candidates.response_id
    same = table is pool.response_id or np.array_equal(table, pool.response_id)
    moved = np.arange(len(table)) if same else _used_positions(pool, candidates)
    first, second = moved[candidates.first], moved[candidates.second]
    across = np.flatnonzero(pool.prompt_id[first] != pool.prompt_id[second])
    if len(across):
        a, b = pool.response_id[first[across[0]]], pool.response_id[second[across[0]]]
        raise PoolError(
            f"{a!r} and {b!r} answer different prompts; only responses to one prompt can be compared."
        )
    rank = np.argsort(np.argsort(pool.response_id, kind="stable"))
    key, once = np.unique(_keys(rank, first, second), return_index=True)
    if labelled is not None and len(labelled):
        judged = _keys(
            rank,
            find_positions(pool.response_id, labelled.response_a),
            find_positions(pool.response_id, labelled.response_b),
        )
        once = once[~np.isin(key, judged)]
    a, b = first[once], second[once]
    swapped = rank[a] > rank[b]
    prompt = np.unique(pool.prompt_id, return_inverse=True)[1]
    low, high = np.where(swapped, b, a), np.where(swapped, a, b)
    return PairTable(low, high, swapped, candidates.sampling_probability[once], prompt[low])


def label_table(pool: ResponsePool, labelled: LabelledPairs) -> LabelTable:
    """Sorted by ids, so that nothing after it depends on the order of the labels."""
    first = find_positions(pool.response_id, labelled.response_a)
    second = find_positions(pool.response_id, labelled.response_b)
    order = np.lexsort((labelled.response_b, labelled.response_a))
    first, second = first[order], second[order]
    mean = np.zeros(len(first))
    if pool.rewards is not None:
        mean = pair_differences(pool.rewards, first, second, pool.temperature).mean
    return LabelTable(
        first, second, mean, labelled.shares[order], labelled.votes[order], labelled.held_out[order]
    )


@dataclass(frozen=True, eq=False)
class Space:
    """Projected features (n, q), their mean per prompt (P, q), and Σ (q, q) after the labels."""

    features: Singles
    prompt_features: Floats
    covariance: Floats

    def differences(self, first: Positions, second: Positions) -> Singles:
        return self.features[first] - self.features[second]


def build_space(
    features: Reals,
    pairs: PairTable,
    prompt_of: Positions,
    labels: LabelTable | None,
    rng: np.random.Generator,
    *,
    max_dimensions: int,
    prior_precision: float,
) -> Space:
    """Fit the projection on the candidates and Σ on the labels."""
    projection: Projection = fit_projection(features, pairs.first, pairs.second, rng, max_dimensions)
    projected = projection.apply(features)
    x = np.zeros((0, projected.shape[1]), dtype=np.float32)
    v = np.zeros(0)
    if labels is not None:
        x = projected[labels.first] - projected[labels.second]
        v = vote_variance(labels.mean)
    return Space(projected, _prompt_means(projected, prompt_of), posterior_covariance(x, v, prior_precision))


@dataclass(frozen=True, eq=False)
class ErrorEstimate:
    model: ErrorModel
    expected: Floats
    held_out: bool


def estimate_errors(
    space: Space,
    pool: ResponsePool,
    prompt_of: Positions,
    labels: LabelTable | None,
    first: Positions,
    second: Positions,
    mean: Floats,
    rng: np.random.Generator,
) -> ErrorEstimate | None:
    """Expected error of the given pairs; None where there are too few labels to learn it from."""
    if labels is None:
        return None
    rows, held_out = usable_pairs(labels.held_out, rng)
    errors = excess_cross_entropy(labels.shares, labels.mean, pool.tau)[rows]

    def points(a: Positions, b: Positions, mu: Floats) -> Floats:
        return error_points(space.differences(a, b), mu, space.prompt_features[prompt_of[a]])

    try:
        known = points(labels.first[rows], labels.second[rows], labels.mean[rows])
        model = fit_errors(known, errors, labels.votes[rows])
    except TooFewLabelsError:
        return None
    return ErrorEstimate(model, expected_error(model, points(first, second, mean)), held_out)


def _prompt_means(projected: Singles, prompt_of: Positions) -> Floats:
    """Centred mean features per prompt (P, q), scaled to mean square length 1, the length of a difference."""
    prompts = int(prompt_of.max()) + 1 if len(prompt_of) else 0
    total = np.zeros((prompts, projected.shape[1]))
    np.add.at(total, prompt_of, projected)
    mean = total / np.maximum(np.bincount(prompt_of, minlength=prompts), 1)[:, None]
    if prompts:
        mean -= mean.mean(axis=0)
    length = float((mean**2).sum(axis=1).mean()) if prompts else 0.0
    return mean / np.sqrt(length) if length > 1e-12 else mean


def _keys(rank: Positions, first: Positions, second: Positions) -> Positions:
    low, high = np.minimum(rank[first], rank[second]), np.maximum(rank[first], rank[second])
    return low * len(rank) + high


def _used_positions(pool: ResponsePool, candidates: CandidatePairs) -> Positions:
    used = np.unique(np.concatenate([candidates.first, candidates.second]))
    moved = np.full(len(candidates.response_id), -1, dtype=np.int64)
    moved[used] = find_positions(pool.response_id, candidates.response_id[used])
    return moved
