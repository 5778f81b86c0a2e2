from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from activelearning.acquisition.margin import margin, probability, vote_variance
from activelearning.acquisition.uncertainty import (
    CHUNK_PAIRS,
    combined_uncertainty,
    gauss_hermite_bald,
    mutual_information,
    pair_differences,
)

REWARDS = arrays(np.float64, (6, 4), elements=st.floats(-30, 30))
A, B = np.array([0, 1, 2, 5]), np.array([3, 4, 5, 0])


def test_by_hand() -> None:
    rewards = np.array([[1.0, 3.0], [0.0, 0.0]])
    found = pair_differences(rewards, np.array([0]), np.array([1]), temperature=2.0)
    assert found.mean == pytest.approx([1.0])  # (0.5 + 1.5)/2
    assert found.disagreement == pytest.approx([0.5])
    p = 1 / (1 + np.exp(-np.array([0.5, 1.5])))

    def entropy(q: float) -> float:
        return float(-q * np.log(q) - (1 - q) * np.log(1 - q))

    assert found.bald == pytest.approx([entropy(p.mean()) - (entropy(p[0]) + entropy(p[1])) / 2])


def test_members_which_differ_by_a_constant_do_not_disagree() -> None:
    rewards = np.array([[2.0], [1.0]]) + np.array([[0.0, 10.0, -7.0]])
    found = pair_differences(rewards, np.array([0]), np.array([1]))
    assert found.disagreement == pytest.approx([0.0])
    assert found.bald == pytest.approx([0.0])
    assert rewards.var(axis=1, ddof=1).sum() > 100  # the sum of the two variances would say the opposite


@settings(max_examples=80, deadline=None)
@given(rewards=REWARDS)
def test_swap_leaves_every_score_and_mirrors_the_probability(rewards: np.ndarray) -> None:
    one, two = pair_differences(rewards, A, B), pair_differences(rewards, B, A)
    np.testing.assert_allclose(one.mean, -two.mean, atol=1e-12)
    np.testing.assert_allclose(one.disagreement, two.disagreement, atol=1e-9)
    np.testing.assert_allclose(one.bald, two.bald, atol=1e-12)
    np.testing.assert_allclose(margin(one.mean), margin(two.mean), atol=1e-12)
    np.testing.assert_allclose(probability(one.mean) + probability(two.mean), 1.0, atol=1e-12)
    np.testing.assert_allclose(vote_variance(one.mean), vote_variance(two.mean), atol=1e-12)
    assert np.all((one.bald >= 0) & (one.bald <= np.log(2) + 1e-12))


def test_one_model_cannot_disagree_with_itself() -> None:
    found = pair_differences(np.array([[1.0], [0.0]]), np.array([0]), np.array([1]))
    assert found.disagreement.tolist() == [0.0]
    assert found.bald == pytest.approx([0.0])


def test_bald_of_extreme_logits_is_finite_and_full() -> None:
    assert mutual_information(np.array([[800.0, -800.0]])) == pytest.approx([np.log(2)])
    assert vote_variance(np.array([50.0]))[0] > 0


def test_ambiguity_is_not_taken_for_ignorance() -> None:
    # An even pair that all members know to be even; a close call the members differ about; a clear pair.
    difference = np.array([[0.0, 0.0, 0.0], [1.0, -1.0, 0.1], [4.0, 4.2, 3.9]])
    doubt = difference.var(axis=1, ddof=1)
    score = combined_uncertainty(doubt, difference.mean(axis=1))
    assert np.argmax(score) == 1
    assert np.argmin(margin(difference.mean(axis=1))) == 0  # margin alone would have picked the even pair


def test_combined_is_the_mean_of_scaled_ranks_with_ties_averaged() -> None:
    score = combined_uncertainty(np.array([0.1, 0.5, 0.5]), np.array([0.0, -2.0, 1.0]))
    assert score == pytest.approx([(1 + 3) / 6, (2.5 + 1) / 6, (2.5 + 2) / 6])


@settings(max_examples=40, deadline=None)
@given(rewards=REWARDS, order=st.permutations(range(4)))
def test_combined_follows_a_permutation(rewards: np.ndarray, order: list[int]) -> None:
    found = pair_differences(rewards, A, B)
    score = combined_uncertainty(found.disagreement, found.mean)
    moved = combined_uncertainty(found.disagreement[order], found.mean[order])
    np.testing.assert_allclose(moved, score[order])


def test_chunks_join_without_a_seam() -> None:
    rng = np.random.default_rng(0)
    rewards = rng.standard_normal((300, 3))
    a, b = rng.integers(0, 300, (2, CHUNK_PAIRS + 17))
    found = pair_differences(rewards, a, b)
    whole = rewards[a] - rewards[b]
    np.testing.assert_allclose(found.mean, whole.mean(axis=1), atol=1e-12)
    np.testing.assert_allclose(found.disagreement, whole.var(axis=1, ddof=1), atol=1e-12)


@pytest.mark.parametrize(
    ("s", "nodes", "off"),
    [(0.0, 15, 1e-12), (1.0, 15, 1e-7), (2.0, 15, 1e-4), (4.0, 15, 0.01), (4.0, 64, 1e-4)],
)
def test_quadrature_equals_a_dense_one(s: float, nodes: int, off: float) -> None:
    z = np.linspace(-12, 12, 20_001)
    weight = np.exp(-(z**2) / 2)
    weight /= weight.sum()
    mean = np.linspace(-8, 8, 33)

    def entropy(p: np.ndarray) -> np.ndarray:
        return -p * np.log(p) - (1 - p) * np.log1p(-p)

    p = 1 / (1 + np.exp(-(mean[:, None] + s * z).clip(-30, 30)))
    exact = entropy(p @ weight) - entropy(p) @ weight
    found = gauss_hermite_bald(mean, np.full(33, s**2), nodes)
    np.testing.assert_allclose(found, exact, atol=off)
    np.testing.assert_allclose(found, gauss_hermite_bald(-mean, np.full(33, s**2), nodes), atol=1e-12)
    assert (exact.max() > 0.01) == (s > 0)


def test_quadrature_equals_many_members() -> None:
    rng = np.random.default_rng(0)
    mean, variance = np.array([0.0, 1.0, -3.0]), np.array([0.25, 4.0, 1.0])
    members = mean[:, None] + np.sqrt(variance)[:, None] * rng.standard_normal((3, 200_000))
    np.testing.assert_allclose(gauss_hermite_bald(mean, variance), mutual_information(members), atol=2e-3)


def test_quadrature_in_chunks_and_at_the_ends() -> None:
    mean = np.resize([0.0, 900.0, -900.0, 0.5], CHUNK_PAIRS + 6)
    variance = np.resize([0.0, 1.0, 1.0, 2.0], CHUNK_PAIRS + 6)
    found = gauss_hermite_bald(mean, variance)
    assert found[:3].tolist() == pytest.approx([0.0, 0.0, 0.0], abs=1e-12)
    assert found[3] == found[CHUNK_PAIRS + 3] > 0.05
