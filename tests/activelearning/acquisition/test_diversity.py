from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activelearning.acquisition.diversity import (
    GreedyDesign,
    density_floor,
    fit_projection,
    greedy_d_optimal,
    posterior_covariance,
    thin,
)


def naive_greedy(
    x: np.ndarray, v: np.ndarray, n: int, precision: np.ndarray
) -> tuple[list[int], list[float]]:
    """Recompute the inverse at every step."""
    picks: list[int] = []
    gains: list[float] = []
    for _ in range(n):
        covariance = np.linalg.inv(precision)
        gain = np.log1p(v * np.einsum("ij,jk,ik->i", x, covariance, x))
        gain[picks] = -np.inf
        best = int(np.argmax(gain))
        picks.append(best)
        gains.append(float(gain[best]))
        precision = precision + v[best] * np.outer(x[best], x[best])
    return picks, gains


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), labelled=st.integers(0, 20))
def test_equals_the_naive_greedy(seed: int, labelled: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((60, 5)).astype(np.float32)
    v = rng.uniform(0.02, 0.25, 60)
    known, known_v = rng.standard_normal((labelled, 5)), rng.uniform(0.02, 0.25, labelled)
    precision = 2.0 * np.eye(5) + (known.T * known_v) @ known
    covariance = posterior_covariance(known, known_v, 2.0)
    np.testing.assert_allclose(covariance, np.linalg.inv(precision), rtol=1e-9, atol=1e-12)
    picks, gains = greedy_d_optimal(x, v, 25, covariance)
    expected_picks, expected_gains = naive_greedy(x.astype(float), v, 25, precision)
    np.testing.assert_allclose(gains, expected_gains, rtol=1e-4)
    assert picks.tolist() == expected_picks


def test_gains_add_up_to_the_log_determinant() -> None:
    rng = np.random.default_rng(1)
    x, v = rng.standard_normal((40, 4)), rng.uniform(0.1, 0.25, 40)
    picks, gains = greedy_d_optimal(x, v, 10, np.eye(4))
    precision = np.eye(4) + (x[picks].T * v[picks]) @ x[picks]
    assert gains.sum() == pytest.approx(np.linalg.slogdet(precision)[1], rel=1e-5)
    assert np.all(np.diff(gains) <= 1e-6)  # submodular: no later pick gains more


def test_sign_of_a_difference_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    x, v = rng.standard_normal((50, 6)), np.full(50, 0.25)
    turned = x * rng.choice([-1.0, 1.0], 50)[:, None]
    assert (
        greedy_d_optimal(x, v, 12, np.eye(6))[0].tolist()
        == greedy_d_optimal(turned, v, 12, np.eye(6))[0].tolist()
    )


def test_a_copy_loses_its_worth_once_the_original_is_picked() -> None:
    design = GreedyDesign(np.array([[10.0, 0.0], [10.0, 0.0], [0.0, 1.0]]), np.full(3, 0.25), np.eye(2))
    assert design.gain(1) == pytest.approx(np.log(26))
    design.pick(0)
    assert design.gain(1) == pytest.approx(np.log1p(25 / 26), rel=1e-4)
    assert design.gain(2) == pytest.approx(np.log(1.25))


def test_inputs_are_not_changed() -> None:
    x, v, covariance = np.eye(3), np.full(3, 0.25), np.eye(3)
    greedy_d_optimal(x, v, 3, covariance)
    assert np.array_equal(covariance, np.eye(3))
    assert np.array_equal(x, np.eye(3))


def test_projection_keeps_what_differs_and_unit_length() -> None:
    rng = np.random.default_rng(3)
    common = np.repeat(rng.standard_normal((200, 100)), 2, axis=0) * 50  # shared by both responses: cancels
    signal = np.zeros((400, 100))
    signal[:, :5] = rng.standard_normal((400, 5))
    features = common + signal
    a, b = np.arange(0, 400, 2), np.arange(1, 400, 2)
    projected = fit_projection(features, a, b, rng, max_dimensions=5).apply(features)
    x = projected[a] - projected[b]
    assert x.shape == (200, 5)
    assert (x**2).sum(axis=1).mean() == pytest.approx(1.0, rel=1e-3)
    true = signal[a] - signal[b]
    lengths = (true**2).sum(axis=1)
    np.testing.assert_allclose((x**2).sum(axis=1) * lengths.mean(), lengths, rtol=1e-2)


def test_thinning_keeps_the_best_and_a_random_rest() -> None:
    score = np.arange(1000.0)
    kept = thin(score, 1000, 100, np.random.default_rng(0))
    assert len(np.unique(kept)) == 100
    assert set(range(940, 1000)) <= set(kept.tolist())
    assert (kept < 500).sum() > 5
    assert thin(score, 1000, 2000, np.random.default_rng(0)).tolist() == list(range(1000))
    assert len(np.unique(thin(None, 1000, 100, np.random.default_rng(0)))) == 100


def test_density_floor_drops_the_outlier_and_spares_small_pools() -> None:
    x = np.random.default_rng(0).standard_normal((500, 3))
    x[7] *= 100
    dense = density_floor(x)
    assert not dense[7]
    assert dense.sum() == 495
    assert density_floor(x[:100]).all()
