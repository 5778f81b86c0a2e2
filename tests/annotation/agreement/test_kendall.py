"""W against an independent library on random rankings with ties, by hand, and what it does not depend on."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from annotation.agreement.estimate import Estimate
from annotation.agreement.kendall import concordances, mean_concordance, mean_spearman, mid_ranks
from annotation.agreement.units import UnusableRatingsError

RANKINGS = st.integers(3, 6).flatmap(
    lambda n: st.lists(st.lists(st.integers(1, n), min_size=n, max_size=n), min_size=2, max_size=6)
)


def w_of(rankings: list[list[int]]) -> float:
    return float(concordances([7] * len(rankings), rankings).w[0])


def shuffled(items: int, people: int, n: int, seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    return np.repeat(np.arange(items), people), [rng.permutation(n) + 1 for _ in range(items * people)]


def holds(found: Estimate, value: float) -> bool:
    assert found.low is not None
    assert found.high is not None
    return found.low <= value <= found.high


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(rankings=RANKINGS)
def test_equals_friedmans_statistic(rankings: list[list[int]]) -> None:
    """χ² = m (n − 1) W, with the same correction for ties."""
    table = np.array(rankings)
    if all(len(set(row)) == 1 for row in rankings):
        assert np.isnan(w_of(rankings))
        return
    chi_square = stats.friedmanchisquare(*table.T).statistic
    assert w_of(rankings) == pytest.approx(chi_square / (table.shape[0] * (table.shape[1] - 1)), abs=1e-10)


def test_worked_by_hand() -> None:
    """Three judges of six: rank sums 8 14 11 11 11 8, S = 25.5, W = 12 · 25.5 / (9 · 210)."""
    judges = [[1, 6, 3, 2, 5, 4], [1, 5, 6, 4, 2, 3], [6, 3, 2, 5, 4, 1]]
    assert w_of(judges) == pytest.approx(12 * 25.5 / (9 * 210), abs=1e-12)


def test_the_extremes() -> None:
    assert w_of([[1, 2, 3, 4]] * 5) == pytest.approx(1)
    assert w_of([[1, 1, 3, 4]] * 2) == pytest.approx(1)
    assert w_of([[1, 2, 3], [3, 2, 1]]) == pytest.approx(0)
    assert w_of([[1, 2], [1, 2], [2, 1]]) == pytest.approx(1 / 9)


def test_people_and_responses_are_interchangeable() -> None:
    rng = np.random.default_rng(3)
    rankings = rng.integers(1, 5, (6, 5))
    expected = w_of(rankings.tolist())
    assert w_of(rankings[rng.permutation(6)].tolist()) == pytest.approx(expected, abs=1e-12)
    assert w_of(rankings[:, rng.permutation(5)].tolist()) == pytest.approx(expected, abs=1e-12)
    assert w_of((10 * rankings).tolist()) == pytest.approx(expected, abs=1e-12)


def test_rho_is_the_mean_spearman_of_all_pairs_of_people() -> None:
    rng = np.random.default_rng(4)
    rankings = [rng.permutation(6) for _ in range(5)]
    pairs = [stats.spearmanr(*pair).statistic for pair in itertools.combinations(rankings, 2)]
    assert concordances([0] * 5, rankings).rho[0] == pytest.approx(np.mean(pairs), abs=1e-12)


def test_orders_by_chance_agree_one_in_m_and_rho_takes_that_out() -> None:
    found = concordances(*shuffled(2_000, 3, 5, seed=5))
    mean, rho = (
        of(found, rng=np.random.default_rng(6), draws=400) for of in (mean_concordance, mean_spearman)
    )
    assert holds(mean, 1 / 3)
    assert holds(rho, 0)


def test_items_of_all_sizes_stand_side_by_side() -> None:
    found = concordances(
        [5, 2, 5, 9, 9, 4], [[1, 2, 3], [2, 1], [1, 2, 3], [1, 2, 3, 4], [4, 3, 2, 1], [1, 1]]
    )
    assert found.item.tolist() == [2, 4, 5, 9]
    assert found.people.tolist() == [1, 1, 2, 2]
    assert found.responses.tolist() == [2, 2, 3, 4]
    assert found.w.tolist()[2:] == pytest.approx([1, 0])
    assert np.isnan(found.w[:2]).all()
    mean = mean_concordance(found, rng=np.random.default_rng(0))
    assert (mean.value, mean.units, mean.ratings, mean.dropped_units) == (0.5, 2, 4, 2)


def test_counted_rankings_are_the_same_as_repeated_ones() -> None:
    counted = concordances([1, 1], [[1, 2, 3], [2, 1, 3]], [3, 2])
    repeated = concordances([1] * 5, [[1, 2, 3]] * 3 + [[2, 1, 3]] * 2)
    assert counted.w[0] == pytest.approx(repeated.w[0], abs=1e-12)
    assert counted.people[0] == 5


def test_mid_ranks_as_scipy_has_them() -> None:
    rng = np.random.default_rng(8)
    table = rng.integers(0, 4, (50, 6)).astype(float)
    assert np.array_equal(mid_ranks(table), stats.rankdata(table, axis=1))


@pytest.mark.slow
def test_the_interval_covers_the_mean() -> None:
    """Of items whose W varies: 95 % intervals of 80 samples hold the long-run mean about as often."""

    def sample(items: int, seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
        rng = np.random.default_rng(seed)
        worth = rng.normal(0, rng.choice([0.1, 2.0], size=(items, 1)), (items, 4)).repeat(3, axis=0)
        rankings = (-(worth + rng.normal(0, 1, worth.shape))).argsort(axis=1).argsort(axis=1) + 1
        return np.repeat(np.arange(items), 3), list(rankings)

    truth = mean_concordance(concordances(*sample(20_000, 0)), rng=np.random.default_rng(0), draws=0).value
    assert truth is not None
    held = 0
    for seed in range(1, 81):
        found = mean_concordance(concordances(*sample(60, seed)), rng=np.random.default_rng(seed), draws=300)
        held += holds(found, truth)
    assert held >= 69, f"{held} of 80 intervals hold the mean"


def test_reasons_where_there_is_no_value() -> None:
    rng = np.random.default_rng(0)
    assert mean_concordance(concordances([1], [[1, 2]]), rng=rng).reason == "no unit has two ratings"
    level = concordances([1, 1], [[1, 1], [1, 1]])
    assert mean_concordance(level, rng=rng).reason == "everybody ranked all responses level"
    one = mean_concordance(concordances([1, 1], [[1, 2], [1, 2]]), rng=rng)
    assert (one.value, one.low, one.reason) == (1, None, "one item gives no interval")


def test_bad_input_is_named() -> None:
    with pytest.raises(UnusableRatingsError, match="item 3 has rankings of different lengths"):
        concordances([3, 3], [[1, 2], [1, 2, 3]])
    with pytest.raises(UnusableRatingsError, match="must be as many"):
        concordances([3], [[1, 2], [2, 1]])
