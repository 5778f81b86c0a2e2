from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from activelearning.acquisition.pair_effect import PairEffect, pair_effect_variance


def estimate(
    variance: float, seed: int, *, m: int = 3000, rho: float = 1.0, ties: float = 0.0, told: float = 1.0
) -> PairEffect:
    """Of m simulated pairs with 1 to 5 votes; every answer is a tie with chance `ties`."""
    rng = np.random.default_rng(seed)
    mean = rng.normal(0, 1, m)
    p = expit(mean + np.sqrt(variance) * rng.standard_normal(m))
    votes = rng.integers(1, 6, m)
    tie = rng.binomial(votes, ties)
    a = rng.binomial(votes - tie, rho * p + (1 - rho) / 2)
    shares = np.column_stack([a, tie, votes - tie - a]) / votes[:, None]
    return pair_effect_variance(shares, votes.astype(float), mean, reliability=told)


@pytest.mark.parametrize("variance", [0.3, 1.0, 3.0])
def test_recovers_the_variance_with_an_honest_standard_error(variance: float) -> None:
    found = [estimate(variance, seed) for seed in range(20)]
    values = np.array([each.variance for each in found], dtype=float)
    assert values.mean() == pytest.approx(variance, rel=0.08)
    told = np.mean([each.standard_error for each in found])  # type: ignore[misc]
    assert 0.6 < values.std(ddof=1) / told < 1.5


def test_is_near_zero_where_features_explain_all() -> None:
    found = [estimate(0.0, seed).variance for seed in range(10)]
    assert 0.0 in found
    assert max(found) < 0.12  # type: ignore[type-var]


def test_unreliable_voters_do_not_hide_the_effect_once_told() -> None:
    values = [estimate(1.0, seed, rho=0.7, told=0.7).variance for seed in range(10)]
    assert np.mean(values) == pytest.approx(1.0, rel=0.12)  # type: ignore[arg-type]
    assert estimate(1.0, 0, rho=0.7).variance < 0.8  # type: ignore[operator]


def test_ties_are_half_votes_not_coins() -> None:
    """A tie with chance .4 pulls the mean vote to ½ as lapses do, but adds no noise of its own."""
    values = [estimate(1.0, seed, ties=0.4, told=0.6).variance for seed in range(10)]
    assert np.mean(values) == pytest.approx(1.0, rel=0.12)  # type: ignore[arg-type]


def test_votes_that_are_all_alike_end_at_the_largest_variance_and_swaps_change_nothing() -> None:
    rng = np.random.default_rng(0)
    a = (rng.random(100) < 0.5).astype(float)
    shares, votes = np.column_stack([a, 0 * a, 1 - a]), np.full(100, 5.0)
    assert pair_effect_variance(shares, votes, np.zeros(100)) == PairEffect(50.0, None, 100)
    mean, counts = rng.normal(0, 1, 100), rng.multinomial(4, [0.4, 0.2, 0.4], 100) / 4
    one = pair_effect_variance(counts, votes, mean)
    other = pair_effect_variance(counts[:, ::-1], votes, -mean)
    assert one.variance == pytest.approx(other.variance, abs=1e-5)


def test_pairs_with_one_vote_do_not_count() -> None:
    shares, votes = np.tile([1.0, 0.0, 0.0], (100, 1)), np.ones(100)
    votes[:29] = 2
    assert pair_effect_variance(shares, votes, np.zeros(100)) == PairEffect(None, None, 29)
