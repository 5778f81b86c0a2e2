"""What a coefficient gives back, and what a coefficient is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from annotation.agreement.units import FloatArray, UnitCounts

ONE_CATEGORY = "all ratings fall in one category"
NO_PAIR = "no unit has two ratings"

Statistic = Callable[[FloatArray], FloatArray]
"""Pattern weights (D, P) to coefficients (D,), NaN where undefined.

Row d says how often each pattern occurs in data set d. The multiplicities as the one row give the
coefficient; resampled multiplicities as rows give its bootstrap distribution.
"""

Coefficient = Callable[[UnitCounts], Statistic]
"""A coefficient made ready for one set of counts. Raises UndefinedError if it has no value there."""


class UndefinedError(ValueError):
    """The coefficient has no value on these ratings; the message says why."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A coefficient with its interval, or the reason why there is none.

    value:  the coefficient, or None with `reason`.
    low, high: ends of the bootstrap interval, or None with `reason` (both also None, without one, where no
    interval was asked for).
    units, ratings: units with at least two ratings, and their ratings.
    dropped_units: units that could not enter because they have fewer than two ratings.
    draws:  bootstrap draws on which the interval rests.
    """

    value: float | None
    low: float | None
    high: float | None
    reason: str | None
    units: int
    ratings: int
    dropped_units: int
    draws: int = 0

    def as_json(self) -> dict[str, Any]:
        """Plain values; the reason only where there is one, the rest only where there is a value."""
        if self.value is None:
            return {"value": None, "reason": self.reason}
        found = {name: getattr(self, name) for name in ("value", "low", "high", "units", "dropped_units")}
        return found | self._why()

    def ends_as_json(self) -> dict[str, Any]:
        """The interval alone, for a second one beside the same value."""
        return {"low": self.low, "high": self.high} | self._why()

    def _why(self) -> dict[str, str]:
        return {"reason": self.reason} if self.reason else {}


def prepare(counts: UnitCounts, coefficient: Coefficient) -> Statistic:
    """The coefficient's statistic on these counts; raises UndefinedError where it has no value."""
    if counts.paired_units == 0:
        raise UndefinedError(NO_PAIR)
    return coefficient(counts)


def point_estimate(counts: UnitCounts, coefficient: Coefficient) -> Estimate:
    """The coefficient without an interval."""
    try:
        value = float(prepare(counts, coefficient)(counts.multiplicity[None, :].astype(np.float64))[0])
    except UndefinedError as undefined:
        return without_value(counts, str(undefined))
    return with_interval(counts, value, None, None, None, 0)


def without_value(counts: UnitCounts, reason: str) -> Estimate:
    return Estimate(None, None, None, reason, *_support(counts))


def with_interval(
    counts: UnitCounts, value: float, low: float | None, high: float | None, reason: str | None, draws: int
) -> Estimate:
    return Estimate(value, low, high, reason, *_support(counts), draws)


def _support(counts: UnitCounts) -> tuple[int, int, int]:
    paired = counts.paired_units
    return paired, counts.paired_ratings, counts.units + counts.unrated - paired
