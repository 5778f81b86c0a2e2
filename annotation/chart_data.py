"""Data of charts: plain values in; JSON for static/laurel/charts/ and the table beside each chart out.

templates/partials/chart.html puts the JSON into `data-figures`: of script elements htmx clears what it swaps.

    kind     line, bars, stacked or histogram
    unit     how values are written: count (1,234), share (12 %), coefficient (.35)
    marks    [between thousands, before decimals], as on the rest of the page
    dates    null: the labels are words; else they are ISO dates of a "day" or the first of a "week"
    labels   what stands along the chart, one for each value
    edges    of a histogram: the words under the edges of its bars, one more than there are; "" for none
    series   [{name, colour: 1 to 5, values, low, high}]; null is a gap, low and high end the 95 % interval

A stack has one bar for each label and one series for each part.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, ClassVar, Literal

from django.utils.formats import date_format, get_format
from django.utils.translation import gettext as _

from annotation.charts import decimal, thousands

Unit = Literal["count", "share", "coefficient"]
Values = tuple[float | None, ...]


@dataclass(frozen=True)
class Series:
    """One line or one part of a stack. colour: a data colour of the design system."""

    name: str
    values: Values
    colour: int = 1
    low: Values = ()
    high: Values = ()


@dataclass(frozen=True)
class Part:
    """A line of the legend; of a single bar with its figures."""

    name: str
    colour: int
    percent: int | None = None
    count: int | None = None


@dataclass(frozen=True)
class Table:
    """The same figures as text; the first cell of a row is its head."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Chart:
    """along: what the labels are, as the head of the first column (Day, Answer)."""

    kind: ClassVar[str]
    along: str
    labels: Sequence[str | date]
    series: Sequence[Series]
    unit: Unit = "count"
    weekly: bool = False

    def as_json(self) -> dict[str, Any]:
        dated = bool(self.labels) and isinstance(self.labels[0], date)
        return {
            "kind": self.kind,
            "unit": self.unit,
            "marks": [get_format("THOUSAND_SEPARATOR"), get_format("DECIMAL_SEPARATOR")],
            "dates": ("week" if self.weekly else "day") if dated else None,
            "labels": [label.isoformat() if isinstance(label, date) else label for label in self.labels],
            "series": [asdict(one) for one in self.series],
        }

    def text(self) -> str:
        return json.dumps(self.as_json(), ensure_ascii=False, separators=(",", ":"))

    def table(self) -> Table:
        return Table((self.along, *(self._heading(one) for one in self.series)), tuple(self._rows()))

    def legend(self) -> tuple[Part, ...]:
        """Nothing where there is nothing to tell apart."""
        return tuple(Part(one.name, one.colour) for one in self.series) if len(self.series) > 1 else ()

    def _rows(self) -> Iterator[tuple[str, ...]]:
        for place, label in enumerate(self.labels):
            yield (self._label(label), *(self._cell(one, place) for one in self.series))

    def _label(self, label: str | date) -> str:
        if not isinstance(label, date):
            return label
        words = date_format(label)
        return _("Week of %(date)s") % {"date": words} if self.weekly else words

    def _heading(self, one: Series) -> str:
        return f"{one.name} (95 %)" if one.low else one.name

    def _cell(self, one: Series, place: int) -> str:
        value = written(one.values[place], self.unit)
        if not one.low or one.low[place] is None or one.high[place] is None:
            return value
        return f"{value} ({written(one.low[place], self.unit)}–{written(one.high[place], self.unit)})"


@dataclass(frozen=True)
class Line(Chart):
    """Values over time, with their intervals as bands."""

    kind = "line"
    unit: Unit = "coefficient"


@dataclass(frozen=True)
class Bars(Chart):
    kind = "bars"


@dataclass(frozen=True)
class Stacked(Chart):
    """Counts of parts as shares of a whole: one bar for each label, all equally long."""

    kind = "stacked"

    def legend(self) -> tuple[Part, ...]:
        if len(self.labels) > 1:
            return super().legend()
        return tuple(
            Part(one.name, one.colour, self._percent(one, 0), int(one.values[0] or 0)) for one in self.series
        )

    def table(self) -> Table:
        """A single bar is read downwards, part by part."""
        if len(self.labels) > 1:
            return super().table()
        return Table(
            (self.along, _("Number"), _("Share")),
            tuple((one.name, super(Stacked, self)._cell(one, 0), self._share(one, 0)) for one in self.series),
        )

    def _cell(self, one: Series, place: int) -> str:
        return f"{super()._cell(one, place)} · {self._share(one, place)}"

    def _share(self, one: Series, place: int) -> str:
        return f"{self._percent(one, place)} %"

    def _percent(self, one: Series, place: int) -> int:
        """Halves go up, as the script rounds."""
        total = sum(each.values[place] or 0 for each in self.series)
        return int(100 * (one.values[place] or 0) / total + 0.5) if total else 0


@dataclass(frozen=True)
class Histogram(Chart):
    """Bars without gaps between edges; the labels say from where to where each goes."""

    kind = "histogram"
    edges: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return super().as_json() | {"edges": list(self.edges)}


def written(value: float | None, unit: Unit) -> str:
    """A value as the table and, by the same rules, the script write it."""
    if value is None:
        return "–"
    if unit == "count":
        return thousands(round(value))
    if unit == "share":
        return f"{100 * value:.0f} %"
    return decimal(value)
