"""What the monitoring page says of a project, put together from reads, agreement and flags."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from annotation import (
    annotator_selectors,
    charts,
    item_selectors,
    monitor_charts,
    monitor_selectors,
    monitor_words,
    progress_selectors,
)
from annotation.aggregation import flags
from annotation.aggregation.flags import Assessment, Record
from annotation.agreement.estimate import Estimate
from annotation.agreement.krippendorff import Level
from annotation.agreement.report import AgreementReport
from annotation.annotator_selectors import AnnotatorRow, Totals
from annotation.answer_words import LETTERS
from annotation.chart_data import Bars, Histogram, Stacked
from annotation.charts import Axis, Whisker
from annotation.item_selectors import DisputedItem
from annotation.models.project import Project
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

# The same on the ratings themselves, where there are ratings; the rows above are then on pairs of responses.
RATING_MEASURES: tuple[tuple[str, Promise, Promise], ...] = (
    (
        "ordinal",
        _("α of the ratings, ordinal"),
        _("On single responses: a near miss is half a disagreement."),
    ),
    ("interval", _("α of the ratings, interval"), _("The same with points of equal size.")),
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
    def itself(self) -> str:
        """.60–.98: the interval of the share of silent repeats that were answered as before."""
        interval = self.row.itself.interval
        return "" if interval is None else "–".join(charts.decimal(end) for end in interval)

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
    volume: Bars | None
    times: Histogram | None
    choices: Stacked | None
    sides: Stacked | None
    people: tuple[Person, ...]  # in the order asked for
    flagged: int
    disputed: tuple[DisputedItem, ...]


def monitor_of(project: Project, progress: progress_selectors.Progress, *, sort: str) -> Monitor:
    """Everything on the page but the workers. `sort` is a key of SORTS, with a minus in front: backwards."""
    rows = annotator_selectors.annotators(project)
    assessments = assessed(project, rows)
    totals = annotator_selectors.totals(rows)
    agreement = agreement_of(project=project)
    headline = agreement[0].main.krippendorff[HEADLINE]
    axis = charts.axis(min(_lowest(agreement), 0.0))
    people = sorted_people([Person(*pair) for pair in zip(rows, assessments, strict=True)], sort)
    return Monitor(
        verdict=monitor_words.verdict(
            estimate=headline, project=project, totals=totals, rows=rows, assessments=assessments
        ),
        totals=totals,
        progress=progress,
        headline=headline,
        headline_text=charts.decimal(headline.value) if headline.value is not None else "–",
        agreement=tuple(_criterion(one, axis) for one in agreement),
        axis=axis,
        volume=monitor_charts.volume(monitor_selectors.volume_by_day(project)),
        times=monitor_charts.times(monitor_selectors.times(project)),
        choices=monitor_charts.parts(gettext("Answer"), answers_in_words(project, totals)),
        sides=monitor_charts.parts(gettext("Place"), places_in_words(project, totals)),
        people=tuple(people),
        flagged=sum(bool(assessment.flags) for assessment in assessments),
        disputed=tuple(item_selectors.disputed(project)),
    )


def assessed(project: Project, rows: Sequence[AnnotatorRow]) -> list[Assessment]:
    return flags.assess(
        [
            Record(
                gold=row.gold,
                gold_right=row.gold_right,
                sided=row.sided,
                chose_left=row.chose_left,
                chance=row.left_chance,
                ordered=project.kind != Project.Kind.PAIRWISE,
                timed=row.timed,
                seconds=row.median_seconds,
                choices=row.choices,
            )
            for row in rows
        ]
    )


def answers_in_words(project: Project, totals: Totals) -> list[tuple[str, int, int]]:
    """(answer, how often, colour): what was chosen; which response came first; how many points were given."""
    if project.kind == Project.Kind.RANKING:
        found = annotator_selectors.on_top(project)
        return [(_first(position), count, _colour(position)) for position, count in found]
    if project.kind == Project.Kind.RATING:
        return [
            (str(points), count, (points - 1) % 5 + 1)
            for points, count in annotator_selectors.points(project)
        ]
    return [
        (str(_("A is better")), totals.a, 1),
        (str(_("Tie")), totals.tie, 5),
        (str(_("Both are bad")), totals.both_bad, 4),
        (str(_("B is better")), totals.b, 2),
    ]


def places_in_words(project: Project, totals: Totals) -> list[tuple[str, int, int]]:
    others = totals.sided - totals.chose_left
    if project.kind == Project.Kind.PAIRWISE:
        words = (_("Left is better"), _("Right is better"))
    else:
        words = (_("The one shown first is best"), _("Another one is best"))
    return [(str(words[0]), totals.chose_left, 3), (str(words[1]), others, 5)]


def _first(position: int | None) -> str:
    return str(_("Several level")) if position is None else LETTERS[position % len(LETTERS)]


def _colour(position: int | None) -> int:
    return 5 if position is None else position % 4 + 1


# Each key puts what an admin looks for first; None goes last either way.
SORTS: dict[str, Callable[[Person], Any]] = {
    "flags": lambda one: (-len(one.assessment.flags), -one.row.judgments),
    "name": lambda one: one.row.name.casefold(),
    "judgments": lambda one: -one.row.judgments,
    "gold": lambda one: one.row.gold_accuracy,
    "seconds": lambda one: one.row.median_seconds,
    "left": lambda one: None if one.row.left_share is None else -one.row.left_share,
    "ties": lambda one: None if one.row.tie_share is None else -one.row.tie_share,
    "itself": lambda one: one.row.itself.interval and one.row.itself.interval[0],
    "last": lambda one: -one.row.last_at.timestamp(),
}
LEAST_FIRST = frozenset({"name", "gold", "seconds", "itself"})
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
    measures = [_measure(_estimates(one.report)[key], name, meaning, axis) for key, name, meaning in MEASURES]
    if one.ratings is not None:
        of_ratings = _estimates(one.ratings)
        measures = [
            *(_measure(of_ratings[key], name, meaning, axis) for key, name, meaning in RATING_MEASURES),
            *measures,
        ]
    return CriterionRows(one.criterion, one.annotators, tuple(measures))


def _measure(found: Estimate, name: Promise, meaning: Promise, axis: Axis) -> Measure:
    drawn = None if found.value is None else charts.whisker(axis, found.value, found.low, found.high)
    return Measure(name, meaning, monitor_words.with_interval(found), found.reason or "", found.units, drawn)


def _estimates(report: AgreementReport) -> dict[str, Estimate]:
    found: dict[str, Estimate] = {str(level): one for level, one in report.krippendorff.items()}
    return found | {"fleiss": report.fleiss, "gwet_ac1": report.gwet_ac1, "percent": report.percent}


def _lowest(agreement: Sequence[CriterionAgreement]) -> float:
    reports = [report for one in agreement for report in (one.report, one.ratings) if report is not None]
    shown = [estimate for report in reports for estimate in _estimates(report).values()]
    return min((end for one in shown for end in (one.value, one.low) if end is not None), default=0.0)
