from __future__ import annotations

import numpy as np
import pytest

from activelearning.acquisition.curves import area_gain, label_ratio, paired_gain


def rising(labels: np.ndarray, seeds: int, speed: float, noise: float, seed: int = 0) -> np.ndarray:
    """A curve that reaches with speed · m labels what speed 1 reaches with m."""
    rng = np.random.default_rng(seed)
    return 0.8 - 0.3 * np.exp(-labels * speed / 600) + rng.normal(0, noise, (seeds, len(labels)))


LABELS = np.arange(100, 2_001, 100)


def test_twice_the_speed_is_half_the_labels() -> None:
    active, random = rising(LABELS, 20, 2.0, 0.002), rising(LABELS, 20, 1.0, 0.002, seed=1)
    found = label_ratio(active, LABELS, random, LABELS, at=1_000)
    assert found.value == pytest.approx(0.5, abs=0.03)
    assert found.low < 0.5 < found.high
    assert found.high - found.low < 0.15
    assert not found.censored


def test_a_level_never_reached_is_a_bound_not_a_gap() -> None:
    active, random = rising(LABELS, 20, 0.4, 0.0005), rising(LABELS, 20, 1.0, 0.0005, seed=1)
    found = label_ratio(active, LABELS, random, LABELS, at=1_000)
    assert found.censored
    assert found.value == found.high == 2.0
    assert found.censored_share > 0.9


@pytest.mark.slow
def test_the_interval_covers_as_often_as_it_says() -> None:
    hits = 0
    for seed in range(60):
        active = rising(LABELS, 20, 1.5, 0.01, seed=seed)
        random = rising(LABELS, 20, 1.0, 0.01, seed=1_000 + seed)
        found = label_ratio(active, LABELS, random, LABELS, at=1_000)
        hits += found.low <= 1 / 1.5 <= found.high
    assert hits >= 50  # of 60; .95 would be 57, making the curves monotone costs a little


def test_paired_gains_use_the_pairing() -> None:
    rng = np.random.default_rng(0)
    ground = rng.normal(0, 1, (30, 1)) + np.zeros((30, 5))
    found = area_gain(ground + 0.1 + rng.normal(0, 0.01, (30, 5)), ground)
    assert found.low < 0.1 < found.high
    assert found.high - found.low < 0.02
    assert paired_gain(np.array([0.3])).low == -np.inf


def test_asking_beyond_the_reference_is_refused() -> None:
    curve = rising(LABELS, 3, 1.0, 0.01)
    with pytest.raises(ValueError, match="from 100 to 2000"):
        label_ratio(curve, LABELS, curve, LABELS, at=5_000)
