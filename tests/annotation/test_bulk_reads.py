"""Rows read straight into arrays."""

import numpy as np
import pytest

from annotation.bulk_reads import Kind, UnreadableRows, read

pytestmark = pytest.mark.django_db

_ROWS = """
    SELECT n::bigint AS n, -n AS less, n %% 2 = 0 AS even, n / 4.0 AS quarter, n %% 100 AS small
    FROM generate_series(1, %(most)s) AS n
"""
_COLUMNS: dict[str, Kind] = {
    "n": "bigint",
    "less": "int",
    "even": "bool",
    "quarter": "float8",
    "small": "smallint",
}


def test_every_type_arrives_as_it_was_sent():
    found = read(_ROWS, {"most": 70_000}, _COLUMNS)
    n = np.arange(1, 70_001)
    np.testing.assert_array_equal(found["n"], n)
    np.testing.assert_array_equal(found["less"], -n)
    np.testing.assert_array_equal(found["even"], n % 2 == 0)
    np.testing.assert_array_equal(found["quarter"], n / 4)
    np.testing.assert_array_equal(found["small"], n % 100)
    assert [found[name].dtype.name for name in _COLUMNS] == ["int64", "int64", "bool", "float64", "int64"]


def test_no_rows_are_empty_arrays():
    found = read(_ROWS, {"most": 0}, _COLUMNS)
    assert [len(column) for column in found.values()] == [0] * 5


@pytest.mark.parametrize("nulls", [1, 3, 10, 20])
def test_null_is_refused(nulls: int):
    """Ten of them are as long as six rows: what is seen then is that every row is cut."""
    query = "SELECT CASE WHEN g > %(nulls)s THEN g END AS n FROM generate_series(1, %(nulls)s + 10) g"
    with pytest.raises(UnreadableRows, match="n: one of them is NULL"):
        read(query, {"nulls": nulls}, {"n": "int"})
