"""Agreement as CSV: one row a coefficient, so that a spreadsheet can filter whatever there is."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from accounts.selectors import groups_of
from annotation.agreement.estimate import Estimate
from annotation.agreement.krippendorff import Level
from annotation.agreement.report import AgreementReport
from annotation.item_selectors import items_by_category
from annotation.models.project import Project
from annotation.rating_arrays import Readings, readings_of
from annotation.services import agreement_pairs
from annotation.services.agreeing import RankAgreement, agreement_of
from annotation.services.agreement_slices import Slice, by_category, by_group, over_time

Rows = Iterable[Iterable[Any]]

_ESTIMATE = ("coefficient", "value", "low", "high", "units", "reason")
_SIZE = ("all_units", "ratings", "annotators")


def agreement(project: Project, *_: object) -> Rows:
    """Intervals over items (low, high) and over annotators."""
    yield "criterion", "unit", *_ESTIMATE, "low_annotators", "high_annotators", "reason_annotators"
    for one in agreement_of(project=project):
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
    for of in _readings(project):
        found = over_time(of.main)
        for first, last, one in found.periods:
            for row in _slice(one):
                yield of.criterion, found.unit, first, last, *row


def agreement_by_category(project: Project, *_: object) -> Rows:
    """Without a name: prompts without a category; with `categories` of more than 1: all small ones."""
    yield "criterion", "unit", "category", "categories", *_SIZE, *_ESTIMATE
    items = items_by_category(project)
    for of in _readings(project):
        found = by_category(of.main, items)
        parts = [(name, 1, one) for name, one in found.categories]
        if found.others is not None:
            parts.append(("", *found.others))
        for name, categories, one in parts:
            for row in _slice(one):
                yield of.criterion, found.unit, name, categories, *row


def agreement_by_group(project: Project, *_: object) -> Rows:
    """Inside each group, then of each two; without a name: people without a group."""
    yield "criterion", "unit", "compared", "group", "other_group", *_SIZE, *_ESTIMATE
    groups = groups_of(project)
    for of in _readings(project):
        found = by_group(of.main, groups)
        for name, one in found.groups:
            for row in _slice(one):
                yield of.criterion, found.unit, "within", name, "", *row
        for name, other, kappa in found.between:
            for level, estimate in kappa.items():
                row = _estimate(f"kappa {level}", estimate)
                yield of.criterion, found.unit, "between", name, other, "", "", "", *row


def pairs_of_annotators(project: Project, *_: object) -> Rows:
    """Every two of the most active people."""
    people = "annotator", "other_annotator"
    yield "criterion", *people, "units", "percent", "cohen_kappa", "low", "high", "reason"
    for of in _readings(project):
        found = agreement_pairs.pairs_of_annotators(of.pairs)
        for pair in found.pairs:
            names = (found.people[place].name for place in (pair.first, pair.second))
            numbers = pair.units, pair.percent, pair.kappa, pair.low, pair.high
            yield of.criterion, *names, *numbers, pair.reason


def _readings(project: Project) -> Iterator[Readings]:
    return (readings_of(project, name) for name in project.criterion_names)


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
