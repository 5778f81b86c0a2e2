"""What the monitoring page says of a project: the stored report in the reader's words."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from annotation import charts, monitor_charts, monitor_selectors, monitor_words, progress_selectors
from annotation.agreement.estimate import Estimate
from annotation.agreement_table import HEADLINE, CriterionRows, Part, axis_of, criterion_rows, parts_of
from annotation.annotator_selectors import Totals
from annotation.answer_words import LETTERS
from annotation.chart_data import Bars, Histogram, Line, Stacked
from annotation.charts import Axis
from annotation.forecast import Forecast, forecast
from annotation.heat_map import HeatMap
from annotation.item_selectors import DisputedItem
from annotation.method_words import Methods, methods_of
from annotation.models.project import Project
from annotation.models.standing import Standing
from annotation.monitor_words import Verdict
from annotation.people_table import Person, people_of, sorted_people
from annotation.services.reporting import Report


@dataclass(frozen=True)
class Monitor:
    verdict: Verdict
    totals: Totals
    progress: progress_selectors.Totals
    forecast: Forecast | None
    headline: Estimate
    headline_text: str
    agreement: tuple[CriterionRows, ...]
    axis: Axis
    over_time: Line | None
    parts: tuple[Part, ...]  # categories and groups, where there are any
    heat: HeatMap | None
    volume: Bars | None
    times: Histogram | None
    choices: Stacked | None
    sides: Stacked | None
    people: tuple[Person, ...]  # in the order asked for
    flagged: int
    apart: int
    disputed: tuple[DisputedItem, ...]
    methods: Methods | None


def monitor_of(
    project: Project,
    report: Report,
    standings: Mapping[int, Standing],
    *,
    totals: progress_selectors.Totals,
    sort: str = "flags",
) -> Monitor:
    """Everything on the page but who works now. `sort`: a key of SORTS; with a minus in front, backwards."""
    agreement = [one.overall for one in report.agreement]
    headline = agreement[0].main.krippendorff[HEADLINE]
    axis = axis_of(agreement)
    people = people_of(report.people, standings)
    return Monitor(
        verdict=monitor_words.verdict(
            estimate=headline,
            project=project,
            totals=report.totals,
            people=people,
            drift=report.drift,
            asks_two=monitor_selectors.asks_two_people(project, least=monitor_words.LEAST_ITEMS),
        ),
        totals=report.totals,
        progress=totals,
        forecast=forecast(totals.open_slots, report.days),
        headline=headline,
        headline_text=charts.decimal(headline.value) if headline.value is not None else "–",
        agreement=tuple(criterion_rows(one, axis) for one in agreement),
        axis=axis,
        over_time=monitor_charts.over_time(report.agreement),
        parts=parts_of(report.agreement[0], axis),
        heat=monitor_charts.pairs(report.agreement[0].pairs_of_annotators),
        volume=monitor_charts.volume(report.days),
        times=monitor_charts.times(report.times),
        choices=monitor_charts.parts(gettext("Answer"), answers_in_words(project, report)),
        sides=monitor_charts.parts(gettext("Place"), places_in_words(project, report.totals)),
        people=tuple(sorted_people(people, sort)),
        flagged=sum(bool(one.assessment.flags) and not one.apart for one in people),
        apart=sum(one.apart for one in people),
        disputed=report.disputed,
        methods=methods_of(project, report.methods),
    )


def answers_in_words(project: Project, report: Report) -> list[tuple[str, int, int]]:
    """(answer, how often, colour): what was chosen; which response came first; how many points were given."""
    if project.kind == Project.Kind.RANKING:
        return [(_first(position), count, _colour(position)) for position, count in report.tops]
    if project.kind == Project.Kind.RATING:
        return [(str(points), count, (points - 1) % 5 + 1) for points, count in report.points]
    totals = report.totals
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
