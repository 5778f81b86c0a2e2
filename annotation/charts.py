"""Geometry of small charts: counts in, positions out as strings an SVG takes. Templates draw them.

Stacks are drawn on a 100-wide canvas that stretches with the page, so no text stands in them. Charts that say
more are in chart_data.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.formats import get_format
from django.utils.translation import get_language_bidi


@dataclass(frozen=True)
class Segment:
    """One part of a stacked bar, and its line in the legend. series: a colour of the design system."""

    label: str
    count: int
    percent: int
    series: int
    x: str
    width: str


def stacked(parts: Sequence[tuple[str, int, int]]) -> tuple[Segment, ...]:
    """(label, count, series) in order; nothing when all are zero."""
    total = sum(count for _, count, _ in parts)
    if not total:
        return ()
    found, x = [], 0.0
    for label, count, series in parts:
        width = 100 * count / total
        found.append(Segment(label, count, round(width), series, _number(x), _number(width)))
        x += width
    return tuple(found)


AXIS_WIDTH, AXIS_EDGE = 220.0, 8.0  # the canvas of templates/annotation/monitor_agreement.html


@dataclass(frozen=True)
class Axis:
    """A scale from `low` to 1 shared by all whiskers of a table. ticks: (x, label)."""

    low: float
    ticks: tuple[tuple[str, str], ...]

    def at(self, value: float) -> str:
        inside = min(max(value, self.low), 1.0)
        return _number(AXIS_EDGE + (AXIS_WIDTH - 2 * AXIS_EDGE) * (inside - self.low) / (1 - self.low))


@dataclass(frozen=True)
class Whisker:
    value: str
    low: str
    high: str


def axis(lowest: float) -> Axis:
    """From 0, or from −1 where something lies below 0, in steps that leave room for the labels."""
    if lowest >= 0:
        marks: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    elif lowest >= -0.5:
        marks = (-0.5, 0.0, 0.5, 1.0)
    else:
        marks = (-1.0, -0.5, 0.0, 0.5, 1.0)
    bare = Axis(marks[0], ())
    return Axis(
        marks[0], tuple((bare.at(mark), decimal(mark, 2 if mark in (0.25, 0.75) else 1)) for mark in marks)
    )


def whisker(on: Axis, value: float, low: float | None, high: float | None) -> Whisker:
    """Without an interval the line is as short as the dot."""
    return Whisker(
        value=on.at(value),
        low=on.at(value if low is None else low),
        high=on.at(value if high is None else high),
    )


def thousands(count: int) -> str:
    """58,602, with the reader's own mark between the groups."""
    return f"{count:,}".replace(",", get_format("THOUSAND_SEPARATOR"))


def decimal(value: float, places: int = 2) -> str:
    """.35, −.05, 1, 0: as statistics are printed, without the zero that says nothing; 0,35 with a comma."""
    text = f"{abs(value):.{places}f}"
    whole, _, rest = text.partition(".")
    mark = get_format("DECIMAL_SEPARATOR")
    if rest.strip("0"):
        whole = "" if whole == "0" and mark == "." else whole
        text = f"{whole}{mark}{rest}"
    else:
        text = whole
    minus = "\u200e−" if get_language_bidi() else "−"  # the mark keeps the sign before its number
    return f"{minus}{text}" if value < 0 and text != "0" else text


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
