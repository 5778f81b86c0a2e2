"""Can these labels be trusted? One page a project."""

import csv
from collections.abc import Callable, Iterable
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.models import User
from annotation import monitor_selectors, selectors
from annotation.models.project import Project
from annotation.services.agreeing import agreement_of

ANNOTATORS_SHOWN = 100


@login_required
@require_GET
def monitor(request: HttpRequest, slug: str) -> HttpResponse:
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.WATCHERS)
    annotators = monitor_selectors.annotators(project)
    context = {
        "project": project,
        "tab": "monitor",
        "progress": selectors.progress(project, user),
        "holdings": selectors.holdings(project),
        "agreement": agreement_of(project=project),
        "annotators": annotators[:ANNOTATORS_SHOWN],
        "annotators_total": len(annotators),
        "volume": monitor_selectors.volume_by_day(project),
        "choices": monitor_selectors.choices(project),
        "light_alive": selectors.worker_alive("light"),
        "training_alive": selectors.worker_alive("training"),
    }
    return render(request, "annotation/monitor.html", context)


@login_required
@require_GET
def download(request: HttpRequest, slug: str, table: str) -> HttpResponse:
    """The data behind a chart or table, as CSV."""
    project = selectors.project_for(cast(User, request.user), slug, roles=selectors.WATCHERS)
    if table not in _TABLES:
        raise Http404("No such table.")
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{project.slug}-{table}.csv"'
    writer = csv.writer(response)
    for row in _TABLES[table](project):
        writer.writerow([_harmless(value) for value in row])
    return response


def _annotators(project: Project) -> Iterable[Iterable[Any]]:
    yield (
        "annotator", "origin", "judgments", "gold", "gold_right", "median_seconds", "sided", "chose_left",
        "ties", "last_at",
    )  # fmt: skip
    for row in monitor_selectors.annotators(project):
        yield (
            row.name, row.origin, row.judgments, row.gold, row.gold_right, row.median_seconds, row.sided,
            row.chose_left, row.ties, row.last_at.isoformat(),
        )  # fmt: skip


def _volume(project: Project) -> Iterable[Iterable[Any]]:
    yield "day", "judgments"
    for row in monitor_selectors.volume_by_day(project):
        yield row.day.isoformat(), row.judgments


def _agreement(project: Project) -> Iterable[Iterable[Any]]:
    yield "criterion", "coefficient", "value", "low", "high", "reason"
    for one in agreement_of(project=project):
        found = {f"krippendorff {level}": estimate for level, estimate in one.report.krippendorff.items()}
        found |= {"fleiss": one.report.fleiss, "percent": one.report.percent, "gwet_ac1": one.report.gwet_ac1}
        for name, estimate in found.items():
            yield one.criterion, name, estimate.value, estimate.low, estimate.high, estimate.reason or ""


_TABLES: dict[str, Callable[[Project], Iterable[Iterable[Any]]]] = {
    "annotators": _annotators,
    "volume": _volume,
    "agreement": _agreement,
}


def _harmless(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula gets a quote in front of it."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
