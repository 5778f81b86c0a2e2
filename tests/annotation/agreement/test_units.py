"""Ratings become the right patterns, whatever form they come in, and bad ones are refused by name."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.agreement.units import (
    UnitCounts,
    UnknownCategoryError,
    UnusableRatingsError,
    from_matrix,
    from_ratings,
)


def as_counter(counts: UnitCounts) -> Counter[tuple[int, ...]]:
    rows = [tuple(int(cell) for cell in row) for row in counts.patterns.toarray()]
    assert len(set(rows)) == len(rows)
    return Counter(dict(zip(rows, counts.multiplicity.tolist(), strict=True)))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 3)), max_size=60))
@pytest.mark.slow
def test_patterns_are_the_distinct_rows(ratings: list[tuple[int, int]]) -> None:
    table = np.zeros((9, 4), dtype=int)
    for unit, value in ratings:
        table[unit, value] += 1
    rated = table[table.any(axis=1)]
    expected = Counter(tuple(row.tolist()) for row in rated)
    from_long = from_ratings(
        [unit for unit, _ in ratings], [value for _, value in ratings], categories=range(4)
    )
    from_table = from_matrix(table, categories=range(4))
    assert as_counter(from_long) == as_counter(from_table) == expected
    assert np.array_equal(from_long.patterns.toarray(), from_table.patterns.toarray())
    assert (from_long.unrated, from_table.unrated) == (0, 9 - len(rated))
    assert (from_long.units, from_long.ratings) == (len(rated), len(ratings))


def test_patterns_too_wide_for_one_integer_key() -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 1000, (40, 12))
    doubled = np.concatenate([rows, rows[:10]])
    unit = np.repeat(np.arange(50), 12)
    counts = from_ratings(unit, doubled.ravel(), categories=range(1000))
    assert sorted(counts.multiplicity.tolist()) == [1] * 30 + [2] * 10
    assert counts.ratings == 600


def test_many_raters_on_few_categories() -> None:
    table = np.array([[500, 12, 3], [500, 12, 3], [0, 1, 900]])
    assert as_counter(from_matrix(table)) == {(500, 12, 3): 2, (0, 1, 900): 1}


def test_missing_ratings_leave_the_unit_counted() -> None:
    counts = from_ratings(["x", "x", "y", "z"], ["a", "b", None, "a"])
    assert (counts.units, counts.ratings, counts.unrated, counts.paired_units) == (2, 3, 1, 1)
    assert counts.categories == ("a", "b")
    assert counts.numeric is None
    floats = from_ratings([7, 7, 9], [1.0, 2.5, np.nan])
    assert (floats.units, floats.unrated) == (1, 1)
    assert floats.numeric is not None
    assert floats.numeric.tolist() == [1.0, 2.5]


def test_declared_order_is_kept() -> None:
    counts = from_ratings([1, 1, 1], ["tie", "a", "a"], categories=("a", "tie", "b"), numeric=(1, 2, 3))
    assert counts.categories == ("a", "tie", "b")
    assert counts.patterns.toarray().tolist() == [[2, 1, 0]]


@pytest.mark.parametrize("ids", [[10**15, -5, 10**15], ["q1", "q2", "q1"], [3, 2, 3]])
def test_any_ids_will_do(ids: list[Any]) -> None:
    counts = from_ratings(ids, [0, 1, 1])
    assert as_counter(counts) == {(1, 1): 1, (0, 1): 1}


def test_arrays_cannot_be_changed() -> None:
    counts = from_matrix([[1, 2]], categories=(1, 2))
    assert counts.numeric is not None
    for array in (counts.patterns.data, counts.multiplicity, counts.numeric):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5


@pytest.mark.parametrize(
    ("matrix", "options", "message"),
    [
        ([1, 2], {}, r"this one is \(2,\)"),
        ([[1, -1]], {}, "found -1"),
        ([[1, 0.5]], {}, "found 0.5"),
        ([[1, np.nan]], {}, "found nan"),
        ([["x", "y"]], {}, "whole numbers"),
        ([[1, 2]], {"categories": "abc"}, "3 categories for 2 columns"),
        ([[1, 2]], {"numeric": (2, 1)}, "must be finite and increasing"),
        ([[1, 2]], {"numeric": (1, np.inf)}, "must be finite and increasing"),
    ],
)
def test_bad_matrices_are_refused(matrix: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UnusableRatingsError, match=message):
        from_matrix(matrix, **options)


def test_bad_ratings_are_refused() -> None:
    with pytest.raises(UnusableRatingsError, match=r"\(2,\) and ratings \(1,\)"):
        from_ratings([1, 2], [1])
    with pytest.raises(UnusableRatingsError, match="distinct"):
        from_ratings([1], ["a"], categories=("a", "a"))
    with pytest.raises(UnknownCategoryError, match="'both_bad' is none of"):
        from_ratings([1, 1], ["a", "both_bad"], categories=("a", "tie", "b"))
    with pytest.raises(UnknownCategoryError, match="none of"):
        from_ratings([1, 1], [1, 9], categories=(1, 2))
    with pytest.raises(UnknownCategoryError, match="against categories"):
        from_ratings([1, 1], [{}, {}], categories=("a", "b"))
    with pytest.raises(UnknownCategoryError, match="rating 1 is none of"):
        from_ratings([1, 1], [1, 2], categories=("1", "2"))
