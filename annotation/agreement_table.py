"""The table of coefficients on the monitoring page: values, intervals and how each is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from annotation import charts, monitor_words
from annotation.agreement.estimate import Estimate
from annotation.agreement.report import AgreementReport
from annotation.charts import Axis, Whisker
from annotation.services.agreeing import CriterionAgreement
from annotation.services.agreement_parts import AgreementInParts
from annotation.services.agreement_slices import Slice

HEADLINE: Final = "ordinal"  # a < tie < b: a tie against a side is half a disagreement

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


# Of whole rankings, and of single ranks, where there are rankings.
RANKING_MEASURES: tuple[tuple[str, Promise, Promise], ...] = (
    ("alpha", _("α of the ranks, ordinal"), _("On single responses: a near place is half a disagreement.")),
    ("kendall_w", _("Kendall's W"), _("How alike whole rankings are: 0 not at all, 1 the same.")),
)


@dataclass(frozen=True)
class Measure:
    """people: the interval over annotators instead of items, where there is one."""

    name: Promise
    meaning: Promise
    text: str
    reason: str
    units: int
    whisker: Whisker | None
    people: str = ""


@dataclass(frozen=True)
class CriterionRows:
    criterion: str
    annotators: int
    measures: tuple[Measure, ...]


@dataclass(frozen=True)
class PartRow:
    """One category or group, or two groups against one another."""

    name: str
    text: str
    reason: str
    units: int
    annotators: int | None
    whisker: Whisker | None


@dataclass(frozen=True)
class Part:
    """title: what the rows are; csv: the table of the same figures."""

    title: Promise
    csv: str
    rows: tuple[PartRow, ...]


def parts_of(agreement: AgreementInParts, axis: Axis) -> tuple[Part, ...]:
    """α, ordinal, of each category and group of the main criterion; nothing where there is only one."""
    categories, groups = agreement.by_category.categories, agreement.by_group.groups
    found = []
    if len(categories) > 1:
        rows = [_part_row(name or str(_("without a category")), of, axis) for name, of in categories]
        found.append(Part(_("By category of the prompt"), "agreement_by_category", tuple(rows)))
    if len(groups) > 1:
        rows = [_part_row(name or str(_("without a group")), of, axis) for name, of in groups]
        rows += [
            _two_groups(one, other, kappa[HEADLINE], axis) for one, other, kappa in agreement.by_group.between
        ]
        found.append(Part(_("Within and between groups of annotators"), "agreement_by_group", tuple(rows)))
    return tuple(found)


def _part_row(name: str, of: Slice, axis: Axis) -> PartRow:
    found = of.alpha[HEADLINE]
    drawn = None if found.value is None else charts.whisker(axis, found.value, found.low, found.high)
    text, reason = monitor_words.with_interval(found), found.reason or ""
    return PartRow(name, text, reason, of.units, of.annotators, drawn)


def _two_groups(one: str, other: str, found: Estimate, axis: Axis) -> PartRow:
    """κ of one from each group."""
    names = " – ".join(name or str(_("without a group")) for name in (one, other))
    drawn = None if found.value is None else charts.whisker(axis, found.value, found.low, found.high)
    return PartRow(names, monitor_words.with_interval(found), found.reason or "", found.units, None, drawn)


def axis_of(agreement: Sequence[CriterionAgreement]) -> Axis:
    """One scale for all the rows."""
    return charts.axis(min(_lowest(agreement), 0.0))


def criterion_rows(one: CriterionAgreement, axis: Axis) -> CriterionRows:
    measures = _rows(MEASURES, _estimates(one.report), _people(one.report), axis)
    if one.ratings is not None:
        measures = _rows(RATING_MEASURES, _estimates(one.ratings), _people(one.ratings), axis) + measures
    if one.rankings is not None:
        of_ranks = {"alpha": one.rankings.alpha, "kendall_w": one.rankings.kendall_w}
        measures = _rows(RANKING_MEASURES, of_ranks, {"alpha": one.rankings.over_annotators}, axis) + measures
    return CriterionRows(one.criterion, one.annotators, tuple(measures))


def _rows(
    measures: Sequence[tuple[str, Promise, Promise]],
    found: Mapping[str, Estimate],
    people: Mapping[str, Estimate],
    axis: Axis,
) -> list[Measure]:
    return [_measure(found[key], people.get(key), name, meaning, axis) for key, name, meaning in measures]


def _measure(
    found: Estimate, people: Estimate | None, name: Promise, meaning: Promise, axis: Axis
) -> Measure:
    drawn = None if found.value is None else charts.whisker(axis, found.value, found.low, found.high)
    text, reason = monitor_words.with_interval(found), found.reason or ""
    ends = (
        "" if people is None or people.low is None or people.high is None else _ends(people.low, people.high)
    )
    return Measure(name, meaning, text, reason, found.units, drawn, ends)


def _ends(low: float, high: float) -> str:
    return f"{charts.decimal(low)}–{charts.decimal(high)}"


def _people(report: AgreementReport) -> dict[str, Estimate]:
    """The same coefficients with intervals over annotators."""
    return {str(level): one for level, one in report.over_annotators.items()}


def _estimates(report: AgreementReport) -> dict[str, Estimate]:
    found: dict[str, Estimate] = {str(level): one for level, one in report.krippendorff.items()}
    return found | {"fleiss": report.fleiss, "gwet_ac1": report.gwet_ac1, "percent": report.percent}


def _lowest(agreement: Sequence[CriterionAgreement]) -> float:
    reports = [report for one in agreement for report in (one.report, one.ratings) if report is not None]
    shown = [estimate for report in reports for estimate in _estimates(report).values()]
    return min((end for one in shown for end in (one.value, one.low) if end is not None), default=0.0)
