"""Days, weeks and months against the calendar of the standard library."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.agreement.periods import Step, beginnings, last_day, step_of

DATES = st.dates(date(1960, 1, 1), date(2060, 12, 31))


def days(*dates: date) -> np.ndarray:
    return np.array([(one - date(1970, 1, 1)).days for one in dates])


@given(DATES)
def test_every_period_holds_its_day_and_ends_before_the_next(day: date) -> None:
    for step in ("day", "week", "month"):
        (first,) = beginnings(days(day), step).tolist()
        last = last_day(first, step)
        assert first <= day <= last
        assert beginnings(days(last + timedelta(days=1)), step).tolist() == [last + timedelta(days=1)]
    assert beginnings(days(day), "week").tolist()[0].isoweekday() == 1
    assert beginnings(days(day), "month").tolist() == [day.replace(day=1)]


@pytest.mark.parametrize(
    ("span", "step"), [(1, "day"), (20, "day"), (21, "week"), (730, "week"), (731, "month")]
)
def test_the_longer_the_wider(span: int, step: Step) -> None:
    first = date(2026, 1, 1)
    assert step_of(days(first, first + timedelta(days=span - 1))) == step
    assert step_of(days()) == "day"
