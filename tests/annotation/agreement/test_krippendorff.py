"""α against an independent library on random matrices, its invariances and where it is undefined."""

import warnings
from typing import Any

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from annotation.agreement.krippendorff import LEVELS, Level, krippendorff_alpha
from annotation.agreement.units import UnitCounts, from_matrix, from_ratings
from tests.annotation.agreement.published import from_reliability

VALUES = st.sampled_from([np.nan, np.nan, 0.0, 1.0, 2.0, 3.5, 7.0])
MATRICES = hnp.arrays(
    np.float64, st.tuples(st.integers(2, 6), st.integers(1, 9)), elements=VALUES
)  # raters × units


def simulated(seed: int, units: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Ratings 0 … 3 around a latent truth, one to six a unit."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(units), rng.integers(1, 7, units))
    truth = rng.integers(0, 4, units)[unit]
    return unit, np.where(rng.random(len(unit)) < 0.5, truth, rng.integers(0, 4, len(unit)))


def values_in_pairs(matrix: np.ndarray) -> set[float]:
    columns = [column[~np.isnan(column)] for column in matrix.T]
    return {value for column in columns if len(column) >= 2 for value in column}


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=150, deadline=None)
@given(matrix=MATRICES)
def test_equals_the_krippendorff_library(level: Level, matrix: np.ndarray) -> None:
    estimate = krippendorff_alpha(from_reliability(matrix), level)
    if len(values_in_pairs(matrix)) < 2:
        assert estimate.value is None
        assert estimate.reason in {"no unit has two ratings", "all ratings fall in one category"}
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # its ratio metric divides 0 by 0
        expected = krippendorff.alpha(reliability_data=matrix, level_of_measurement=level)
    assert estimate.value == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("level", LEVELS)
def test_equals_the_library_on_a_larger_matrix(level: Level) -> None:
    rng = np.random.default_rng(5)
    matrix = np.clip(rng.normal(50, 20, 300) + rng.normal(0, 12, (7, 300)), 0, 100).round()
    matrix[rng.random(matrix.shape) < 0.4] = np.nan
    expected = krippendorff.alpha(reliability_data=matrix, level_of_measurement=level)
    assert krippendorff_alpha(from_reliability(matrix), level).value == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("level", LEVELS)
def test_annotators_are_interchangeable(level: Level) -> None:
    unit, value = simulated(1)
    order = np.random.default_rng(2).permutation(len(unit))
    first, second = from_ratings(unit, value), from_ratings(unit[order], value[order])
    assert np.array_equal(first.patterns.toarray(), second.patterns.toarray())
    assert krippendorff_alpha(first, level) == krippendorff_alpha(second, level)


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
def test_swapping_a_and_b_changes_nothing(level: Level) -> None:
    unit, value = simulated(3)
    straight, swapped = from_ratings(unit, value), from_ratings(unit, 3 - value)
    assert krippendorff_alpha(swapped, level).value == pytest.approx(
        krippendorff_alpha(straight, level).value, abs=1e-12
    )


def test_levels_respond_to_what_they_should() -> None:
    unit, value = simulated(4)

    def alpha(level: Level, scale: list[float]) -> float:
        found = krippendorff_alpha(from_ratings(unit, np.array(scale)[value]), level).value
        assert found is not None
        return found

    plain, stretched, shifted = [0.0, 1, 2, 3], [0.0, 1, 2, 30], [5.0, 6, 7, 8]
    assert alpha("ordinal", plain) == pytest.approx(alpha("ordinal", stretched), abs=1e-12)
    assert alpha("interval", plain) == pytest.approx(alpha("interval", shifted), abs=1e-12)
    assert abs(alpha("interval", plain) - alpha("interval", stretched)) > 0.005
    assert abs(alpha("ratio", plain) - alpha("ratio", shifted)) > 0.001
    assert alpha("ratio", plain) == pytest.approx(alpha("ratio", [0.0, 3, 6, 9]), abs=1e-12)


def test_recovers_the_share_of_careful_ratings() -> None:
    """Ratings equal to the truth with chance s, else uniform, agree beyond chance s² of the time."""
    unit, value = simulated(6, units=60_000)
    assert krippendorff_alpha(from_ratings(unit, value)).value == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("offset", [1e6, 1e9])
def test_large_offsets_do_not_spoil_the_interval_level(offset: float) -> None:
    unit, value = simulated(7)
    expected = krippendorff_alpha(from_ratings(unit, value), "interval").value
    found = krippendorff_alpha(from_ratings(unit, value + offset), "interval").value
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("level", LEVELS)
def test_perfect_agreement_is_one(level: Level) -> None:
    counts = from_matrix([[3, 0], [0, 2], [4, 0]], categories=(1, 2))
    assert krippendorff_alpha(counts, level).value == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize(
    ("counts", "level", "reason"),
    [
        (from_matrix([[1, 0], [0, 1]]), "nominal", "no unit has two ratings"),
        (from_matrix(np.zeros((0, 3))), "ordinal", "no unit has two ratings"),
        (from_ratings([], []), "nominal", "no unit has two ratings"),
        (from_matrix([[2, 0], [3, 0], [0, 1]]), "nominal", "all ratings fall in one category"),
        (from_matrix([[2, 0], [0, 3]], categories=("a", "b")), "interval", "no numeric values"),
        (
            from_matrix([[2, 0], [0, 3]], categories=(-1, 1)),
            "ratio",
            "needs values of zero or more, found -1",
        ),
        (from_ratings(np.repeat(range(3000), 2), np.arange(6000)), "ratio", "at most 4096 distinct values"),
    ],
)
def test_says_why_there_is_no_alpha(counts: UnitCounts, level: Level, reason: str) -> None:
    estimate = krippendorff_alpha(counts, level)
    assert (estimate.value, estimate.low, estimate.high) == (None, None, None)
    assert estimate.reason is not None
    assert reason in estimate.reason


def test_unknown_level_is_named() -> None:
    level: Any = "ordinary"
    with pytest.raises(ValueError, match="'ordinary' is none of nominal, ordinal"):
        krippendorff_alpha(from_matrix([[1, 1]]), level)
