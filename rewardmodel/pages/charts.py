"""Geometry of the charts on the model pages: numbers in, positions in an SVG out. The templates draw them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from annotation.charts import thousands
from rewardmodel.pages.figures import number, with_range

WIDTH, HEIGHT = 640.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 14.0, 12.0, 34.0


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Line:
    series: int
    points: str
    label: str
    end_x: float
    end_y: float


@dataclass(frozen=True)
class Plot:
    """A frame with ticks and lines."""

    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM


@dataclass(frozen=True)
class Whisker:
    """A value with its interval on one row."""

    label: str
    series: int
    low: float
    value: float
    high: float
    text: str


@dataclass(frozen=True)
class Whiskers:
    rows: tuple[Whisker, ...]
    ticks: tuple[Tick, ...]
    width: float = WIDTH


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    radius: float
    title: str


@dataclass(frozen=True)
class Reliability:
    dots: tuple[Dot, ...]
    ticks: tuple[Tick, ...]  # the same on both axes, from the origin
    side: float
    offset: float


def learning_curve(curve: Sequence[Mapping[str, float]], labels: Sequence[str]) -> Plot | None:
    """Loss by step. None with fewer than two points."""
    if len(curve) < 2:
        return None
    names = ("train", "validation")
    values = [point[name] for point in curve for name in names]
    first, last = curve[0]["step"], curve[-1]["step"]
    x, y = Scale(first, last, LEFT, WIDTH - RIGHT), Scale(min(values), max(values), HEIGHT - BOTTOM, TOP)
    lines = tuple(
        Line(
            series=number + 1,
            points=" ".join(f"{x(point['step']):.1f},{y(point[name]):.1f}" for point in curve),
            label=str(label),
            end_x=x(last),
            end_y=y(curve[-1][name]),
        )
        for number, (name, label) in enumerate(zip(names, labels, strict=True))
    )
    return Plot(
        lines,
        tuple(Tick(x(at), f"{at:g}") for at in round_values(first, last, 5)),
        tuple(Tick(y(at), f"{at:.3g}") for at in round_values(min(values), max(values), 4)),
    )


def overlaid(curves: Sequence[Sequence[Mapping[str, float]]], labels: Sequence[str]) -> Plot | None:
    """The validation loss of several runs by step; those with fewer than two points are left out."""
    known = [(i, curve) for i, curve in enumerate(curves) if len(curve) > 1]
    if not known:
        return None
    values = [point["validation"] for _, curve in known for point in curve]
    steps = [point["step"] for _, curve in known for point in curve]
    x = Scale(min(steps), max(steps), LEFT, WIDTH - RIGHT)
    y = Scale(min(values), max(values), HEIGHT - BOTTOM, TOP)
    lines = tuple(
        Line(
            series=i + 1,
            points=" ".join(f"{x(point['step']):.1f},{y(point['validation']):.1f}" for point in curve),
            label=labels[i],
            end_x=x(curve[-1]["step"]),
            end_y=y(curve[-1]["validation"]),
        )
        for i, curve in known
    )
    return Plot(
        lines,
        tuple(Tick(x(at), f"{at:g}") for at in round_values(min(steps), max(steps), 5)),
        tuple(Tick(y(at), f"{at:.3g}") for at in round_values(min(values), max(values), 4)),
    )


def whiskers(rows: Sequence[tuple[str, int, Mapping[str, Any]]]) -> Whiskers | None:
    """Accuracies with their intervals, one (label, series, interval) a row; what is undefined is left out."""
    known = [(label, series, found) for label, series, found in rows if found.get("value") is not None]
    if not known:
        return None
    low = min(0.5, *(_low(found) for _, _, found in known))
    high = max(0.75, *(_high(found) for _, _, found in known))
    low, high = math.floor(low * 20) / 20, min(1.0, math.ceil(high * 20) / 20)
    x = Scale(low, high, 24, WIDTH - 24)
    return Whiskers(
        rows=tuple(
            Whisker(
                label=str(label),
                series=series,
                low=x(_low(found)),
                value=x(found["value"]),
                high=x(_high(found)),
                text=with_range(found),
            )
            for label, series, found in known
        ),
        ticks=tuple(Tick(x(at), f"{at:.2f}") for at in round_values(low, high, 6)),
    )


def reliability(bins: Sequence[Mapping[str, float]]) -> Reliability | None:
    """Predicted against observed, both from 0 to 1; the area of a dot is its number of pairs."""
    if not bins:
        return None
    offset, side = 40.0, 300.0
    most = max(one["n"] for one in bins)
    dots = tuple(
        Dot(
            x=offset + side * one["predicted"],
            y=TOP + side * (1 - one["observed"]),
            radius=3 + 5 * math.sqrt(one["n"] / most),
            title=_("predicted %(predicted)s, observed %(observed)s, pairs: %(n)s")
            % {
                "predicted": number(one["predicted"]),
                "observed": number(one["observed"]),
                "n": thousands(int(one["n"])),
            },
        )
        for one in bins
    )
    return Reliability(
        dots, tuple(Tick(side * at, f"{at:g}") for at in (0, 0.25, 0.5, 0.75, 1)), side, offset
    )


def _low(found: Mapping[str, Any]) -> float:
    return float(found["value"] if found.get("low") is None else found["low"])


def _high(found: Mapping[str, Any]) -> float:
    return float(found["value"] if found.get("high") is None else found["high"])


@dataclass(frozen=True)
class Scale:
    """From [low, high] to [start, end]."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low or 1.0
        return round(self.start + (value - self.low) / span * (self.end - self.start), 1)


def span(low: float, high: float, *, width: float, edge: float) -> tuple[Scale, tuple[Tick, ...]]:
    """A scale from low to high over a canvas so wide, and three or four round marks on it."""
    scale = Scale(low, high, edge, width - edge)
    return scale, tuple(Tick(scale(at), f"{at:g}") for at in round_values(low, high, 3))


def round_values(low: float, high: float, count: int) -> list[float]:
    """About `count` round numbers within [low, high]."""
    span = high - low
    if span <= 0:
        return [low]
    rough = span / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step - 1e-9)
    return [round(step * i, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]
