"""What the monitoring page says of a project, put together from reads, agreement and flags."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from annotation import charts, item_selectors, monitor_selectors, monitor_words, progress_selectors
from annotation.aggregation import flags
from annotation.aggregation.flags import Assessment, Record
from annotation.agreement.estimate import Estimate
from annotation.agreement.krippendorff import Level
from annotation.charts import Axis, BarChart, Segment, Whisker
from annotation.item_selectors import DisputedItem
from annotation.models.project import Project
from annotation.monitor_selectors import AnnotatorRow, Totals
from annotation.monitor_words import BADGES, STANDINGS, Verdict, evidence
from annotation.services.agreeing import CriterionAgreement, agreement_of

HEADLINE: Level = "ordinal"  # a < tie < b: a tie against a side is half a disagreement

MEASURES: tuple[tuple[str, Promise, Promise], ...] = (
    ("ordinal", _("Krippendorff's α, ordinal"), _("A against B counts more than either against a tie.")),
    ("nominal", _("Krippendorff's α, nominal"), _("A, tie and B are just three different answers.")),
    ("fleiss", _("Fleiss' κ"), _("Like α nominal, without its correction for few votes.")),
    ("gwet_ac1", _("Gwet's AC1"), _("Steady when nearly all answers are alike.")),
    (
        "percent",
        _("Agreement of two people"),
        _("How often two people give the same answer; chance not taken out."),
    ),
)


@dataclass(frozen=True)
class Measure:
    name: Promise
    meaning: Promise
    text: str
    reason: str
    units: int
    whisker: Whisker | None


@dataclass(frozen=True)
class CriterionRows:
    criterion: str
    annotators: int
    measures: tuple[Measure, ...]


@dataclass(frozen=True)
class Person:
    """One line of the table of annotators."""

    row: AnnotatorRow
    assessment: Assessment

    @property
    def badges(self) -> list[tuple[Promise, str]]:
        return [(BADGES[flag.kind], evidence(flag)) for flag in self.assessment.flags]

    @property
    def standing(self) -> Promise:
        return STANDINGS[self.assessment.standing]


@dataclass(frozen=True)
class Monitor:
    verdict: Verdict
    totals: Totals
    progress: progress_selectors.Progress
    headline: Estimate
    headline_text: str
    agreement: tuple[CriterionRows, ...]
    axis: Axis
    volume: BarChart | None
    choices: tuple[Segment, ...]
    sides: tuple[Segment, ...]
    people: tuple[Person, ...]  # in the order asked for
    flagged: int
    disputed: tuple[DisputedItem, ...]


def monitor_of(project: Project, progress: progress_selectors.Progress, *, sort: str) -> Monitor:
    """Everything on the page but the workers. `sort` is a key of SORTS, with a minus in front: backwards."""
    rows = monitor_selectors.annotators(project)
    assessments = assessed(rows)
    totals = monitor_selectors.totals(rows)
    agreement = agreement_of(project=project)
    headline = agreement[0].report.krippendorff[HEADLINE]
    axis = charts.axis(min(_lowest(agreement), 0.0))
    people = sorted_people([Person(*pair) for pair in zip(rows, assessments, strict=True)], sort)
    return Monitor(
        verdict=monitor_words.verdict(
            estimate=headline, overlap=project.overlap, totals=totals, rows=rows, assessments=assessments
        ),
        totals=totals,
        progress=progress,
        headline=headline,
        headline_text=charts.decimal(headline.value) if headline.value is not None else "–",
        agreement=tuple(_criterion(one, axis) for one in agreement),
        axis=axis,
        volume=charts.volume(monitor_selectors.volume_by_day(project)),
        choices=charts.stacked(
            [
                (str(_("A is better")), totals.a, 1),
                (str(_("Tie")), totals.tie, 5),
                (str(_("Both are bad")), totals.both_bad, 4),
                (str(_("B is better")), totals.b, 2),
            ]
        ),
        sides=charts.stacked(
            [
                (str(_("Left is better")), totals.chose_left, 3),
                (str(_("Right is better")), totals.sided - totals.chose_left, 5),
            ]
        ),
        people=tuple(people),
        flagged=sum(bool(assessment.flags) for assessment in assessments),
        disputed=tuple(item_selectors.disputed(project)),
    )


def assessed(rows: Sequence[AnnotatorRow]) -> list[Assessment]:
    return flags.assess(
        [
            Record(
                gold=row.gold,
                gold_right=row.gold_right,
                sided=row.sided,
                chose_left=row.chose_left,
                timed=row.timed,
                seconds=row.median_seconds,
                choices=(row.a, row.tie, row.both_bad, row.b),
            )
            for row in rows
        ]
    )


# Each key puts what an admin looks for first; None goes last either way.
SORTS: dict[str, Callable[[Person], Any]] = {
    "flags": lambda one: (-len(one.assessment.flags), -one.row.judgments),
    "name": lambda one: one.row.name.casefold(),
    "judgments": lambda one: -one.row.judgments,
    "gold": lambda one: one.row.gold_accuracy,
    "seconds": lambda one: one.row.median_seconds,
    "left": lambda one: None if one.row.left_share is None else -one.row.left_share,
    "ties": lambda one: None if one.row.tie_share is None else -one.row.tie_share,
    "last": lambda one: -one.row.last_at.timestamp(),
}
LEAST_FIRST = frozenset({"name", "gold", "seconds"})
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


def _criterion(one: CriterionAgreement, axis: Axis) -> CriterionRows:
    estimates: dict[str, Estimate] = {str(level): found for level, found in one.report.krippendorff.items()}
    estimates |= {"fleiss": one.report.fleiss, "gwet_ac1": one.report.gwet_ac1, "percent": one.report.percent}
    measures = []
    for key, name, meaning in MEASURES:
        found = estimates[key]
        drawn = None if found.value is None else charts.whisker(axis, found.value, found.low, found.high)
        text = monitor_words.with_interval(found)
        measures.append(Measure(name, meaning, text, found.reason or "", found.units, drawn))
    return CriterionRows(one.criterion, one.annotators, tuple(measures))


def _lowest(agreement: Sequence[CriterionAgreement]) -> float:
    found = []
    for one in agreement:
        shown = (
            *one.report.krippendorff.values(),
            one.report.fleiss,
            one.report.gwet_ac1,
            one.report.percent,
        )
        found += [end for estimate in shown for end in (estimate.value, estimate.low) if end is not None]
    return min(found, default=0.0)
