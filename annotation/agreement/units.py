"""Ratings as counts of identical units: the one representation every coefficient here works on.

A unit is whatever was judged once by several people (an item under one criterion). None of these
coefficients asks *who* chose a category, only *how many* did, so a unit is its row of counts and equal rows
need to be kept once. 800,000 ratings of three categories by five people each are at most 21 rows. Where
values are many (a slider from 0 to 100) rows are mostly zeros and are kept sparse; nothing of the size
annotators × units or units × categories is ever built.

    patterns      (P, q)   how many ratings of the unit fall in each category, one row a distinct pattern,
                           a scipy CSR array of float64
    multiplicity  (P,)     how many units show that pattern, Σ = units with at least one rating
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
AnyArray = npt.NDArray[Any]

BLOCK_CELLS = 1_000_000
"""Longest dense intermediate array: 8 MB of float64. Work on more is done in blocks."""


class UnusableRatingsError(ValueError):
    """The ratings or counts cannot be read as units × categories."""


class UnknownCategoryError(ValueError):
    """A rating is none of the declared categories."""


@dataclass(frozen=True, slots=True, eq=False)
class UnitCounts:
    """Unique count patterns with their multiplicity. Build with `from_matrix` or `from_ratings`.

    categories: the possible categories, in order (the order is what the ordinal level uses).
    numeric:    (q,) strictly increasing values of the categories, or None where they are mere names;
                the interval and ratio levels need them.
    unrated:    units that were given without a single rating; they are in no pattern.
    """

    patterns: sparse.csr_array
    multiplicity: IntArray
    categories: tuple[Any, ...]
    numeric: FloatArray | None
    unrated: int

    @property
    def sizes(self) -> FloatArray:
        """(P,) ratings per unit of each pattern."""
        return np.asarray(self.patterns.sum(axis=1))

    @property
    def paired(self) -> BoolArray:
        """(P,) whether units of the pattern have the two ratings that agreement needs."""
        return np.asarray(self.sizes >= 2)

    @property
    def units(self) -> int:
        """Units with at least one rating."""
        return int(self.multiplicity.sum())

    @property
    def ratings(self) -> int:
        return int(self.multiplicity @ self.sizes)

    @property
    def paired_units(self) -> int:
        return int(self.multiplicity[self.paired].sum())

    @property
    def paired_ratings(self) -> int:
        return int(self.multiplicity[self.paired] @ self.sizes[self.paired])


def from_matrix(
    matrix: npt.ArrayLike,
    *,
    categories: Sequence[Any] | None = None,
    numeric: Sequence[float] | None = None,
) -> UnitCounts:
    """Counts from a units × categories matrix of non-negative whole numbers.

    matrix: (units, q). A row of zeros is a unit nobody rated: counted in `unrated`.
    categories: q names in column order, default 0 … q−1. `numeric`: their values, default the categories if
    these are numbers and were given.
    Raises UnusableRatingsError for another shape, or for counts that are negative or not whole.
    """
    table = np.asarray(matrix)
    if table.ndim != 2 or table.shape[1] == 0:
        raise UnusableRatingsError(f"a count matrix is (units, categories), this one is {table.shape}")
    counts = _whole(table)
    width = counts.shape[1]
    names = tuple(range(width)) if categories is None else tuple(categories)
    if len(names) != width:
        raise UnusableRatingsError(f"{len(names)} categories for {width} columns: name each column once")
    values = _numeric(names, numeric, default=categories is not None)
    cells = counts.ravel()
    codes = np.repeat(np.tile(np.arange(width), len(counts)), cells)
    sizes = counts.sum(axis=1)
    return _from_sorted(codes, sizes[sizes > 0], names, values, unrated=int((sizes == 0).sum()))


def from_ratings(
    units: npt.ArrayLike,
    values: npt.ArrayLike,
    *,
    categories: Sequence[Any] | None = None,
    numeric: Sequence[float] | None = None,
) -> UnitCounts:
    """Counts from one rating a row: which unit, which value. NaN and None are missing ratings.

    units: (n,) ids, integers (fastest) or strings. values: (n,) numbers or strings.
    categories: the possible values in order; default the values that occur, sorted. Declare them where the
    scale is known: Gwet's AC1 and Brennan-Prediger depend on how many there could have been. `numeric`: as
    in `from_matrix`, default the categories if numbers.
    Raises UnknownCategoryError for a value outside `categories`, UnusableRatingsError for arrays of unequal
    length.
    """
    unit_ids, ratings = np.asarray(units), np.asarray(values)
    if unit_ids.ndim != 1 or unit_ids.shape != ratings.shape:
        raise UnusableRatingsError(
            f"unit ids {unit_ids.shape} and ratings {ratings.shape} must be flat arrays of one length"
        )
    unit_codes = compact(unit_ids)
    given = int(np.count_nonzero(np.bincount(unit_codes)))
    present = _present(ratings)
    if not present.all():
        unit_codes, ratings = unit_codes[present], ratings[present]
    if ratings.dtype == object:
        ratings = np.array(ratings.tolist())
    names, codes = _category_codes(ratings, categories)
    key = np.sort(unit_codes * len(names) + codes)
    unit_sorted = key // max(len(names), 1)
    edges = np.flatnonzero(np.diff(unit_sorted)) + 1
    sizes = np.diff(edges, prepend=0, append=len(key)) if len(key) else np.zeros(0, np.int64)
    return _from_sorted(
        key - unit_sorted * len(names),
        sizes,
        names,
        _numeric(names, numeric, default=True),
        unrated=given - len(sizes),
    )


def _whole(table: AnyArray) -> IntArray:
    try:
        with np.errstate(invalid="ignore"):  # NaN and infinity are caught below
            counts = table.astype(np.int64)
    except (TypeError, ValueError) as error:
        raise UnusableRatingsError(f"counts must be whole numbers, found {table.dtype}") from error
    wrong = (counts != table) | (counts < 0)
    if wrong.any():
        raise UnusableRatingsError(f"counts must be whole and not negative, found {table[wrong][0]}")
    return counts


def _numeric(names: tuple[Any, ...], given: Sequence[float] | None, *, default: bool) -> FloatArray | None:
    """The categories' values as strictly increasing finite floats, or None if they have none."""
    if given is None:
        if not default or not all(isinstance(name, int | float | np.number) for name in names):
            return None
        given = names
    values = np.array(given, dtype=np.float64)
    if values.shape != (len(names),) or not np.isfinite(values).all() or (np.diff(values) <= 0).any():
        raise UnusableRatingsError(
            f"numeric values {list(given)[:8]} must be finite and increasing, one for each of the "
            f"{len(names)} categories"
        )
    values.flags.writeable = False
    return values


def compact(ids: AnyArray) -> IntArray:
    """Small integers for the ids; gaps are allowed where the ids are themselves compact integers."""
    if ids.size and np.issubdtype(ids.dtype, np.integer):
        low, high = int(ids.min()), int(ids.max())
        if high - low < 4 * ids.size + 1024:
            return np.asarray(ids.astype(np.int64) - low)
    return np.asarray(np.unique(ids, return_inverse=True)[1], dtype=np.int64)


def _present(ratings: AnyArray) -> BoolArray:
    if np.issubdtype(ratings.dtype, np.floating):
        return np.asarray(~np.isnan(ratings))
    if ratings.dtype == object:
        return np.array([value is not None and value == value for value in ratings], dtype=np.bool_)
    return np.ones(ratings.shape, dtype=np.bool_)


def _category_codes(ratings: AnyArray, categories: Sequence[Any] | None) -> tuple[tuple[Any, ...], IntArray]:
    """The categories in order and each rating's place among them."""
    if categories is None:
        found, codes = np.unique(ratings, return_inverse=True)
        return tuple(found.tolist()), np.asarray(codes, dtype=np.int64)
    names = tuple(categories)
    if len(set(names)) != len(names) or not names:
        raise UnusableRatingsError(f"categories must be distinct and at least one, given {names[:8]}")
    if not ratings.size:
        return names, np.zeros(0, np.int64)
    known = np.array(names)
    order = np.argsort(known)
    try:
        places = np.searchsorted(known, ratings, sorter=order)
    except TypeError as error:
        raise UnknownCategoryError(f"{ratings.dtype} ratings against categories {names[:8]}") from error
    codes = order[np.minimum(places, len(names) - 1)]
    strange = known[codes] != ratings
    if np.any(strange):
        raise UnknownCategoryError(
            f"rating {ratings[strange][0].item()!r} is none of {names[:8]}: declare it or leave it out"
        )
    return names, np.asarray(codes, dtype=np.int64)


def _from_sorted(
    codes: IntArray, sizes: IntArray, names: tuple[Any, ...], numeric: FloatArray | None, *, unrated: int
) -> UnitCounts:
    """Counts from category codes laid out unit after unit, ascending inside each.

    sizes: ratings per unit, all > 0.
    Units of equal size form a rectangle whose rows are multisets, so equal rows are equal patterns. The
    order of patterns depends on the patterns alone: the same ratings in any order give the same arrays,
    hence the same bootstrap draws.
    """
    width = len(names)
    starts = np.cumsum(sizes) - sizes
    parts = [sparse.csr_array((0, width), dtype=np.float64)]
    multiplicities = [np.zeros(0, np.int64)]
    for size in np.unique(sizes).tolist():
        rows = codes[starts[sizes == size][:, None] + np.arange(size)]
        if size > width:
            rows, multiplicity = _unique_rows(_dense(rows, width), size + 1)
            part = sparse.csr_array(rows.astype(np.float64))
        else:
            rows, multiplicity = _unique_rows(rows, width)
            edges = np.arange(0, rows.size + 1, size)
            part = sparse.csr_array((np.ones(rows.size), rows.ravel(), edges), shape=(len(rows), width))
            part.sum_duplicates()
        parts.append(part)
        multiplicities.append(multiplicity)
    patterns = sparse.vstack(parts, format="csr")
    multiplicity = np.concatenate(multiplicities)
    for array in (patterns.data, patterns.indices, patterns.indptr, multiplicity):
        array.flags.writeable = False
    return UnitCounts(patterns, multiplicity, names, numeric, unrated)


def _dense(rows: IntArray, width: int) -> IntArray:
    """(U, m) category codes to (U, width) counts."""
    flat = (np.arange(len(rows))[:, None] * width + rows).ravel()
    return np.bincount(flat, minlength=len(rows) * width).reshape(-1, width)


def _unique_rows(rows: IntArray, radix: int) -> tuple[IntArray, IntArray]:
    """Distinct rows in lexicographic order with their counts; entries are in 0 … radix − 1.

    A row is read as one number in base `radix` where that fits 63 bits: sorting numbers is some 50 times
    faster than sorting rows.
    """
    length = rows.shape[1]
    if radix**length >= 2**63:
        unique, counts = np.unique(rows, axis=0, return_counts=True)
        return unique, counts
    weights = np.array([radix**place for place in reversed(range(length))], dtype=np.int64)
    keys, counts = np.unique(rows @ weights, return_counts=True)
    return keys[:, None] // weights % radix, counts
