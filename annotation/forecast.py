"""When will the work be done? The answers still wanted, at the pace of the last two weeks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from annotation.aggregation.wilson import Z95
from annotation.monitor_selectors import DayVolume

DAYS: Final = 14
FEWEST: Final = 2  # days, of which the pace's spread can be told


@dataclass(frozen=True)
class Forecast:
    """pace: answers a day. days: until all are given; low, high: at the ends of the pace's 95 % interval.

    low and high are None where one day is all there is; high is, too, where the pace may as well be nothing.
    since: the day from which they count.
    """

    pace: float
    days: int
    low: int | None
    high: int | None
    since: date

    @property
    def done_on(self) -> date:
        return self.since + timedelta(days=self.days)


def forecast(wanted: int, volumes: Sequence[DayVolume]) -> Forecast | None:
    """From the last `DAYS` days up to the latest one with an answer, days without any among them.

    The mean of the days and its standard error, s/√n; None without an answer, or with nothing wanted.
    """
    if not volumes or not wanted:
        return None
    last = volumes[-1].day
    first = max(volumes[0].day, last - timedelta(days=DAYS - 1))
    by_day = {one.day: one.judgments for one in volumes}
    n = (last - first).days + 1
    counts = [by_day.get(first + timedelta(days=day), 0) for day in range(n)]
    pace = sum(counts) / n
    if n < FEWEST:
        return Forecast(pace, math.ceil(wanted / pace), None, None, last)
    error = math.sqrt(sum((count - pace) ** 2 for count in counts) / (n - 1) / n)
    slow = pace - Z95 * error
    return Forecast(
        pace=pace,
        days=math.ceil(wanted / pace),
        low=math.ceil(wanted / (pace + Z95 * error)),
        high=math.ceil(wanted / slow) if slow > 0 else None,
        since=last,
    )
