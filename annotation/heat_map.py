"""How alike people judge, two by two, as a table with coloured cells (partials/heat.html)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotation.charts import decimal, thousands

MOST_PEOPLE = 30
FEWEST_COMMON = 5  # items; below, a cell says nothing
STEPS = 9  # the colours .heat-0 to .heat-8

Of = Literal["kappa", "percent"]
# Where each colour but the first begins. Of κ the first colour is below chance, of percent below a third.
BOUNDS: dict[Of, tuple[float, ...]] = {
    "kappa": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8),
    "percent": (1 / 3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9),
}


@dataclass(frozen=True)
class Pair:
    """Two people: how alike they judge (None: undefined), and how many items both have judged."""

    value: float | None
    common: int


@dataclass(frozen=True)
class Cell:
    """text: the value, "–" without one, empty on the diagonal; step: its colour; who: the two people."""

    text: str
    who: str = ""
    items: str = ""  # how many both have judged
    step: int | None = None


@dataclass(frozen=True)
class HeatMap:
    """names: of the people, in order; rows: as many cells for each; key: (colour, from where to where)."""

    of: Of
    names: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    key: tuple[tuple[int, str], ...]
    left_out: int = 0  # people beyond the first MOST_PEOPLE

    @property
    def lines(self) -> list[tuple[str, tuple[Cell, ...]]]:
        return list(zip(self.names, self.rows, strict=True))


def heat_map(
    names: Sequence[str], pairs: Mapping[tuple[int, int], Pair], *, of: Of = "kappa"
) -> HeatMap | None:
    """`pairs`: by the places of two people in `names`, the lower first; None with fewer than two people."""
    if len(names) < 2:
        return None
    shown = range(min(len(names), MOST_PEOPLE))
    return HeatMap(
        of=of,
        names=tuple(names[place] for place in shown),
        rows=tuple(
            tuple(_cell(names, row, column, pairs.get(_both(row, column)), of) for column in shown)
            for row in shown
        ),
        key=_key(of),
        left_out=len(names) - len(shown),
    )


def step_of(value: float, of: Of) -> int:
    return sum(value >= bound for bound in BOUNDS[of])


def _both(one: int, other: int) -> tuple[int, int]:
    return min(one, other), max(one, other)


def _cell(names: Sequence[str], row: int, column: int, pair: Pair | None, of: Of) -> Cell:
    if row == column:
        return Cell("")
    common = pair.common if pair else 0
    two = _("%(one)s and %(other)s") % {"one": names[row], "other": names[column]}
    items = ngettext("%(n)s common item", "%(n)s common items", common) % {"n": thousands(common)}
    if pair is None or pair.value is None or common < FEWEST_COMMON:
        return Cell("–", two, items)
    return Cell(_written(pair.value, of), two, items, step_of(pair.value, of))


def _written(value: float, of: Of) -> str:
    return decimal(value) if of == "kappa" else f"{100 * value:.0f} %"


def _key(of: Of) -> tuple[tuple[int, str], ...]:
    bounds = BOUNDS[of]
    least = _("below chance") if of == "kappa" else _("below %(value)s") % {"value": _written(bounds[0], of)}
    inner = [f"{_written(low, of)}–{_written(high, of)}" for low, high in pairwise(bounds)]
    most = _("%(value)s or more") % {"value": _written(bounds[-1], of)}
    return tuple(enumerate((least, *inner, most)))
