"""The page Coverage: a survey as a map, a table of kinds of prompts, and sentences about the shift."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activelearning import survey_selectors
from activelearning.acquisition.survey import LABELLED, OPEN, SELECTED, STATUSES
from activelearning.models import SelectionBatch
from annotation.charts import decimal, thousands

WIDTH, HEIGHT, EDGE = 640.0, 400.0, 16.0
SMALLEST, LARGEST = 2.0, 5.5
EXCERPT = 72
APART = 18.0  # between two numbers on the map
STATUS_WORDS: tuple[Promise, ...] = (
    gettext_lazy("open"),
    gettext_lazy("labelled"),
    gettext_lazy("in this batch"),
)
ORDER = (OPEN, LABELLED, SELECTED)  # what few there are is drawn on top
SERIES = {OPEN: 5, LABELLED: 1, SELECTED: 2}


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    r: float
    faint: bool

    @property
    def diamond(self) -> str:
        """Of the same area as the circle, and a little more, for it is to stand out."""
        r = 1.6 * self.r
        return f"M{self.x:.1f} {self.y - r:.1f}l{r:.1f} {r:.1f}l{-r:.1f} {r:.1f}l{-r:.1f} {-r:.1f}z"


@dataclass(frozen=True)
class Layer:
    """All dots of one status."""

    name: str
    label: Promise
    series: int
    count: int
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class Flag:
    """The number of a kind, in the middle of its pairs."""

    number: int
    x: float
    y: float


@dataclass(frozen=True)
class Map:
    layers: tuple[Layer, ...]
    flags: tuple[Flag, ...]
    explained: str
    width: float = WIDTH
    height: float = HEIGHT


@dataclass(frozen=True)
class Share:
    """Of one set, the part in one kind: a bar of a width up to 100."""

    label: Promise
    series: int
    count: str
    percent: str
    width: str


@dataclass(frozen=True)
class KindRow:
    """number: from 1, as on the map. others: the prompts in its middle besides the one that names it."""

    number: int
    name: str
    others: tuple[str, ...]
    shares: tuple[Share, ...]
    deviation: str
    chosen: bool


@dataclass(frozen=True)
class Coverage:
    map: Map
    kinds: tuple[KindRow, ...]
    sentences: tuple[str, ...]


def coverage_of(batch: SelectionBatch, kind: int | None = None) -> Coverage:
    """kind: the one to show alone, from 1."""
    survey: dict[str, Any] = batch.survey or {}
    kinds: list[dict[str, Any]] = survey["kinds"]
    names = kind_names(batch, kinds)
    return Coverage(
        _map(survey["points"], survey["explained"], kinds, None if kind is None else kind - 1),
        tuple(_rows(kinds, names, kind)),
        tuple(_sentences(survey, kinds, [name[0] for name in names])),
    )


def kind_names(batch: SelectionBatch, kinds: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """For each kind excerpts of the prompts in its middle, the one that names it first."""
    texts = survey_selectors.prompt_texts(batch.project, [pk for kind in kinds for pk in kind["prompts"]])
    return [
        tuple(excerpt(texts[pk]) for pk in kind["prompts"] if pk in texts)
        or (_("of deployment prompts only") if kind.get("deployment") else _("of prompts that are gone"),)
        for kind in kinds
    ]


def excerpt(text: str, most: int = EXCERPT) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rsplit(" ", 1)[0] + "…"


def csv_rows(batch: SelectionBatch) -> list[tuple[Any, ...]]:
    """The map, a pair a row."""
    points: dict[str, list[Any]] = (batch.survey or {})["points"]
    columns = ("response_a", "response_b", "status", "kind", "deviation", "x", "y")
    rows = zip(
        points["response_a"],
        points["response_b"],
        (STATUSES[status] for status in points["status"]),
        (cluster + 1 for cluster in points["cluster"]),
        points["deviation"],
        points["x"],
        points["y"],
        strict=True,
    )
    return [columns, *rows]


def _map(
    points: Mapping[str, Any], explained: float, kinds: Sequence[Mapping[str, Any]], only: int | None
) -> Map:
    x, y = (_spread(points[name]) for name in ("x", "y"))
    place = [
        (EDGE + (WIDTH - 2 * EDGE) * across, HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * up)
        for across, up in zip(x, y, strict=True)
    ]
    radius = [SMALLEST + (LARGEST - SMALLEST) * part for part in _spread(points["deviation"])]
    cluster, status = points["cluster"], points["status"]
    layers = []
    for wanted in ORDER:
        rows = [row for row, one in enumerate(status) if one == wanted]
        dots = tuple(Dot(*place[row], radius[row], only is not None and cluster[row] != only) for row in rows)
        layers.append(Layer(STATUSES[wanted], STATUS_WORDS[wanted], SERIES[wanted], len(rows), dots))
    flags: list[Flag] = []
    for number in range(len(kinds)):
        here = [place[row] for row, one in enumerate(cluster) if one == number]
        if here and only in (None, number):
            across, up = (sorted(values)[len(values) // 2] for values in zip(*here, strict=True))
            while any(abs(across - one.x) < APART and abs(up - one.y) < APART for one in flags):
                up += APART
            flags.append(Flag(number + 1, across, min(up, HEIGHT - EDGE)))
    return Map(tuple(layers), tuple(flags), f"{100 * explained:.0f} %")


def _spread(values: Sequence[float]) -> list[float]:
    """Between 0 and 1, the outermost hundredth at the ends: one far pair does not press the rest together."""
    ordered = sorted(values)
    if not ordered:
        return []
    low, high = ordered[len(ordered) // 100], ordered[-1 - len(ordered) // 100]
    reach = high - low
    return [min(max((value - low) / reach, 0.0), 1.0) if reach > 0 else 0.5 for value in values]


def _rows(
    kinds: Sequence[Mapping[str, Any]], names: Sequence[tuple[str, ...]], chosen: int | None
) -> list[KindRow]:
    sets: list[tuple[str, Promise, int]] = [
        ("pool", gettext_lazy("Pool"), 5),
        ("labelled", gettext_lazy("Labelled"), 1),
        ("selected", gettext_lazy("This batch"), 2),
        ("deployment", gettext_lazy("Deployment"), 3),
    ]
    totals = {key: sum(kind.get(key, 0) for kind in kinds) for key, _label, _series in sets}
    most = max(kind.get(key, 0) / total for kind in kinds for key, total in totals.items() if total)
    found = []
    for number, (kind, name) in enumerate(zip(kinds, names, strict=True), start=1):
        shares = tuple(
            Share(
                label,
                series,
                thousands(kind.get(key, 0)),
                f"{100 * kind.get(key, 0) / totals[key]:.0f} %",
                f"{100 * kind.get(key, 0) / totals[key] / most:.1f}",
            )
            for key, label, series in sets
            if totals[key]
        )
        s = kind["deviation"]
        found.append(
            KindRow(number, name[0], name[1:], shares, "–" if s is None else decimal(s), number == chosen)
        )
    return found


def _sentences(
    survey: Mapping[str, Any], kinds: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> list[str]:
    found = []
    labelled, deployment = survey["labelled"], survey["deployment"]
    if labelled is None:
        found.append(_("Nothing is labelled yet."))
    elif _differs(labelled):
        found.append(
            _("The labelled pairs do not look like the pool: %(part)s of them would have to be of other "
              "kinds (chance alone: %(chance)s, seldom above %(limit)s).") % _parts(labelled)
        )  # fmt: skip
        found += _extremes(kinds, names, "labelled")
    else:
        found.append(
            _("The labelled pairs look like the pool: %(part)s of them would have to be of other kinds, no "
              "more than chance explains (%(chance)s, seldom above %(limit)s).") % _parts(labelled)
        )  # fmt: skip
    if deployment is not None and _differs(deployment):
        found.append(
            _("The deployment prompts do not look like the pool: %(part)s of them would have to be of other "
              "kinds (chance alone: %(chance)s, seldom above %(limit)s).") % _parts(deployment)
        )  # fmt: skip
        found += _extremes(kinds, names, "deployment")
    elif deployment is not None:
        found.append(
            _("The deployment prompts look like the pool: %(part)s of them would have to be of other kinds, "
              "no more than chance explains (%(chance)s, seldom above %(limit)s).") % _parts(deployment)
        )  # fmt: skip
    return found + _lengths(labelled, deployment)


def _differs(shift: Mapping[str, Any]) -> bool:
    return bool(shift["distance"] > shift["limit"])


def _parts(shift: Mapping[str, Any]) -> dict[str, str]:
    names = {"part": "distance", "chance": "by_chance", "limit": "limit"}
    return {key: f"{100 * shift[name]:.0f} %" for key, name in names.items()}


def _extremes(kinds: Sequence[Mapping[str, Any]], names: Sequence[str], key: str) -> list[str]:
    """Which kind is most over-represented, and which one most lacks."""
    pool, total = sum(kind["pool"] for kind in kinds), sum(kind[key] for kind in kinds)
    over = [kind[key] / total - kind["pool"] / pool for kind in kinds]
    most, least = over.index(max(over)), over.index(min(over))
    words = {
        "most": names[most],
        "least": names[least],
        "a": f"{100 * kinds[most][key] / total:.0f} %",
        "of_a": f"{100 * kinds[most]['pool'] / pool:.0f} %",
        "b": f"{100 * kinds[least][key] / total:.0f} %",
        "of_b": f"{100 * kinds[least]['pool'] / pool:.0f} %",
    }
    return [
        _("More than their part are like “%(most)s” (%(a)s, of the pool %(of_a)s); fewer are like "
          "“%(least)s” (%(b)s, of the pool %(of_b)s).") % words
    ]  # fmt: skip


def _lengths(labelled: Mapping[str, Any] | None, deployment: Mapping[str, Any] | None) -> list[str]:
    """Where the middle prompt is half as long again, or shorter by as much."""
    found = []
    for shift, words in (
        (labelled, gettext_lazy("Half of the labelled prompts are longer than %(n)s characters; in the pool, "
                                "than %(of)s.")),
        (deployment, gettext_lazy("Half of the deployment prompts are longer than %(n)s characters; in the "
                                  "pool, than %(of)s.")),
    ):  # fmt: skip
        if shift is None or not shift["length"] or not shift["pool_length"]:
            continue
        ratio = shift["length"] / shift["pool_length"]
        if not 2 / 3 < ratio < 3 / 2:
            shown = {"n": thousands(round(shift["length"])), "of": thousands(round(shift["pool_length"]))}
            found.append(str(words) % shown)
    return found
