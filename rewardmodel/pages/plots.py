"""Geometry of the plots of the evaluation: rows of values with intervals, and curves."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rewardmodel.pages.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Line, Scale, Tick, round_values

Found = Mapping[str, Any]  # an interval as metrics hold it: value, low, high, n
MARGIN = 24.0


@dataclass(frozen=True)
class Mark:
    """One row: a value with its interval, and perhaps another value beside it."""

    label: str
    text: str
    low: float
    value: float
    high: float
    beside: float | None


@dataclass(frozen=True)
class Marks:
    rows: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    line: float | None  # where a value would mean nothing
    width: float = WIDTH


def marks(
    rows: Sequence[tuple[str, str, Found, Found | None]], *, line: float | None = None, factor: float = 1
) -> Marks | None:
    """(label, text, interval, interval beside) a row; a row without a value is left out."""
    known = [row for row in rows if row[2].get("value") is not None]
    if not known:
        return None
    ends = [value for _, _, found, beside in known for value in _values(found, beside)]
    ends += [] if line is None else [line]
    low, high = min(ends), max(ends)
    room = (high - low or 1.0) * 0.04
    low, high = low - room, high + room
    x = Scale(low, high, MARGIN, WIDTH - MARGIN)
    return Marks(
        tuple(
            Mark(
                str(label),
                text,
                x(_end(found, "low")),
                x(found["value"]),
                x(_end(found, "high")),
                None if beside is None or beside.get("value") is None else x(beside["value"]),
            )
            for label, text, found, beside in known
        ),
        tuple(Tick(x(at), f"{at * factor:g}") for at in round_values(low, high, 5)),
        None if line is None else x(line),
    )


def _end(found: Found, name: str) -> float:
    return float(found["value"] if found.get(name) is None else found[name])


def _values(found: Found, beside: Found | None) -> Iterable[float]:
    yield from (_end(found, "low"), float(found["value"]), _end(found, "high"))
    if beside is not None and beside.get("value") is not None:
        yield float(beside["value"])


@dataclass(frozen=True)
class Bar:
    """An interval upwards at one place of a curve."""

    x: float
    low: float
    value: float
    high: float
    title: str


@dataclass(frozen=True)
class Curves:
    lines: tuple[Line, ...]
    bars: tuple[Bar, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    name: str
    across: str
    width: float = WIDTH
    height: float = HEIGHT + 18
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM


def curves(
    series: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    bars: Sequence[tuple[float, Found, str]] = (),
    *,
    name: str,
    across: str,
    logarithmic: bool = False,
) -> Curves | None:
    """Lines (label, points) and intervals (x, interval, title) over one another. None without points."""
    points = [point for _, line in series for point in line]
    if not points:
        return None
    place = math.log10 if logarithmic else float
    xs = [place(at) for at, _ in points] + [place(at) for at, _, _ in bars]
    ys = [y for _, y in points] + [end for _, found, _ in bars for end in _values(found, None)]
    x = Scale(min(xs), max(xs), LEFT + 8, WIDTH - RIGHT - 8)
    y = Scale(min(ys), max(ys), HEIGHT - BOTTOM - 6, TOP + 6)
    lines = tuple(
        Line(
            number,
            " ".join(f"{x(place(at)):.1f},{y(value):.1f}" for at, value in line),
            str(label),
            x(place(line[-1][0])),
            y(line[-1][1]),
        )
        for number, (label, line) in enumerate(series, start=1)
    )
    across_at = sorted({at for at, _, _ in bars}) if logarithmic else round_values(min(xs), max(xs), 5)
    return Curves(
        lines,
        tuple(
            Bar(x(place(at)), y(_end(found, "low")), y(found["value"]), y(_end(found, "high")), title)
            for at, found, title in bars
        ),
        tuple(Tick(x(place(at)), _count(at) if logarithmic else f"{at:g}") for at in across_at),
        tuple(Tick(y(at), f"{at:.3g}") for at in round_values(min(ys), max(ys), 4)),
        str(name),
        str(across),
    )


def _count(n: float) -> str:
    return f"{n / 1000:.3g}k" if n >= 1000 else f"{n:g}"
