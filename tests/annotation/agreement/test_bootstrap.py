"""The bootstrap is the item bootstrap: exact distribution, the naive way, coverage, and when it says no."""

import itertools
import tracemalloc
from collections import Counter
from math import comb

import numpy as np
import pytest

from annotation.agreement.bootstrap import estimates, resampled
from annotation.agreement.estimate import Coefficient
from annotation.agreement.fleiss import fleiss, fleiss_kappa
from annotation.agreement.krippendorff import LEVELS, alpha, krippendorff_alpha
from annotation.agreement.percent import percent
from annotation.agreement.report import agreement
from annotation.agreement.units import from_matrix, from_ratings

ALL: dict[str, Coefficient] = {
    **{level: alpha(level) for level in LEVELS},
    "fleiss": fleiss,
    "percent": percent,
}


def votes(units: int, seed: int, skill: float = 0.5) -> np.ndarray:
    """(units, 3) counts of 1–5 ratings: the unit's truth with chance `skill`, else uniform."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(units), rng.integers(1, 6, units))
    truth = rng.integers(0, 3, units)[unit]
    value = np.where(rng.random(len(unit)) < skill, truth, rng.integers(0, 3, len(unit)))
    return np.bincount(unit * 3 + value, minlength=units * 3).reshape(units, 3)


def drawn(matrix: np.ndarray, draws: int, seed: int = 0) -> np.ndarray:
    counts = from_matrix(matrix)
    return np.concatenate(list(resampled(counts, rng=np.random.default_rng(seed), draws=draws)))


@pytest.mark.slow
def test_index_draws_have_the_exact_distribution() -> None:
    matrix = np.array([[2, 0], [1, 1], [0, 2]])  # three units, three patterns: 27 equally likely resamples
    found = Counter(map(tuple, drawn(matrix, 27_000).astype(int).tolist()))
    exact = Counter(
        tuple(np.bincount(picked, minlength=3).tolist()) for picked in itertools.product(range(3), repeat=3)
    )
    assert set(found) == set(exact)
    for pattern, ways in exact.items():
        assert abs(found[pattern] - 1000 * ways) < 4.5 * np.sqrt(1000 * ways)


def test_pattern_draws_have_the_exact_distribution() -> None:
    matrix = np.array([[2, 0]] * 30 + [[1, 1]] * 10)  # many units a pattern: Binomial(40, ¼)
    found = np.bincount(drawn(matrix, 20_000)[:, 0].astype(int), minlength=41)
    share = 0.25 if from_matrix(matrix).multiplicity[0] == 10 else 0.75
    exact = np.array([comb(40, k) * share**k * (1 - share) ** (40 - k) for k in range(41)]) * 20_000
    assert (np.abs(found - exact) <= 4.5 * np.sqrt(exact) + 3).all()


@pytest.mark.parametrize("units", [30, 700])
def test_every_draw_resamples_all_units(units: int) -> None:
    counts = from_matrix(votes(units, seed=1))
    blocks = list(resampled(counts, rng=np.random.default_rng(0), draws=2500))
    weights = np.concatenate(blocks)
    assert weights.shape == (2500, len(counts.multiplicity))
    assert (weights.sum(axis=1) == units).all()


@pytest.mark.slow
@pytest.mark.parametrize("units", [40, 900])
def test_equals_naive_resampling_of_items(units: int) -> None:
    """Both ways of drawing (40 units: by index; 900: by pattern) against rows picked and counted afresh."""
    matrix = votes(units, seed=units)
    found = estimates(from_matrix(matrix, categories=range(3)), ALL, rng=np.random.default_rng(0), draws=4000)
    rng = np.random.default_rng(1)
    naively = [
        estimates(
            from_matrix(matrix[rng.integers(0, units, units)], categories=range(3)), ALL, rng=rng, draws=0
        )
        for _ in range(400)
    ]
    for name, estimate in found.items():
        naive = np.array([one[name].value for one in naively], dtype=float)
        spread = naive.std()
        low, high = np.quantile(naive, [0.025, 0.975])
        assert estimate.low == pytest.approx(low, abs=0.3 * spread), name
        assert estimate.high == pytest.approx(high, abs=0.3 * spread), name


@pytest.mark.slow
def test_each_draw_is_the_coefficient_of_the_resampled_units() -> None:
    counts = from_matrix(votes(60, seed=3), categories=range(3))
    weights = next(iter(resampled(counts, rng=np.random.default_rng(4), draws=20)))
    for name, coefficient in ALL.items():
        values = coefficient(counts)(weights)
        for row, value in zip(weights.astype(int), values, strict=True):
            again = from_matrix(np.repeat(counts.patterns.toarray(), row, axis=0), categories=range(3))
            expected = estimates(again, {name: coefficient}, rng=np.random.default_rng(0), draws=0)[
                name
            ].value
            assert value == pytest.approx(expected, abs=1e-12), name


@pytest.mark.slow
def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Ratings equal to the truth with chance .5 give α = .25 in the population."""
    hits = 0
    for seed in range(400):
        estimate = estimates(
            from_matrix(votes(150, seed)), {"a": alpha("nominal")}, rng=np.random.default_rng(seed), draws=400
        )["a"]
        assert estimate.low is not None
        assert estimate.high is not None
        hits += estimate.low <= 0.25 <= estimate.high
    assert 0.91 <= hits / 400 <= 0.98


def test_values_are_the_plain_coefficients_and_draws_are_reproducible() -> None:
    counts = from_matrix(votes(300, seed=9), categories=range(3))
    first = agreement(counts, rng=np.random.default_rng(3))
    second = agreement(counts, rng=np.random.default_rng(3))
    other = agreement(counts, rng=np.random.default_rng(4))
    assert first == second
    assert first.krippendorff["ordinal"].low != other.krippendorff["ordinal"].low
    for level in LEVELS:
        assert first.krippendorff[level].value == krippendorff_alpha(counts, level).value
    assert first.fleiss.value == fleiss_kappa(counts).value
    for estimate in (*first.krippendorff.values(), first.fleiss, first.percent, first.gwet_ac1):
        assert None not in (estimate.low, estimate.value, estimate.high)
        assert estimate.low < estimate.value < estimate.high  # type: ignore[operator]
        assert estimate.draws == 1000


def test_order_of_the_ratings_does_not_change_the_report() -> None:
    rng = np.random.default_rng(0)
    unit, value = rng.integers(0, 200, 900), rng.integers(0, 3, 900)
    order = rng.permutation(900)
    first = agreement(from_ratings(unit, value), rng=np.random.default_rng(1))
    assert first == agreement(from_ratings(unit[order], value[order]), rng=np.random.default_rng(1))


def test_wider_confidence_gives_a_wider_interval() -> None:
    counts = from_matrix(votes(100, seed=2))
    narrow, wide = (
        estimates(counts, {"f": fleiss}, rng=np.random.default_rng(0), confidence=level)["f"]
        for level in (0.5, 0.99)
    )
    assert wide.low is not None
    assert narrow.low is not None
    assert narrow.high is not None
    assert wide.high is not None
    assert wide.low < narrow.low < narrow.high < wide.high


def test_undefined_coefficients_keep_their_reason_and_the_rest_their_value() -> None:
    report = agreement(from_matrix([[3, 0, 0], [2, 0, 0], [0, 1, 0]]), rng=np.random.default_rng(0))
    assert report.krippendorff["nominal"].value is None
    assert report.krippendorff["nominal"].reason == "all ratings fall in one category"
    assert (report.percent.value, report.percent.units, report.percent.dropped_units) == (1.0, 2, 1)
    assert report.krippendorff["interval"].reason == "all ratings fall in one category"


def test_one_unit_gives_a_value_without_an_interval() -> None:
    estimate = agreement(from_matrix([[2, 1], [0, 1]]), rng=np.random.default_rng(0)).percent
    assert estimate.value == pytest.approx(1 / 3)
    assert (estimate.low, estimate.high) == (None, None)
    assert estimate.reason == "one unit with two ratings gives no interval"


def test_interval_is_withheld_where_many_resamples_are_undefined() -> None:
    counts = from_matrix([[2, 0], [2, 0], [1, 1]])
    estimate = estimates(counts, {"a": alpha("nominal")}, rng=np.random.default_rng(0))["a"]
    assert estimate.value is not None
    assert estimate.low is None
    assert estimate.reason is not None
    assert "undefined in" in estimate.reason
    assert estimate.draws == pytest.approx(1000 * (1 - 8 / 27), abs=60)


def test_no_draws_means_no_interval_and_nonsense_is_refused() -> None:
    counts = from_matrix(votes(30, seed=0))
    estimate = estimates(counts, {"p": percent}, rng=np.random.default_rng(0), draws=0)["p"]
    assert (estimate.low, estimate.reason, estimate.draws) == (None, None, 0)
    with pytest.raises(ValueError, match="draws -1"):
        estimates(counts, {"p": percent}, rng=np.random.default_rng(0), draws=-1)
    with pytest.raises(ValueError, match="confidence 95"):
        estimates(counts, {"p": percent}, rng=np.random.default_rng(0), confidence=95)


def test_a_million_ratings_stay_within_300_mb() -> None:
    rng = np.random.default_rng(0)
    unit, value = np.repeat(np.arange(200_000), 5), rng.integers(1, 4, 1_000_000)
    tracemalloc.start()
    try:
        report = agreement(from_ratings(unit, value), rng=rng)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert report.krippendorff["ordinal"].draws == 1000
    assert peak < 300e6


@pytest.mark.slow
def test_continuous_values_cost_memory_by_the_rating() -> None:
    """100,000 distinct values on 50,000 units; with two ratings a unit α = 1 − mean (x − y)² / (2 s²)."""
    rng = np.random.default_rng(0)
    pairs = rng.normal(5, 1, (50_000, 1)) + rng.normal(0, 0.7, (50_000, 2))
    tracemalloc.start()
    try:
        counts = from_ratings(np.repeat(np.arange(50_000), 2), pairs.ravel())
        found = estimates(counts, {"a": alpha("interval")}, rng=rng, draws=20)["a"]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    expected = 1 - ((pairs[:, 0] - pairs[:, 1]) ** 2).mean() / (2 * pairs.var(ddof=1))
    assert found.value == pytest.approx(expected, abs=1e-9)
    assert found.low is not None
    assert found.high is not None
    assert found.low < expected < found.high
    assert peak < 100e6
