"""Can these labels be trusted? One page a project, and one for each item with its votes."""

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.models import User
from annotation import (
    alert_selectors,
    alert_words,
    blind_selectors,
    monitoring,
    people_table,
    progress_selectors,
    selectors,
    spot_check_selectors,
    standing_selectors,
)
from annotation.models.alert import Alert
from annotation.models.project import Project
from annotation.models.quality import QualityReport
from annotation.models.standing import Standing
from annotation.progress_selectors import Totals
from annotation.services import reporting
from annotation.views.monitor_tables import TABLES, harmless

ANNOTATORS_SHOWN = 100
LONGEST_NAME = 100


@login_required
@require_GET
def monitor(request: HttpRequest, slug: str) -> HttpResponse:
    """The whole page; to htmx its main part, or nothing (204) while nothing has changed since `seen`."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.WATCHERS)
    workers = {queue: selectors.worker_alive(queue) for queue in ("light", "training")}
    stored = reporting.latest(project)
    standings = standing_selectors.standings(project)
    alerts = alert_selectors.open_alerts(project)
    totals = progress_selectors.totals_of([project.pk], fresh=True)[project.pk]
    state = _state(stored, workers, standings, alerts, totals)
    partial = getattr(request, "htmx", False)
    if partial and request.GET.get("seen") == state:
        return HttpResponse(status=204)
    role = selectors.role_in(user, project)
    asked = {
        "sort": people_table.known_sort(request.GET.get("sort", "")),
        "show": people_table.known_show(request.GET.get("show", "")),
        "name": request.GET.get("name", "")[:LONGEST_NAME],
    }
    context = {
        "project": project,
        "tab": "monitor",
        "workers": workers,
        "role": role,
        "alerts": alert_words.with_words(alerts, role),
        "can_build": role in selectors.BUILDERS,
        "can_decide": role in selectors.MANAGERS,
        "stored": stored,
        "checked": spot_check_selectors.error_rate(project),
        "asked": asked,
        **_found(project, stored, totals, standings, asked, request.GET.get("page")),
    }
    if stored is not None:
        disputed = [one.id for one in context["monitor"].disputed]
        context["hidden"] = blind_selectors.hidden_items(user, role, project, disputed)
    page = context["page"].number if stored is not None else 1
    context["poll"] = "?" + urlencode({**asked, "page": page, "seen": state})
    return render(request, f"annotation/monitor{'_main' if partial else ''}.html", context)


def _found(
    project: Project,
    stored: QualityReport | None,
    totals: Totals,
    standings: dict[int, Standing],
    asked: dict[str, str],
    page: str | None,
) -> dict[str, Any]:
    """What the report says; without one, how many judgments a worker is reckoning with."""
    if stored is None:
        return {"monitor": None}
    found = monitoring.monitor_of(
        project, reporting.read(stored), standings, totals=totals, sort=asked["sort"]
    )
    people = people_table.narrowed(found.people, asked["show"], asked["name"])
    return {
        "monitor": found,
        "page": Paginator(people, ANNOTATORS_SHOWN).get_page(page),
        "narrow": urlencode({"show": asked["show"], "name": asked["name"]}),
        "shows": [(key, words, asked["show"] == key) for key, (words, _) in people_table.SHOWN.items()],
        "columns": _columns(asked),
    }


def _state(
    stored: QualityReport | None,
    workers: dict[str, bool],
    standings: dict[int, Standing],
    alerts: Sequence[Alert],
    totals: Totals,
) -> str:
    """Changes whenever the page would."""
    decided = [(one.pk, one.state, str(one.gold_rate), str(one.appealed_at)) for one in standings.values()]
    told = json.dumps(
        [
            stored.version if stored else 0,
            list(workers.values()),
            sorted(decided),
            [one.pk for one in alerts],
            astuple(totals),
        ]
    )
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _columns(asked: dict[str, str]) -> dict[str, dict[str, str]]:
    """For each sortable column: where its link leads, and how it is sorted now."""
    columns = {}
    for key in people_table.SORTS:
        ways = ("ascending", "descending") if key in people_table.LEAST_FIRST else ("descending", "ascending")
        now = {key: ways[0], f"-{key}": ways[1]}.get(asked["sort"], "")
        then = {**asked, "sort": f"-{key}" if asked["sort"] == key else key}
        columns[key] = {"url": f"?{urlencode(then)}#annotators", "now": now}
    return columns


@login_required
@require_GET
def download(request: HttpRequest, slug: str, table: str) -> HttpResponse:
    """The data behind a chart or table, as CSV."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.WATCHERS)
    if table not in TABLES:
        raise Http404("No such table.")
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{project.slug}-{table}.csv"'
    writer = csv.writer(response)
    for row in TABLES[table](project, user, selectors.role_in(user, project)):
        writer.writerow([harmless(value) for value in row])
    return response
