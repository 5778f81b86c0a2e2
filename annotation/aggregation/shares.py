"""Soft labels from votes: the shares of a, tie and b on each pair, and how many votes they are worth.

    p_i = Σ_v w_v [v = i] / Σ_v w_v               i in (a, tie, b)
    effective votes = (Σ_v w_v)² / Σ_v w_v²       Kish; equals the number of votes when all weights are equal

`vote_shares` keeps the shares as they are, which is what the likelihood wants: votes × cross-entropy
against the shares is the log-likelihood of the votes themselves. `shrunk` is for uses where a hard 0 or 1
would be unbounded, such as the logit of a share:

    p_i = (k_i + ½) / (n + K/2),   k_i = n p_i, n = effective votes, K possible outcomes

the posterior mean under Jeffreys' Dirichlet(½, …, ½). With two outcomes it is the familiar (k + ½)/(n + 1).
With three that expression would sum to (n + 3/2)/(n + 1), so the denominator grows with K; given "no tie"
it is (k_a + ½)/(k_a + k_b + 1) again, whatever the ties.

Sources: L. Kish (1965), Survey Sampling; H. Jeffreys (1961), Theory of Probability; R. Krichevsky, V.
Trofimov (1981).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

OUTCOMES = ("a", "tie", "b")
PRIOR = 0.5


class NoVotesError(ValueError):
    """A pair has no vote, or none of any weight: it has no shares."""


class UnusableVotesError(ValueError):
    """Votes, outcomes or weights that cannot be read."""


@dataclass(frozen=True, slots=True, eq=False)
class SoftLabels:
    """One label a pair, arrays of length N: p_a + p_tie + p_b = 1.

    votes: how many votes were cast. effective_votes: what they are worth once weighted, at most `votes`.
    """

    p_a: FloatArray
    p_tie: FloatArray
    p_b: FloatArray
    votes: IntArray
    effective_votes: FloatArray


def vote_shares(counts: npt.ArrayLike) -> SoftLabels:
    """Shares from counts (N, 3) of a, tie, b; every vote weighs the same.

    Raises NoVotesError if a row is empty (leave such pairs out), UnusableVotesError if counts are not whole
    and ≥ 0.
    """
    table = np.asarray(counts)
    if table.ndim != 2 or table.shape[1] != len(OUTCOMES):
        raise UnusableVotesError(f"counts have shape (pairs, 3) for a, tie, b, these have {table.shape}")
    with np.errstate(invalid="ignore"):  # NaN is caught below
        whole = table.astype(np.int64)
    if (whole != table).any() or (whole < 0).any():
        raise UnusableVotesError(
            "counts must be whole and not negative; use weighted_vote_shares for weights"
        )
    votes = whole.sum(axis=1)
    return _labels(whole.astype(np.float64), votes, votes.astype(np.float64))


def weighted_vote_shares(
    pair: npt.ArrayLike, outcome: npt.ArrayLike, weight: npt.ArrayLike, *, pairs: int
) -> SoftLabels:
    """Shares from single votes: pair (V,) in 0 … pairs−1, outcome (V,) 0 a, 1 tie, 2 b, weight (V,) ≥ 0.

    Raises NoVotesError for a pair without a vote of positive weight, UnusableVotesError for anything out of
    range.
    """
    index, choice = np.asarray(pair, dtype=np.int64), np.asarray(outcome, dtype=np.int64)
    weights = np.asarray(weight, dtype=np.float64)
    if not index.shape == choice.shape == weights.shape or index.ndim != 1:
        raise UnusableVotesError(
            f"pair {index.shape}, outcome {choice.shape}, weight {weights.shape}: not flat and of one length"
        )
    for name, given, end in (("pair", index, pairs), ("outcome", choice, len(OUTCOMES))):
        if ((given < 0) | (given >= end)).any():
            raise UnusableVotesError(f"{name} must be in 0 … {end - 1}, found {given.min()} … {given.max()}")
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise UnusableVotesError("weights must be finite and not negative")
    flat = np.bincount(index * 3 + choice, weights=weights, minlength=3 * pairs)
    sums = flat.astype(np.float64).reshape(pairs, 3)
    squares = np.bincount(index, weights=weights**2, minlength=pairs)
    effective = np.divide(sums.sum(axis=1) ** 2, squares, out=np.zeros(pairs), where=squares > 0)
    return _labels(sums, np.bincount(index, minlength=pairs), effective)


def shrunk(labels: SoftLabels, *, ties: bool = True) -> SoftLabels:
    """Shares pulled towards equal by half a vote per outcome; strictly inside 0 … 1, still summing to one.

    ties: whether a tie could be chosen at all. If not there are two outcomes, p_tie stays 0 and the formula
    is (k + ½)/(n + 1); labels that hold ties all the same raise UnusableVotesError.
    """
    if not ties and labels.p_tie.any():
        raise UnusableVotesError(
            f"{np.count_nonzero(labels.p_tie)} pairs hold ties although none could be given"
        )
    n = labels.effective_votes
    total = n + PRIOR * (3 if ties else 2)
    return SoftLabels(
        p_a=(n * labels.p_a + PRIOR) / total,
        p_tie=(n * labels.p_tie + PRIOR) / total if ties else np.zeros(len(n)),
        p_b=(n * labels.p_b + PRIOR) / total,
        votes=labels.votes,
        effective_votes=n,
    )


def _labels(sums: FloatArray, votes: IntArray, effective: FloatArray) -> SoftLabels:
    total = sums.sum(axis=1, keepdims=True)
    empty = np.flatnonzero(total[:, 0] <= 0)
    if empty.size:
        raise NoVotesError(
            f"{empty.size} pairs have no vote of any weight, the first at row {empty[0]}: leave them out"
        )
    p_a, p_tie, p_b = (sums / total).T.copy()
    return SoftLabels(p_a, p_tie, p_b, votes.astype(np.int64), effective)
