"""Who agrees with whom: Cohen's κ of every two of the most active people, from their votes on pairs."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from accounts.selectors import names_of
from annotation.agreement.annotators import Ratings, ratings_of, tables_of
from annotation.agreement.cohen import cohen_kappa
from annotation.agreement.units import FloatArray
from annotation.rating_arrays import RatingArrays

MOST_PEOPLE = 30  # a heat map of more cannot be read
FEWEST_UNITS = 10  # that two must share before there is a κ of them


@dataclass(frozen=True)
class Person:
    key: int
    name: str
    ratings: int


@dataclass(frozen=True)
class TwoPeople:
    """first, second: places among the people. κ has a reason where it has no value, and a normal interval
    where each item is one unit: its units are independent then.
    """

    first: int
    second: int
    units: int
    percent: float | None
    kappa: float | None
    low: float | None
    high: float | None
    reason: str

    def as_json(self) -> dict[str, Any]:
        kappa = {"value": self.kappa, "low": self.low, "high": self.high}
        return {
            "people": [self.first, self.second],
            "units": self.units,
            "percent": self.percent,
            "cohen": {"value": None, "reason": self.reason} if self.kappa is None else kappa,
        }


@dataclass(frozen=True)
class PairsOfAnnotators:
    """people: the most active first. pairs: every two of them, in that order."""

    unit: str
    people: tuple[Person, ...]
    pairs: tuple[TwoPeople, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "unit": self.unit,
            "people": [{"id": one.key, "name": one.name, "ratings": one.ratings} for one in self.people],
            "pairs": [pair.as_json() for pair in self.pairs],
        }


def pairs_of_annotators(ratings: RatingArrays, *, most: int = MOST_PEOPLE) -> PairsOfAnnotators:
    """Of those with the most ratings; equally active ones in the order they came to Laurel."""
    given = np.bincount(ratings.annotator, minlength=len(ratings.people))
    who = np.argsort(-given, kind="stable")[:most]
    keys = ratings.people[who].tolist()
    names = names_of(keys)
    people = [Person(key, names[key], int(given[n])) for key, n in zip(keys, who, strict=True)]
    tables = tables_of(_of_these(ratings, who), range(len(who)))
    independent = len(ratings.items) == len(ratings.item)
    pairs = [
        _two(first, second, tables[first, second], independent=independent)
        for first in range(len(who))
        for second in range(first + 1, len(who))
    ]
    return PairsOfAnnotators(ratings.kind, tuple(people), tuple(pairs))


def _of_these(ratings: RatingArrays, who: np.ndarray[Any, Any]) -> Ratings:
    """Their ratings alone: the people numbered in this order."""
    place = np.full(len(ratings.people), -1)
    place[who] = np.arange(len(who))
    number = place[ratings.annotator]
    kept = number >= 0
    return ratings_of(
        ratings.unit[kept],
        number[kept],
        ratings.code[kept],
        annotators=len(who),
        categories=len(ratings.categories),
    )


def _two(first: int, second: int, table: FloatArray, *, independent: bool) -> TwoPeople:
    units = int(table.sum())
    percent = float(np.trace(table)) / units if units else None
    found = cohen_kappa(table)
    if 0 < units < FEWEST_UNITS:
        reason = f"fewer than {FEWEST_UNITS} units in common"
        found = replace(found, value=None, low=None, high=None, reason=reason)
    ends = (found.low, found.high) if independent else (None, None)
    return TwoPeople(first, second, units, percent, found.value, *ends, found.reason or "")
