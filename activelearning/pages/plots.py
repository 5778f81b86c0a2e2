"""Geometry of curves with bands: accuracy over labels, a line an arm. activelearning/plot.html draws it."""

from collections.abc import Sequence
from dataclasses import dataclass

from annotation.charts import decimal, thousands
from rewardmodel.pages.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Scale, Tick, round_values

SHAPES = ("circle", "square", "diamond", "triangle", "cross")


@dataclass(frozen=True)
class Value:
    """At so many labels, with its interval where there is one."""

    at: float
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Drawn:
    """A line: its points, the outline of its band ("" without one), and the places of its marks."""

    label: str
    series: int
    points: str
    band: str
    marks: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Table:
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Plot:
    name: str
    across: str
    lines: tuple[Drawn, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    table: Table
    width: float = WIDTH
    height: float = HEIGHT + 18
    left: float = LEFT
    right: float = WIDTH - RIGHT
    bottom: float = HEIGHT - BOTTOM


def plot(lines: Sequence[tuple[str, int, Sequence[Value]]], *, name: str, across: str) -> Plot | None:
    """Lines as (label, colour, values). None where no line has a value."""
    every = [value for _, _, values in lines for value in values]
    if not every:
        return None
    xs = [value.at for value in every]
    ys = [end for value in every for end in _ends(value)]
    low, high = min(ys), max(ys)
    if high - low < 0.04:  # a flat line is no mountain
        low, high = low - 0.02, high + 0.02
    x = Scale(min(xs), max(xs), LEFT + 8, WIDTH - RIGHT - 8)
    y = Scale(low, high, HEIGHT - BOTTOM - 6, TOP + 6)
    return Plot(
        name,
        across,
        tuple(_drawn(label, series, values, x, y) for label, series, values in lines if values),
        tuple(Tick(x(at), thousands(round(at))) for at in round_values(min(xs), max(xs), 5)),
        tuple(Tick(y(at), decimal(at, 3).rstrip("0")) for at in round_values(low, high, 6)),
        _table(lines, across),
    )


def _drawn(label: str, series: int, values: Sequence[Value], x: Scale, y: Scale) -> Drawn:
    marks = tuple((x(one.at), y(one.value)) for one in values)
    banded = [one for one in values if one.low is not None and one.high is not None]
    upper = [(x(one.at), y(_ends(one)[2])) for one in banded]
    lower = [(x(one.at), y(_ends(one)[0])) for one in reversed(banded)]
    if len(banded) == 1:  # as wide as can be seen
        at, top = upper[0]
        upper, lower = [(at - 2, top), (at + 2, top)], [(at + 2, lower[0][1]), (at - 2, lower[0][1])]
    return Drawn(label, series, _path(marks), _path([*upper, *lower]), marks)


def _ends(one: Value) -> tuple[float, float, float]:
    return (
        one.value if one.low is None else one.low,
        one.value,
        one.value if one.high is None else one.high,
    )


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _table(lines: Sequence[tuple[str, int, Sequence[Value]]], across: str) -> Table:
    places = sorted({value.at for _, _, values in lines for value in values})
    known = [{value.at: value for value in values} for _, _, values in lines]
    rows = tuple((thousands(round(at)), *(_written(values.get(at)) for values in known)) for at in places)
    return Table((across, *(label for label, _, _ in lines)), rows)


def _written(one: Value | None) -> str:
    if one is None:
        return "–"
    value = decimal(one.value, 3)
    if one.low is None or one.high is None:
        return value
    return f"{value} ({decimal(one.low, 3)}–{decimal(one.high, 3)})"
