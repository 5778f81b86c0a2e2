"""Has agreement fallen lately? The latest fifth of the items against all before, cut between two days."""

from typing import Final

import numpy as np

from annotation.agreement.drift import FEWEST_UNITS, Drift, drift
from annotation.agreement.units import IntArray, UnitCounts
from annotation.rating_arrays import RatingArrays
from annotation.services.agreeing import new_rng

LATEST: Final = 0.2
ONE_DAY: Final = "nothing was judged on two days that could be compared"


def drift_of(ratings: RatingArrays) -> Drift:
    """Items count on the day of their last rating.

    Of items with several units, pairs or rated responses, the first stands for all: they rest on the same
    judgments, and the interval of the difference takes units for independent.
    """
    rows = np.unique(ratings.item, return_index=True)[1]
    rows = rows[ratings.table[rows].sum(axis=1) >= 2]
    last = np.zeros(len(ratings.item), dtype=np.int64)
    np.maximum.at(last, ratings.unit, ratings.day)
    begins = _beginning(last[rows])
    if begins is None:
        return Drift(None, None, None, None, None, (len(rows), 0), reason=ONE_DAY)
    late = last[rows] >= begins
    return drift(_counts(ratings, rows[~late]), _counts(ratings, rows[late]), rng=new_rng())


def _beginning(days: IntArray) -> int | None:
    """The latest day from which on there are enough items; None if there are then none before it."""
    if not len(days):
        return None
    wanted = max(FEWEST_UNITS, int(np.ceil(LATEST * len(days))))
    if wanted >= len(days):
        return None
    begins = int(np.sort(days)[-wanted])
    return begins if begins > days.min() else None


def _counts(ratings: RatingArrays, rows: IntArray) -> UnitCounts:
    return ratings.counts(ratings.table[rows])
