"""What the pool looks like to the model, and what the labels have brought: Coverage and Learning curve."""

import csv
from collections.abc import Iterable
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.models import User
from activelearning import survey_selectors
from activelearning.models import SelectionBatch
from activelearning.pages import coverage as coverage_page
from activelearning.pages import curve as curve_page
from annotation.models.project import Project
from annotation.selectors import BUILDERS, project_for
from annotation.views.monitor_tables import harmless


@login_required
@require_GET
def coverage(request: HttpRequest, slug: str) -> HttpResponse:
    """?batch= of that number (else the latest with a survey), ?kind= shows one kind alone."""
    project, batch = _surveyed(request, slug)
    kind = _whole(request, "kind")
    context = {
        "project": project,
        "tab": "batches",
        "batch": batch,
        "kind": kind,
        "coverage": coverage_page.coverage_of(batch, kind) if batch else None,
    }
    return render(request, "activelearning/coverage.html", context)


@login_required
@require_GET
def coverage_csv(request: HttpRequest, slug: str) -> HttpResponse:
    project, batch = _surveyed(request, slug)
    return as_csv(coverage_page.csv_rows(batch) if batch else [], f"{project.slug}-coverage")


@login_required
@require_GET
def curve(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(cast(User, request.user), slug, roles=BUILDERS)
    context = {"project": project, "tab": "batches", "found": curve_page.curve_page(project)}
    return render(request, "activelearning/curve.html", context)


@login_required
@require_GET
def curve_csv(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(cast(User, request.user), slug, roles=BUILDERS)
    return as_csv(curve_page.csv_rows(project), f"{project.slug}-learning-curve")


def as_csv(rows: Iterable[Iterable[Any]], name: str) -> HttpResponse:
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    csv.writer(response).writerows([_written(value) for value in row] for row in rows)
    return response


def _written(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else harmless(value)


def _surveyed(request: HttpRequest, slug: str) -> tuple[Project, SelectionBatch | None]:
    project = project_for(cast(User, request.user), slug, roles=BUILDERS)
    return project, survey_selectors.surveyed_batch(project, _whole(request, "batch"))


def _whole(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Http404(f"{name} is no number.")
    return int(text)
