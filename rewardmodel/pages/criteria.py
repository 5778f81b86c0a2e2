"""The criteria of a run side by side, and the switch between their reports and that of the overall."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from rewardmodel.pages import figures
from rewardmodel.pages.leaderboard import Option

Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """One report in short."""

    option: Option
    weight: str
    accuracy: str
    length: str
    nll: str
    ece: str
    ceiling: str


@dataclass(frozen=True)
class Criteria:
    lines: tuple[Line, ...]  # the overall first, where it has a report of its own
    untested: str  # why it has none, and what stands for it

    @property
    def options(self) -> tuple[Option, ...]:
        return tuple(line.option for line in self.lines)


def report_of(metrics: Metrics, name: str) -> Metrics:
    """What the run says of one criterion; of the overall where it knows none of that name."""
    found: Metrics = (metrics.get("criteria") or {}).get(name, metrics)
    return found


def criteria(metrics: Metrics | None, name: str) -> Criteria | None:
    """name: whose report is on the page. None for a run that learned one criterion."""
    parts: Mapping[str, Metrics] = (metrics or {}).get("criteria") or {}
    if metrics is None or not parts:
        return None
    whole = str(metrics.get("criterion", ""))
    shown = name if name in parts else whole
    weights = metrics.get("weights") or {whole: 1.0}
    heaviest = sorted(parts, key=lambda one: (-weights.get(one, 0.0), one != whole, one))
    lines = [
        _line(
            parts[one],
            Option(one, f"?{urlencode({'criterion': one})}", one == shown),
            figures.percent(weights.get(one, 0.0)),
        )
        for one in heaviest
    ]
    if whole not in parts:
        lines.insert(0, _line(metrics, Option(_("Overall"), "?", shown == whole), ""))
    why = (metrics.get("overall") or {}).get("why")
    words = _("There is no report of the overall: %(why)s. What is said of the run is said of %(name)s.")
    return Criteria(tuple(lines), words % {"why": why, "name": whole} if why else "")


def _line(metrics: Metrics, option: Option, weight: str) -> Line:
    ceiling = (metrics.get("ceiling") or {}).get("one_voter_against_the_others") or {}
    return Line(
        option=option,
        weight=weight,
        accuracy=figures.with_range(metrics.get("accuracy") or {}),
        length=figures.number(((metrics.get("baselines") or {}).get("length") or {}).get("value")),
        nll=figures.number(metrics.get("nll")),
        ece=figures.number(metrics.get("ece")),
        ceiling=figures.number(ceiling.get("value")),
    )
