"""Days put together to days, weeks or months: whichever gives a line that can be read."""

from datetime import date, timedelta
from typing import Literal

import numpy as np
import numpy.typing as npt

Step = Literal["day", "week", "month"]
DAYS, WEEKS = 21, 731  # shorter than three weeks: days; than two years: weeks
_THURSDAY = 3  # 1970 began on one: so many days after Monday


def step_of(days: npt.NDArray[np.integer]) -> Step:
    """What a span of these days is cut into; days count from 1970-01-01."""
    span = int(days.max() - days.min()) + 1 if len(days) else 1
    return "day" if span < DAYS else "week" if span < WEEKS else "month"


def beginnings(days: npt.NDArray[np.integer], step: Step) -> npt.NDArray[np.datetime64]:
    """The first day of each one's period: weeks begin on Monday."""
    whole = days.astype(np.int64)
    if step == "week":
        whole = whole - (whole + _THURSDAY) % 7
    dates = whole.astype("datetime64[D]")
    return dates.astype("datetime64[M]").astype("datetime64[D]") if step == "month" else dates


def last_day(first: date, step: Step) -> date:
    """Of the period that begins on `first`."""
    if step == "month":
        return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return first + timedelta(days=6 if step == "week" else 0)
