"""The fast EM of both models against the equations of their docstrings, written vote by vote."""

import numpy as np
import pytest

from annotation.aggregation.competence import competence
from annotation.aggregation.dawid_skene import dawid_skene
from annotation.aggregation.votes import Votes, votes_of
from tests.annotation.aggregation.voting import simulated

STEPS = 7


def weighted(seed: int, ties: float) -> Votes:
    """Of few people, some votes with weight 0, and one pair and one person without votes."""
    votes = simulated(seed, annotators=12, votes=10, per_pair=3, ties=ties).votes
    weight = np.random.default_rng(seed).choice([0.0, 0.4, 1.0, 2.5], len(votes))
    return votes_of(
        votes.pair, votes.annotator, votes.outcome, pairs=votes.pairs + 1, annotators=votes.annotators + 1,
        weight=weight, swapped=votes.swapped,
    )  # fmt: skip


def rows(votes: Votes) -> list[tuple[int, int, int, int, float]]:
    """(pair, annotator, outcome, key on the screen, weight) of each vote."""
    key = [2 - votes.outcome[n] if votes.swapped[n] else votes.outcome[n] for n in range(len(votes))]
    return list(zip(votes.pair, votes.annotator, votes.outcome, key, votes.weight, strict=True))


def plain_competence(votes: Votes, s: float, t: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """T, θ, ξ after so many steps from the shares."""
    possible = votes.possible.astype(float)
    truth = votes.counts + 0.5 * possible
    truth /= truth.sum(axis=1, keepdims=True)
    theta, xi = np.full(votes.annotators, 0.5), np.tile(possible / possible.sum(), (votes.annotators, 1))
    for _ in range(STEPS):
        known, n, guesses = np.zeros(votes.annotators), np.zeros(votes.annotators), np.zeros_like(xi)
        group, heard, total = possible.copy(), 0.0, 0.0
        for i, j, v, key, w in rows(votes):
            r = truth[i, v] * theta[j] / (theta[j] + (1 - theta[j]) * xi[j, key])
            known[j], n[j] = known[j] + r, n[j] + 1
            guesses[j, key] += 1 - r
            group[key] += w * (1 - r)
            heard, total = heard + w * r, total + w
        theta = (known + s * heard / total) / (n + s)
        xi = (guesses + t * group / group.sum()) / (guesses.sum(axis=1, keepdims=True) + t)
        truth = np.tile(possible, (votes.pairs, 1))
        for i, j, v, key, w in rows(votes):
            truth[i, v] *= (1 + theta[j] / ((1 - theta[j]) * xi[j, key])) ** w
        truth /= truth.sum(axis=1, keepdims=True)
    return truth, theta, xi


def plain_dawid_skene(votes: Votes, s: float) -> tuple[np.ndarray, np.ndarray, float]:
    """T, E and the log-likelihood after so many steps from the shares."""
    total = votes.counts.sum(axis=1, keepdims=True)
    overall = votes.counts.sum(axis=0) / votes.counts.sum()
    truth = np.where(total > 0, votes.counts / np.where(total > 0, total, 1), overall)
    for _ in range(STEPS):
        prior, said, group = truth.mean(axis=0), np.zeros((votes.annotators, 3, 3)), np.zeros((3, 3))
        for i, j, v, _, w in rows(votes):
            said[j, :, v] += truth[i]
            group[:, v] += w * truth[i]
        group /= group.sum(axis=1, keepdims=True)
        matrix = said + s * group
        matrix /= matrix.sum(axis=2, keepdims=True)
        truth = np.tile(prior, (votes.pairs, 1))
        for i, j, v, _, w in rows(votes):
            truth[i] *= matrix[j, :, v] ** w
        likelihood = truth.sum(axis=1, keepdims=True)
        truth = truth / likelihood
    return truth, matrix, float(np.log(likelihood).sum())


@pytest.mark.parametrize("ties", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_competence(seed: int, ties: float) -> None:
    votes = weighted(seed, ties)
    truth, theta, xi = plain_competence(votes, 8.0, 10.0)
    found = competence(votes, knowing=8.0, guessing=10.0, tolerance=0, most_steps=STEPS)
    assert found.truth == pytest.approx(truth, abs=1e-12)
    assert found.learned.knows == pytest.approx(theta, abs=1e-12)
    assert found.learned.guess == pytest.approx(xi, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_dawid_skene(seed: int) -> None:
    votes = weighted(seed, 0.3)
    truth, matrix, likelihood = plain_dawid_skene(votes, 5.0)
    found = dawid_skene(votes, shrinkage=5.0, tolerance=0, most_steps=STEPS)
    assert found.truth == pytest.approx(truth, abs=1e-12)
    assert found.learned.matrix == pytest.approx(matrix, abs=1e-12)
    assert found.log_likelihood == pytest.approx(likelihood, abs=1e-9)
