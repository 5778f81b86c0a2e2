"""Dawid and Skene's confusion matrices, drawn towards the group's where an annotator has few votes.

Every pair has one true outcome k, with prior π_k. Annotator j answers v where k is true with chance
E_j[k, v].

    T_i[k] ∝ π_k Π_votes E_j[k, v]^w                       expectation
    C_j[k, v] = Σ_i T_i[k] · votes of j for v on i
    E_j[k, ·] = (C_j[k, ·] + s G[k, ·]) / (Σ_v C_j[k, v] + s),   G[k, v] ∝ Σ_j C_j[k, v]      maximisation
    π_k = mean over pairs of T_i[k]

s is how many votes the group's habits count for: 0 is Dawid and Skene's own method, in which somebody with
two votes gets a matrix of zeros and ones. The start is the vote shares. EM stops when no T changes by more
than `TOLERANCE`.

Sources: A. P. Dawid, A. M. Skene (1979), Maximum likelihood estimation of observer error-rates using the EM
algorithm, Applied Statistics 28(1); the shrinkage is a Dirichlet(s G[k]) prior with its mean from the data
(empirical Bayes), as in B. Carpenter (2008), Multilevel Bayesian models of categorical data annotation.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from annotation.aggregation.shares import FloatArray
from annotation.aggregation.votes import Votes

SHRINKAGE = 5.0
TOLERANCE = 1e-4
MOST_STEPS = 200
SMALLEST = 1e-300  # of a chance: its logarithm stays finite


@dataclass(frozen=True, slots=True, eq=False)
class Confusions:
    """What is learned of the annotators; `posterior` needs nothing else.

    prior: (K,) π. matrix: (annotators, K, K) E, rows by truth, each summing to one. group: (K, K) G.
    """

    prior: FloatArray
    matrix: FloatArray
    group: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class DawidSkene:
    """truth: (pairs, K) T. log_likelihood: Σ_i log Σ_k π_k Π E, of the weighted votes. steps: of EM."""

    truth: FloatArray
    learned: Confusions
    log_likelihood: float
    steps: int


def dawid_skene(
    votes: Votes, *, shrinkage: float = SHRINKAGE, tolerance: float = TOLERANCE, most_steps: int = MOST_STEPS
) -> DawidSkene:
    """EM from the vote shares. A pair without votes has π as its truth."""
    table = _design(votes, votes.weight)
    back = table.T.tocsr()
    everybody = _design(votes, np.ones(len(votes))).T.tocsr() if (votes.weight != 1).any() else back
    counts = votes.counts
    start = counts.sum(axis=0) / max(counts.sum(), 1)
    total = counts.sum(axis=1, keepdims=True)
    truth = np.where(total > 0, counts / np.maximum(total, SMALLEST), start)
    for steps in range(1, most_steps + 1):  # noqa: B007  how many it took is told
        learned = _maximise(votes, truth, back, everybody, shrinkage)
        before, (truth, likelihoods) = truth, _expect(votes, table, learned)
        if np.abs(truth - before).max(initial=0.0) <= tolerance:
            break
    return DawidSkene(truth, learned, float(likelihoods.sum()), steps)


def posterior(votes: Votes, learned: Confusions) -> FloatArray:
    """(pairs, K) T of any votes under what was learned before, from other votes or from these."""
    return _expect(votes, _design(votes, votes.weight), learned)[0]


def predicted(truth: FloatArray, learned: Confusions, votes: Votes) -> FloatArray:
    """(V, K) chances of what the annotator of each vote says of its pair."""
    return np.asarray(np.einsum("vk,vko->vo", truth[votes.pair], learned.matrix[votes.annotator]))


def competence(learned: Confusions) -> FloatArray:
    """(annotators,) Youden's informedness over the outcomes that occur: 1 always right, 0 guessing.

    (mean of the diagonal − 1/K) / (1 − 1/K), each truth counting the same; never below 0.
    """
    real = learned.prior > 0
    k = int(real.sum())
    hits = np.diagonal(learned.matrix, axis1=1, axis2=2)[:, real].mean(axis=1)
    return np.asarray(np.clip((hits - 1 / k) / (1 - 1 / k), 0, 1) if k > 1 else np.ones(len(hits)))


def _design(votes: Votes, weight: FloatArray) -> sparse.csr_array:
    """(pairs, annotators · K): who said what of each pair."""
    shape = (votes.pairs, votes.annotators * votes.outcomes)
    said = votes.annotator * votes.outcomes + votes.outcome
    return sparse.csr_array((weight, (votes.pair, said)), shape=shape)


def _maximise(
    votes: Votes, truth: FloatArray, back: sparse.csr_array, everybody: sparse.csr_array, shrinkage: float
) -> Confusions:
    k, shape = votes.outcomes, (votes.annotators, votes.outcomes, votes.outcomes)
    weighted = (back @ truth).reshape(shape).transpose(0, 2, 1)
    joint = weighted if everybody is back else (everybody @ truth).reshape(shape).transpose(0, 2, 1)
    group = _rows_to_one(weighted.sum(axis=0), np.full((k, k), 1 / k))
    matrix = _rows_to_one(joint + shrinkage * group, np.broadcast_to(group, shape))
    return Confusions(truth.mean(axis=0), matrix, group)


def _rows_to_one(cells: FloatArray, otherwise: FloatArray) -> FloatArray:
    total = cells.sum(axis=-1, keepdims=True)
    return np.asarray(np.where(total > 0, cells / np.maximum(total, SMALLEST), otherwise))


def _expect(votes: Votes, table: sparse.csr_array, learned: Confusions) -> tuple[FloatArray, FloatArray]:
    """(pairs, K) T, and (pairs,) log Σ_k π_k Π E. Worked out outcome by outcome, which is faster."""
    said = np.log(np.maximum(learned.matrix, SMALLEST)).transpose(0, 2, 1)
    flat = said.reshape(votes.annotators * votes.outcomes, votes.outcomes)
    logits = np.ascontiguousarray((table @ flat).T)
    logits += np.log(np.maximum(learned.prior, SMALLEST))[:, None]
    top = logits.max(axis=0)
    chances = np.exp(logits - top)
    total = chances.sum(axis=0)
    return np.asarray((chances / total).T), np.asarray(top + np.log(total))
