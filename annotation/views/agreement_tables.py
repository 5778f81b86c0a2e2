"""Agreement as CSV: one row a coefficient, so that a spreadsheet can filter whatever there is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from annotation.agreement.estimate import Estimate
from annotation.agreement.krippendorff import Level
from annotation.agreement.report import AgreementReport
from annotation.models.project import Project
from annotation.services import reporting
from annotation.services.agreeing import RankAgreement
from annotation.services.agreement_parts import AgreementInParts
from annotation.services.agreement_slices import Slice

Rows = Iterable[Iterable[Any]]

_ESTIMATE = ("coefficient", "value", "low", "high", "units", "reason")
_SIZE = ("all_units", "ratings", "annotators")


def agreement(project: Project, *_: object) -> Rows:
    """Intervals over items (low, high) and over annotators."""
    yield "criterion", "unit", *_ESTIMATE, "low_annotators", "high_annotators", "reason_annotators"
    for one in (parts.overall for parts in _parts(project)):
        for row in _report("pair", one.report):
            yield one.criterion, *row
        if one.ratings is not None:
            for row in _report("rated response", one.ratings):
                yield one.criterion, *row
        if one.rankings is not None:
            for row in _rankings(one.rankings):
                yield one.criterion, *row


def agreement_over_time(project: Project, *_: object) -> Rows:
    yield "criterion", "unit", "first_day", "last_day", *_SIZE, *_ESTIMATE
    for parts in _parts(project):
        found = parts.over_time
        for first, last, one in found.periods:
            for row in _slice(one):
                yield parts.overall.criterion, found.unit, first, last, *row


def agreement_by_category(project: Project, *_: object) -> Rows:
    """Without a name: prompts without a category; with `categories` of more than 1: all small ones."""
    yield "criterion", "unit", "category", "categories", *_SIZE, *_ESTIMATE
    for parts in _parts(project):
        found = parts.by_category
        categories = [(name, 1, one) for name, one in found.categories]
        if found.others is not None:
            categories.append(("", *found.others))
        for name, count, one in categories:
            for row in _slice(one):
                yield parts.overall.criterion, found.unit, name, count, *row


def agreement_by_group(project: Project, *_: object) -> Rows:
    """Inside each group, then of each two; without a name: people without a group."""
    yield "criterion", "unit", "compared", "group", "other_group", *_SIZE, *_ESTIMATE
    for parts in _parts(project):
        found = parts.by_group
        for name, one in found.groups:
            for row in _slice(one):
                yield parts.overall.criterion, found.unit, "within", name, "", *row
        for name, other, kappa in found.between:
            for level, estimate in kappa.items():
                row = _estimate(f"kappa {level}", estimate)
                yield parts.overall.criterion, found.unit, "between", name, other, "", "", "", *row


def pairs_of_annotators(project: Project, *_: object) -> Rows:
    """Every two of the most active people."""
    people = "annotator", "other_annotator"
    yield "criterion", *people, "units", "percent", "cohen_kappa", "low", "high", "reason"
    for parts in _parts(project):
        found = parts.pairs_of_annotators
        for pair in found.pairs:
            names = (found.people[place].name for place in (pair.first, pair.second))
            numbers = pair.units, pair.percent, pair.kappa, pair.low, pair.high
            yield parts.overall.criterion, *names, *numbers, pair.reason


def _parts(project: Project) -> Sequence[AgreementInParts]:
    """As the page has them, from the same report."""
    return reporting.report_of(project).agreement


def _report(unit: str, report: AgreementReport) -> Iterator[tuple[Any, ...]]:
    people: Mapping[str, Estimate] = {
        f"krippendorff {level}": estimate for level, estimate in report.over_annotators.items()
    }
    for name, of in report.estimates.items():
        yield unit, *_estimate(name, of), *_over_annotators(people.get(name))


def _rankings(found: RankAgreement) -> Iterator[tuple[Any, ...]]:
    yield "ranking", *_estimate("kendall_w", found.kendall_w), *_over_annotators(None)
    yield "ranking", *_estimate("spearman", found.spearman), *_over_annotators(None)
    alpha = _estimate("krippendorff ordinal", found.alpha)
    yield "ranked response", *alpha, *_over_annotators(found.over_annotators)


def _slice(one: Slice) -> Iterator[tuple[Any, ...]]:
    alphas: Mapping[Level, Estimate] = one.alpha
    for level, estimate in alphas.items():
        yield one.units, one.ratings, one.annotators, *_estimate(f"krippendorff {level}", estimate)


def _estimate(name: str, of: Estimate) -> tuple[Any, ...]:
    return name, of.value, of.low, of.high, of.units, of.reason or ""


def _over_annotators(of: Estimate | None) -> tuple[Any, ...]:
    return ("", "", "") if of is None else (of.low, of.high, of.reason or "")
