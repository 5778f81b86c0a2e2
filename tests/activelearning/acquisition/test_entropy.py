from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma

from activelearning.acquisition import entropy as module
from activelearning.acquisition.entropy import BalPm, PromptEntropy, kth_distances
from activelearning.acquisition.pool import PoolError

from .pair_worlds import take

NONE = np.zeros(0, dtype=np.int64)


def naive(features: np.ndarray, prompt_of: np.ndarray, acquired: list[int], k: int, d: float) -> np.ndarray:
    """Everything from the matrix of distances, at every step."""
    distance = np.linalg.norm(features[:, None] - features[None], axis=2)
    others = distance + np.where(np.eye(len(features), dtype=bool), np.inf, 0.0)
    radius = np.sort(others, axis=1)[:, k - 1]
    inside = np.array([(distance[row, acquired] <= radius[row] + 1e-9).sum() for row in range(len(features))])
    return (np.log(radius / radius.mean() + 1e-4) - digamma(inside + 1.0) / d)[prompt_of]


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    k=st.integers(1, 13),
    m=st.integers(0, 30),
    d=st.sampled_from([0.5, 1.0, 4.0]),
)
def test_equals_the_naive_estimate_after_every_pick(seed: int, k: int, m: int, d: float) -> None:
    rng = np.random.default_rng(seed)
    features, prompt_of = rng.standard_normal((25, 3)) + 7.0, rng.integers(0, 25, 60)
    acquired = rng.integers(0, 25, m)
    entropy = PromptEntropy(features, prompt_of, acquired, k, d)
    seen = acquired.tolist()
    for index in rng.integers(0, 60, 15).tolist():
        np.testing.assert_allclose(
            entropy.scores(), naive(features, prompt_of, seen, k, d), rtol=1e-9, atol=1e-9
        )
        entropy.observe(index)
        seen.append(int(prompt_of[index]))


def test_by_hand() -> None:
    """Prompts at 0, 1, 3 and 7 on a line, k = 1: radii 1, 1, 2, 4; the one at 1 was asked about twice."""
    entropy = PromptEntropy(np.array([[0.0], [1.0], [3.0], [7.0]]), np.arange(4), np.array([1, 1]), k=1)
    assert entropy.inside.tolist() == [2, 2, 2, 0]
    spread = np.log(np.array([1, 1, 2, 4]) / 2 + 1e-4)
    np.testing.assert_allclose(entropy.scores(), spread - digamma(np.array([3, 3, 3, 1])), rtol=1e-12)
    entropy.observe(3)
    assert entropy.inside.tolist() == [2, 2, 2, 1]


def test_falls_only_where_the_pick_is_within_the_radius() -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((40, 2))
    entropy = PromptEntropy(features, np.arange(40), NONE, k=3)
    before = entropy.scores()
    entropy.observe(5)
    fell = entropy.scores() < before
    near = np.linalg.norm(features - features[5], axis=1) <= kth_distances(features, 3) + 1e-12
    assert near.sum() < 40
    assert np.array_equal(fell, near)
    assert np.array_equal(entropy.scores()[~near], before[~near])


def test_neither_unit_nor_origin_nor_order_of_the_prompts_matters() -> None:
    rng = np.random.default_rng(1)
    features, prompt_of, acquired = rng.standard_normal((30, 4)), rng.integers(0, 30, 50), np.array([3, 4, 4])
    plain = PromptEntropy(features, prompt_of, acquired, k=5)
    moved = PromptEntropy(features * 100 + 3, prompt_of, acquired, k=5)
    order = rng.permutation(30)
    place = np.argsort(order)
    shuffled = PromptEntropy(features[order], place[prompt_of], place[acquired], k=5)
    for entropy in (plain, moved, shuffled):
        entropy.observe(8)
    np.testing.assert_allclose(moved.scores(), plain.scores(), rtol=1e-6)
    np.testing.assert_allclose(shuffled.scores(), plain.scores(), rtol=1e-9)


@pytest.mark.parametrize(
    "features",
    [
        np.repeat(np.random.default_rng(0).standard_normal((2, 3)), 20, axis=0),
        np.ones((5, 2)),
        np.ones((1, 2)),
    ],
    ids=["twenty copies of two prompts", "all alike", "a single prompt"],
)
def test_copies_of_a_prompt_stay_finite_and_count_for_each_other(features: np.ndarray) -> None:
    entropy = PromptEntropy(features, np.arange(len(features)), NONE, k=13)
    before = entropy.scores()
    entropy.observe(0)
    alike = (features == features[0]).all(axis=1)
    assert np.isfinite(before).all()
    assert np.isfinite(entropy.scores()).all()
    assert np.array_equal(entropy.scores() < before, alike)


def test_kth_neighbour_is_another_prompt() -> None:
    points = np.random.default_rng(2).standard_normal((50, 4))
    distance = np.sort(np.linalg.norm(points[:, None] - points[None], axis=2), axis=1)
    np.testing.assert_allclose(kth_distances(points, 13), distance[:, 13], rtol=1e-9)
    np.testing.assert_allclose(kth_distances(points[:5], 13), np.sort(distance_of(points[:5]))[:, 4])


def distance_of(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points[None], axis=2)


def test_blocks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    features, acquired = rng.standard_normal((40, 3)), rng.integers(0, 40, 90)
    whole = PromptEntropy(features, np.arange(40), acquired).inside
    monkeypatch.setattr(module, "BLOCK_PROMPTS", 3)
    assert np.array_equal(PromptEntropy(features, np.arange(40), acquired).inside, whole)
    assert whole.max() > 5


def test_entropy_spreads_a_batch_that_bald_would_heap_up() -> None:
    """Ten topics of 12 prompts; BALD is slightly higher in topic 0. BALD alone never leaves it."""
    rng = np.random.default_rng(4)
    topic = np.repeat(np.arange(10), 12)
    features = np.eye(10)[topic] * 10 + 0.1 * rng.standard_normal((120, 10))
    bald = 0.1 + 0.005 * (topic == 0) + 1e-4 * rng.random(120)

    def topics(beta: float) -> list[int]:
        entropy = PromptEntropy(features, np.arange(120), NONE, k=11)
        return topic[take(BalPm(bald, entropy, beta), np.ones(120, dtype=bool), 10)].tolist()

    assert set(topics(0.0)) == {0}
    assert len(set(topics(0.01))) == 10


def test_score_is_bald_plus_beta_times_entropy() -> None:
    bald = np.array([0.1, 0.3, 0.2])
    entropy = PromptEntropy(np.array([[0.0], [1.0], [5.0]]), np.arange(3), NONE, k=1)
    np.testing.assert_allclose(BalPm(bald, entropy, 0.5).scores(), bald + 0.5 * entropy.scores())
    assert BalPm(bald, entropy, 0.0).next(np.ones(3, dtype=bool)) == 1
    assert BalPm(bald, entropy, 0.5).next(np.ones(3, dtype=bool)) == 2


@pytest.mark.parametrize(("k", "dimension"), [(0, 1.0), (3, 0.0), (3, float("nan"))])
def test_refuses_what_is_no_estimate(k: int, dimension: float) -> None:
    with pytest.raises(PoolError, match="must be positive"):
        PromptEntropy(np.eye(3), np.arange(3), NONE, k, dimension)
