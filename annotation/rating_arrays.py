"""Every rating that counts under one criterion, as arrays: what agreement is worked out from.

A rating is what one person said of one unit. On pairs of responses it is a vote: a, tie or b. Responses that
were rated or ranked one by one are units of their own too, with their points or their mid-rank.

Votes of paused and excluded people and reviewers' decisions are left out, as `annotation.pair_votes` says.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from django.utils import timezone

from annotation.agreement.kendall import mid_ranks
from annotation.agreement.units import BoolArray, FloatArray, IntArray, UnitCounts, compact, from_matrix
from annotation.bulk_reads import Kind, read
from annotation.models.project import Project
from annotation.pair_votes import TOLD_SQL, votes_sql

Unit = Literal["pair", "rated response", "ranked response"]
SmallArray = npt.NDArray[np.int32]

CATEGORIES = ("a", "tie", "b")  # "both are bad" counts as a tie: it says that neither is better
POSITIONS = (1.0, 2.0, 3.0)

_COLUMNS: dict[str, Kind] = {
    "item": "bigint",
    "place": "int",
    "annotator": "bigint",
    "said": "smallint",
    "day": "int",
}
_DAY = "(judged_at AT TIME ZONE %(zone)s)::date - DATE '1970-01-01' AS day"
_COUNTED = "WHERE v.criterion = %(criterion)s AND v.counts AND NOT v.expert"
_TOLD = f"""
    SELECT item_id AS item, place, annotator_id AS annotator, said, {_DAY} FROM ({TOLD_SQL}) v {_COUNTED}
"""  # noqa: S608  texts of our own


@dataclass(frozen=True, eq=False)
class RatingArrays:
    """One entry a rating, arrays of length V; everything is numbered from 0.

    unit (V,): of the units. annotator (V,): of the people. code (V,): of the categories. day (V,): since
    1970, where the project lives. item (U,): of each unit, among the items. items (I,), people (A,): keys.
    categories (q,): in order; numeric (q,): their values.
    """

    kind: Unit
    unit: SmallArray
    annotator: SmallArray
    code: SmallArray
    day: SmallArray
    item: SmallArray
    items: IntArray
    people: IntArray
    categories: tuple[Any, ...]
    numeric: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.unit)

    @cached_property
    def table(self) -> IntArray:
        """(U, q) how many said what of each unit."""
        width = len(self.categories)
        cells = np.bincount(self.unit * np.int64(width) + self.code, minlength=len(self.item) * width)
        return cells.reshape(-1, width)

    def counts(self, table: IntArray | None = None) -> UnitCounts:
        """Of all units, or of those in the rows of a table like this one's."""
        return from_matrix(
            self.table if table is None else table, categories=self.categories, numeric=self.numeric
        )

    def of(self, kept: BoolArray) -> "RatingArrays":
        """Some of the ratings, the units that have one numbered anew."""
        unit, units = dense(self.unit[kept])
        return replace(
            self,
            unit=unit,
            annotator=self.annotator[kept],
            code=self.code[kept],
            day=self.day[kept],
            item=self.item[units],
        )


@dataclass(frozen=True, eq=False)
class Readings:
    """All that was said under one criterion. responses: of ratings and rankings, one by one."""

    criterion: str
    pairs: RatingArrays
    responses: RatingArrays | None = None

    @property
    def main(self) -> RatingArrays:
        """What is said first: ratings on their own scale where there are ratings, else votes on pairs."""
        rated = self.responses is not None and self.responses.kind == "rated response"
        return self.responses if rated and self.responses is not None else self.pairs


def readings_of(project: Project, criterion: str) -> Readings:
    """One query, of rankings and ratings two."""
    pairs = _arrays("pair", _read(votes_query(project), project, criterion), CATEGORIES, POSITIONS)
    if project.kind == Project.Kind.PAIRWISE:
        return Readings(criterion, pairs)
    told = _read(_TOLD, project, criterion)
    arrays = _rated if project.kind == Project.Kind.RATING else _ranked
    return Readings(criterion, pairs, arrays(project, told))


def rankings(ranked: RatingArrays) -> tuple[IntArray, list[FloatArray]]:
    """(item, mid-ranks) of each ranking, for Kendall's W; `ranked` as `readings_of` gives it."""
    item, (start, size) = ranked.item[ranked.unit], _judgments(ranked.item[ranked.unit], ranked.annotator)
    values = np.asarray(ranked.numeric)[ranked.code]
    orders = [values[first : first + length] for first, length in zip(start, size, strict=True)]
    return item[start].astype(np.int64), orders


def dense(ids: npt.NDArray[Any]) -> tuple[SmallArray, npt.NDArray[Any]]:
    """(each one's number from 0, the distinct ids in order)."""
    place = compact(ids)
    used = np.bincount(place) > 0
    number = (np.cumsum(used) - 1).astype(np.int32)
    found = np.zeros(int(used.sum()), dtype=ids.dtype)
    found[number[place]] = ids
    return number[place], found


def votes_query(project: Project) -> str:
    return f"""
        SELECT item_id AS item, a_at * 256 + b_at AS place, annotator_id AS annotator, 1 - lead AS said,
               {_DAY}
        FROM ({votes_sql(project)}) v {_COUNTED}
    """  # noqa: S608  texts of our own


def _read(query: str, project: Project, criterion: str) -> dict[str, npt.NDArray[Any]]:
    zone = timezone.get_current_timezone_name()
    return read(query, {"project": project.pk, "criterion": criterion, "zone": zone}, _COLUMNS)


def _rated(project: Project, told: dict[str, npt.NDArray[Any]]) -> RatingArrays:
    """The scale's own points are the categories; an imported rating beyond them is one more."""
    points = sorted({*range(1, project.rating_points + 1), *np.unique(told["said"]).tolist()})
    told["said"] = np.searchsorted(points, told["said"])
    return _arrays("rated response", told, tuple(points), tuple(float(one) for one in points))


def _ranked(project: Project, told: dict[str, npt.NDArray[Any]]) -> RatingArrays:
    """Mid-ranks 1, 1.5, 2, …: two on top of three have 1.5 each. Judgment after judgment, in one order."""
    order = np.lexsort((told["place"], told["annotator"], told["item"]))
    told = {name: column[order] for name, column in told.items()}
    start, size = _judgments(told["item"], told["annotator"])
    for length in np.unique(size).tolist():
        rows = start[size == length][:, None] + np.arange(length)
        told["said"][rows] = 2 * mid_ranks(told["said"][rows].astype(np.float64)) - 2
    ranks = tuple(1 + step / 2 for step in range(2 * int(size.max(initial=1)) - 1))
    return _arrays("ranked response", told, ranks, ranks)


def _judgments(item: npt.NDArray[Any], annotator: npt.NDArray[Any]) -> tuple[IntArray, IntArray]:
    """Where each judgment begins and how many responses it has, of entries sorted by these two."""
    if not len(item):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    edges = np.flatnonzero((np.diff(item) != 0) | (np.diff(annotator) != 0)) + 1
    start = np.concatenate([[0], edges])
    return start, np.diff(start, append=len(item))


def _arrays(
    kind: Unit,
    columns: dict[str, npt.NDArray[Any]],
    categories: tuple[Any, ...],
    numeric: tuple[float, ...],
) -> RatingArrays:
    item, items = dense(columns["item"])
    place, places = dense(columns["place"])
    unit, units = dense(item * np.int64(max(len(places), 1)) + place)
    annotator, people = dense(columns["annotator"])
    return RatingArrays(
        kind=kind,
        unit=unit,
        annotator=annotator,
        code=columns["said"].astype(np.int32),
        day=columns["day"].astype(np.int32),
        item=(units // max(len(places), 1)).astype(np.int32),
        items=items,
        people=people,
        categories=categories,
        numeric=numeric,
    )
