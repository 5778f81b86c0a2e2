from __future__ import annotations

import numpy as np
import pytest

from activelearning.acquisition.projection import fit_projection
from activelearning.acquisition.thinning import density_floor, thin


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


def test_thinning_keeps_the_best_of_every_cluster() -> None:
    score = np.arange(1000.0)
    cluster = np.arange(1000) // 100  # the first cluster has the lowest scores
    kept = thin(score, 1000, 200, np.random.default_rng(0), cluster=cluster)
    assert len(np.unique(kept)) == 200
    for k in range(10):
        assert {100 * k + 99, 100 * k + 98, 100 * k + 97, 100 * k + 96} <= set(kept.tolist())
    many = thin(score, 1000, 5, np.random.default_rng(0), cluster=cluster)
    assert len(np.unique(many)) == 5


def test_the_density_floor_leaves_out_the_outliers_only() -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((600, 4))
    z[:3] *= 40
    first, second = np.arange(300), np.arange(300, 600)
    dense = density_floor(z, first, second, quantile=0.99)
    assert not dense[:3].any()
    assert dense.mean() >= 0.99
    assert density_floor(z[:100], first[:50], second[:50] - 250).all()
