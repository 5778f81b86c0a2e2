"""The leaderboard of the models that wrote the responses: a page, a table, JSON. Never for annotators."""

import csv
from collections.abc import Iterator
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import User
from annotation.models.project import Project
from annotation.selectors import BUILDERS, project_for
from annotation.views.monitor_tables import harmless
from rewardmodel.pages import leaderboard as leaderboard_page
from rewardmodel.services import rating
from rewardmodel.services.rating import ModelRatings

COLUMNS = (
    "group", "rank", "rank_low", "rank_high", "model", "rating", "low", "high", "error", "pairs", "votes",
    "won", "field", "bounded",
)  # fmt: skip


@login_required
@never_cache
@require_safe
def leaderboard(request: HttpRequest, slug: str) -> HttpResponse:
    """?criterion=&category=&control=raw|length|style"""
    project, found = _asked(request, slug)
    raw = found
    if found.control != "raw":
        raw = rating.rate(project, criterion=found.criterion, category=found.category)
    context = {
        "project": project,
        "tab": "leaderboard",
        "found": leaderboard_page.page_of(project, found, raw),
    }
    return render(request, "rewardmodel/leaderboard.html", context)


@login_required
@never_cache
@require_safe
def as_json(request: HttpRequest, slug: str) -> HttpResponse:
    project, found = _asked(request, slug)
    return JsonResponse(
        {"project": project.slug, **found.as_json()}, json_dumps_params={"ensure_ascii": False}
    )


@login_required
@never_cache
@require_safe
def as_csv(request: HttpRequest, slug: str) -> HttpResponse:
    project, found = _asked(request, slug)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{project.slug}-leaderboard.csv"'
    writer = csv.writer(response)
    for row in _table(found):
        writer.writerow([harmless(value) for value in row])
    return response


def _table(found: ModelRatings) -> Iterator[tuple[Any, ...]]:
    yield ("criterion", "category", "control", *COLUMNS)
    for one in found.board.rated if found.board else ():
        values = (getattr(one, name) for name in COLUMNS)
        yield (
            found.criterion,
            "" if found.category is None else found.category,
            found.control,
            *(round(value, 4) if isinstance(value, float) else value for value in values),
        )


def _asked(request: HttpRequest, slug: str) -> tuple[Project, ModelRatings]:
    project = project_for(cast(User, request.user), slug, roles=BUILDERS)
    asked = request.GET
    try:
        return project, rating.rate(
            project,
            criterion=asked.get("criterion"),
            category=asked.get("category"),
            control=asked.get("control", "raw"),
            reference=asked.get("reference"),
        )
    except rating.UnknownPart as error:
        raise Http404(str(error)) from error
