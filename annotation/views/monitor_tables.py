"""The data behind the charts and tables of the monitoring page, as CSV."""

from collections.abc import Callable, Iterable
from typing import Any

from annotation import item_selectors, monitor_selectors
from annotation.models.project import Project
from annotation.monitoring import assessed
from annotation.services.agreeing import agreement_of

Rows = Iterable[Iterable[Any]]


def annotators(project: Project) -> Rows:
    yield (
        "annotator", "origin", "judgments", "gold", "gold_right", "median_seconds", "sided", "chose_left",
        "ties", "last_at", "flags",
    )  # fmt: skip
    rows = monitor_selectors.annotators(project)
    for row, assessment in zip(rows, assessed(rows), strict=True):
        yield (
            row.name, row.origin, row.judgments, row.gold, row.gold_right, row.median_seconds, row.sided,
            row.chose_left, row.ties, row.last_at.isoformat(),
            " ".join(flag.kind for flag in assessment.flags),
        )  # fmt: skip


def volume(project: Project) -> Rows:
    yield "day", "judgments"
    for row in monitor_selectors.volume_by_day(project):
        yield row.day.isoformat(), row.judgments


def choices(project: Project) -> Rows:
    yield "choice", "judgments"
    totals = monitor_selectors.totals(monitor_selectors.annotators(project))
    yield from (("a", totals.a), ("tie", totals.tie), ("both_bad", totals.both_bad), ("b", totals.b))
    yield from (("left", totals.chose_left), ("right", totals.sided - totals.chose_left))


def agreement(project: Project) -> Rows:
    yield "criterion", "coefficient", "value", "low", "high", "reason"
    for one in agreement_of(project=project):
        found = {f"krippendorff {level}": estimate for level, estimate in one.report.krippendorff.items()}
        found |= {"fleiss": one.report.fleiss, "percent": one.report.percent, "gwet_ac1": one.report.gwet_ac1}
        for name, estimate in found.items():
            yield one.criterion, name, estimate.value, estimate.low, estimate.high, estimate.reason or ""


def items(project: Project) -> Rows:
    yield "item", "prompt", "a", "tie", "b", "entropy_bits"
    for row in item_selectors.votes_by_item(project):
        yield row.id, row.prompt, row.a, row.tie, row.b, round(row.entropy, 4)


TABLES: dict[str, Callable[[Project], Rows]] = {
    "annotators": annotators,
    "volume": volume,
    "choices": choices,
    "agreement": agreement,
    "items": items,
}


def harmless(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula gets a quote in front of it."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
