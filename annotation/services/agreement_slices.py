"""Agreement over time, by category of the prompt and by group of annotators.

Time and category cut the units: each is in one slice, with all its ratings. An item stands in the period of
its last rating: one that came late may be what it is disputed for. Groups cut the ratings: inside a group its
own members are compared, and each two groups by the units they share.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from annotation.agreement import periods
from annotation.agreement.between import BetweenLevel, agreement_between
from annotation.agreement.estimate import Estimate
from annotation.agreement.krippendorff import Level
from annotation.agreement.units import IntArray
from annotation.rating_arrays import RatingArrays, SmallArray
from annotation.services.agreeing import alphas, drawn_whole, new_rng

LEVELS: tuple[Level, ...] = ("nominal", "ordinal")
FEWEST_UNITS = 10  # with two ratings, below which a slice has no coefficient
MOST_CATEGORIES = 40  # with the most units; the others are put together
MOST_GROUPS = 6  # with the most ratings, each compared with each


@dataclass(frozen=True)
class Slice:
    """units, ratings: everything rated at least once; each α says what it could use."""

    units: int
    ratings: int
    annotators: int
    alpha: Mapping[Level, Estimate]

    def as_json(self) -> dict[str, Any]:
        return {
            "units": self.units,
            "ratings": self.ratings,
            "annotators": self.annotators,
            "krippendorff": {level: found.as_json() for level, found in self.alpha.items()},
        }


@dataclass(frozen=True)
class OverTime:
    """periods: first day, last day (ISO) and what was finished between them; none without a rating."""

    unit: str
    step: periods.Step
    periods: tuple[tuple[str, str, Slice], ...]

    def as_json(self) -> dict[str, Any]:
        told = [{"first": first, "last": last, **of.as_json()} for first, last, of in self.periods]
        return {"unit": self.unit, "step": self.step, "periods": told}


@dataclass(frozen=True)
class ByCategory:
    """categories: by name; "" are prompts without one. others: all smaller ones, so many of them."""

    unit: str
    categories: tuple[tuple[str, Slice], ...]
    others: tuple[int, Slice] | None = None

    def as_json(self) -> dict[str, Any]:
        told = [{"category": name, **of.as_json()} for name, of in self.categories]
        rest = self.others and {"categories": self.others[0], **self.others[1].as_json()}
        return {"unit": self.unit, "categories": told, "others": rest}


@dataclass(frozen=True)
class ByGroup:
    """groups: by name; "" are people without one. between: two names, and κ of their members."""

    unit: str
    groups: tuple[tuple[str, Slice], ...]
    between: tuple[tuple[str, str, Mapping[BetweenLevel, Estimate]], ...]

    def as_json(self) -> dict[str, Any]:
        told = [{"group": name, **of.as_json()} for name, of in self.groups]
        between = [
            {"groups": [one, other], "kappa": {level: found.as_json() for level, found in kappa.items()}}
            for one, other, kappa in self.between
        ]
        return {"unit": self.unit, "groups": told, "between": between}


def over_time(ratings: RatingArrays, *, draws: int = 1000) -> OverTime:
    last = np.zeros(len(ratings.items), dtype=np.int32)
    np.maximum.at(last, ratings.item[ratings.unit], ratings.day)
    days = last[ratings.item]
    step = periods.step_of(ratings.day)
    starts, number = np.unique(periods.beginnings(days, step), return_inverse=True)
    slices = _slices(ratings, number, len(starts), draws)
    named = zip(starts.tolist(), slices, strict=True)
    return OverTime(
        ratings.kind,
        step,
        tuple((str(start), str(periods.last_day(start, step)), of) for start, of in named),
    )


def by_category(
    ratings: RatingArrays, items_of: Mapping[str, Sequence[int]], *, draws: int = 1000
) -> ByCategory:
    """items_of: the keys of each category's items, each item in one; one that is missing came just now."""
    names = sorted({"", *items_of})
    owner = {key: place for place, name in enumerate(names) for key in items_of.get(name, ())}
    of_item = np.array([owner.get(key, 0) for key in ratings.items.tolist()], dtype=np.int64)
    number = of_item[ratings.item]
    units = np.bincount(number, minlength=len(names))
    largest = np.argsort(-units, kind="stable")[:MOST_CATEGORIES]
    kept = sorted(place for place in largest.tolist() if units[place])
    others = int((units > 0).sum()) - len(kept)
    place_of = np.full(len(names), len(kept))
    place_of[kept] = np.arange(len(kept))
    slices = _slices(ratings, place_of[number], len(kept) + bool(others), draws)
    named = zip((names[place] for place in kept), slices, strict=False)
    return ByCategory(ratings.kind, tuple(named), (others, slices[-1]) if others else None)


def by_group(ratings: RatingArrays, group_of: Mapping[int, str], *, draws: int = 1000) -> ByGroup:
    """group_of: people's keys; whoever is missing has no group. Nothing is said where nobody has one."""
    groups = [group_of.get(key, "") for key in ratings.people.tolist()]
    names = sorted(set(groups))
    if names in ([], [""]):
        return ByGroup(ratings.kind, (), ())
    number = np.array([names.index(name) for name in groups])[ratings.annotator]
    inside = []
    for place, name in enumerate(names):
        of = ratings.of(number == place)
        (found,) = _slices(of, np.zeros(len(of.item), np.int64), 1, draws)
        inside.append((name, found))
    sizes = np.bincount(number, minlength=len(names))
    largest = sorted(np.argsort(-sizes, kind="stable")[:MOST_GROUPS].tolist())
    tables = {place: _table_of(ratings, number == place) for place in largest}
    between = tuple(
        (names[one], names[other], _between(ratings, tables[one], tables[other], draws))
        for one in largest
        for other in largest
        if one < other
    )
    return ByGroup(ratings.kind, tuple(inside), between)


def _slices(ratings: RatingArrays, number: npt.NDArray[Any], slices: int, draws: int) -> list[Slice]:
    """number: (U,) the slice of each unit, from 0."""
    order = np.argsort(number, kind="stable")
    ends = np.searchsorted(number[order], np.arange(slices + 1))
    seen = np.zeros((slices, len(ratings.people)), dtype=np.bool_)
    seen[number[ratings.unit], ratings.annotator] = True
    found = []
    for place in range(slices):
        rows = order[ends[place] : ends[place + 1]]
        estimates = alphas(ratings, LEVELS, draws=draws, rows=rows)
        found.append(
            Slice(
                units=len(rows),
                ratings=int(ratings.table[rows].sum()),
                annotators=int(seen[place].sum()),
                alpha={level: _enough(one) for level, one in estimates.items()},
            )
        )
    return found


def _enough(found: Estimate) -> Estimate:
    if found.value is None or found.units >= FEWEST_UNITS:
        return found
    reason = f"fewer than {FEWEST_UNITS} units with two ratings"
    return replace(found, value=None, low=None, high=None, reason=reason)


def _between(
    ratings: RatingArrays, one: IntArray, other: IntArray, draws: int
) -> dict[BetweenLevel, Estimate]:
    shared = (one.sum(axis=1) > 0) & (other.sum(axis=1) > 0)
    item: SmallArray = ratings.item[shared]
    together, draws = drawn_whole(item, draws)
    found = agreement_between(
        one[shared], other[shared], cluster=item if together else None, rng=new_rng(), draws=draws
    )
    return {level: _enough(estimate) for level, estimate in found.items()}


def _table_of(ratings: RatingArrays, kept: npt.NDArray[np.bool_]) -> IntArray:
    """(U, q) of some of the ratings, all units."""
    width = len(ratings.categories)
    cells = ratings.unit[kept] * np.int64(width) + ratings.code[kept]
    return np.bincount(cells, minlength=len(ratings.item) * width).reshape(-1, width)
