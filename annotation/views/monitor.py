"""Can these labels be trusted? One page a project, and one for each item with its votes."""

import csv
from typing import cast
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.models import User
from annotation import blind_selectors, monitor_selectors, monitoring, progress_selectors, selectors
from annotation.views.monitor_tables import TABLES, harmless

ANNOTATORS_SHOWN = 100


@login_required
@require_GET
def monitor(request: HttpRequest, slug: str) -> HttpResponse:
    """The whole page; to htmx its main part, or nothing (204) while nothing has changed since `seen`."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.WATCHERS)
    workers = {queue: selectors.worker_alive(queue) for queue in ("light", "training")}
    progress = progress_selectors.progress(project, user, fresh=True)
    state = monitor_selectors.fingerprint(project, *workers.values(), progress.done, progress.total)
    partial = getattr(request, "htmx", False)
    if partial and request.GET.get("seen") == state:
        return HttpResponse(status=204)
    role = selectors.role_in(user, project)
    sort = monitoring.known_sort(request.GET.get("sort", ""))
    found = monitoring.monitor_of(project, progress, sort=sort)
    page = Paginator(found.people, ANNOTATORS_SHOWN).get_page(request.GET.get("page"))
    context = {
        "project": project,
        "tab": "monitor",
        "monitor": found,
        "page": page,
        "sort": sort,
        "columns": _columns(sort),
        "poll": "?" + urlencode({"sort": sort, "page": page.number, "seen": state}),
        "workers": workers,
        "role": role,
        "hidden": blind_selectors.hidden_items(user, role, project, [one.id for one in found.disputed]),
        "can_build": role in selectors.BUILDERS,
    }
    return render(request, f"annotation/monitor{'_main' if partial else ''}.html", context)


def _columns(sort: str) -> dict[str, dict[str, str]]:
    """For each sortable column: where its link leads, and how it is sorted now."""
    columns = {}
    for key in monitoring.SORTS:
        ways = ("ascending", "descending") if key in monitoring.LEAST_FIRST else ("descending", "ascending")
        now = {key: ways[0], f"-{key}": ways[1]}.get(sort, "")
        columns[key] = {
            "url": f"?{urlencode({'sort': f'-{key}' if sort == key else key})}#annotators",
            "now": now,
        }
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
