"""The table of annotators on the monitoring page: one line each, sorted and narrowed down."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, pgettext_lazy

from annotation import charts
from annotation.aggregation.flags import Assessment
from annotation.annotator_selectors import AnnotatorRow
from annotation.flag_words import BADGES, STANDINGS, evidence
from annotation.models.standing import Standing
from annotation.services.assessing import Measured, Quality

APART: Final[dict[str, Promise]] = {
    Standing.State.PAUSED: gettext_lazy("paused"),
    Standing.State.EXCLUDED: gettext_lazy("excluded"),
}


@dataclass(frozen=True)
class Person:
    """One line of the table."""

    quality: Quality
    decided: Standing | None = None

    @property
    def row(self) -> AnnotatorRow:
        return self.quality.row

    @property
    def assessment(self) -> Assessment:
        return self.quality.assessment

    @property
    def measured(self) -> Measured | None:
        return self.quality.measured

    @property
    def reliability(self) -> str:
        """.60–.98: the interval of the share of answers that follow what the others say."""
        known = self.measured
        return "" if known is None else f"{charts.decimal(known.low)}–{charts.decimal(known.high)}"

    @property
    def theta(self) -> str:
        return "" if self.measured is None else charts.decimal(self.measured.theta)

    @property
    def apart(self) -> bool:
        """Paused or excluded: no work, no weight."""
        return self.decided is not None and self.decided.state != Standing.State.ACTIVE

    @property
    def state(self) -> Promise | str:
        """Paused, excluded or nothing to say."""
        return APART[self.decided.state] if self.apart and self.decided is not None else ""

    @property
    def watched(self) -> bool:
        """They are given more gold than the others."""
        return not self.apart and self.decided is not None and self.decided.gold_rate is not None

    @property
    def appeals(self) -> bool:
        return self.decided is not None and self.decided.appealed_at is not None

    @property
    def badges(self) -> list[tuple[Promise, str]]:
        return [(BADGES[flag.kind], evidence(flag)) for flag in self.assessment.flags]

    @property
    def itself(self) -> str:
        """.60–.98: the interval of the share of silent repeats that were answered as before."""
        interval = self.row.itself.interval
        return "" if interval is None else "–".join(charts.decimal(end) for end in interval)

    @property
    def standing(self) -> Promise:
        return STANDINGS[self.assessment.standing]


def people_of(qualities: Sequence[Quality], standings: Mapping[int, Standing]) -> list[Person]:
    return [Person(one, standings.get(one.row.id)) for one in qualities]


SHOWN: Final[dict[str, tuple[Promise, Callable[[Person], bool]]]] = {
    "all": (gettext_lazy("Everybody"), lambda one: True),
    "flagged": (pgettext_lazy("people", "Flagged"), lambda one: bool(one.assessment.flags)),
    "apart": (gettext_lazy("Paused or excluded"), lambda one: one.apart),
    "appeals": (gettext_lazy("Appeals"), lambda one: one.appeals),
}


def narrowed(people: Sequence[Person], show: str, name: str) -> list[Person]:
    """Those of one kind whose name contains these letters; `show` is a key of SHOWN."""
    wanted = name.casefold().strip()
    kept = SHOWN[show][1]
    return [one for one in people if kept(one) and wanted in one.row.name.casefold()]


def known_show(asked: str) -> str:
    return asked if asked in SHOWN else "all"


# Each key puts what an admin looks for first; None goes last either way.
SORTS: dict[str, Callable[[Person], Any]] = {
    "flags": lambda one: (-one.appeals, one.apart, -len(one.assessment.flags), -one.row.judgments),
    "name": lambda one: one.row.name.casefold(),
    "judgments": lambda one: -one.row.judgments,
    "gold": lambda one: one.row.gold_accuracy,
    "theta": lambda one: one.measured and one.measured.theta,
    "seconds": lambda one: one.row.median_seconds,
    "left": lambda one: None if one.row.left_share is None else -one.row.left_share,
    "ties": lambda one: None if one.row.tie_share is None else -one.row.tie_share,
    "itself": lambda one: one.row.itself.interval and one.row.itself.interval[0],
    "last": lambda one: -one.row.last_at.timestamp(),
}
LEAST_FIRST = frozenset({"name", "gold", "theta", "seconds", "itself"})
DEFAULT_SORT = "flags"


def known_sort(asked: str) -> str:
    """The sort asked for if there is such a one, else the default: an old link still opens the page."""
    return asked if asked.removeprefix("-") in SORTS else DEFAULT_SORT


def sorted_people(people: Sequence[Person], sort: str) -> list[Person]:
    key = SORTS[sort.removeprefix("-")]
    valued = [(key(one), one) for one in people]
    known = [pair for pair in valued if pair[0] is not None]
    known.sort(key=lambda pair: pair[0], reverse=sort.startswith("-"))
    return [one for _key, one in known] + [one for value, one in valued if value is None]
