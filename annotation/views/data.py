"""Data in and out: import, snapshots, export."""

from typing import cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import User
from annotation import selectors
from annotation.charts import thousands
from annotation.forms import ImportForm
from annotation.interchange.jsonl import MAX_LINE_BYTES
from annotation.interchange.snapshot_rows import SnapshotError
from annotation.interchange.trl import ExportError
from annotation.services import exporting, exporting_judgments, importing, snapshotting
from annotation.services.import_staging import MOST_PAIRED

ERRORS_SHOWN = 100
SNAPSHOTS_SHOWN = 50
FORMATS = {
    "trl-dpo": gettext_lazy("For TRL’s DPO trainer: prompt, chosen, rejected."),
    "trl-reward": gettext_lazy("For TRL’s reward trainer: the same columns."),
}
ADDED = {
    "prompts": ngettext_lazy("%(shown)s prompt", "%(shown)s prompts", "n"),
    "responses": ngettext_lazy("%(shown)s response", "%(shown)s responses", "n"),
    "items": ngettext_lazy("%(shown)s item", "%(shown)s items", "n"),
    "gold": ngettext_lazy("%(shown)s gold item", "%(shown)s gold items", "n"),
    "annotators": ngettext_lazy("%(shown)s annotator", "%(shown)s annotators", "n"),
    "votes": ngettext_lazy("%(shown)s vote", "%(shown)s votes", "n"),
}
SPLITS = {
    "train": gettext_lazy("Train"),
    "calibration": gettext_lazy("Calibration"),
    "test": gettext_lazy("Test"),
}


@login_required
@require_GET
def overview(request: HttpRequest, slug: str) -> HttpResponse:
    """What the project holds, its snapshots, and the ways in and out."""
    project = selectors.project_for(cast(User, request.user), slug, roles=selectors.BUILDERS)
    context = {
        "project": project,
        "tab": "data",
        "holdings": selectors.holdings(project),
        "snapshots": project.snapshots.select_related("created_by")[:SNAPSHOTS_SHOWN],
        "formats": _formats(),
    }
    return render(request, "annotation/data.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def import_items(request: HttpRequest, slug: str) -> HttpResponse:
    """Import one file; bad rows are named by line, and nothing is half-done."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.BUILDERS)
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    report = None
    if request.method == "POST" and form.is_valid():
        report = importing.import_stream(
            project=project,
            stream=form.cleaned_data["file"].file,
            actor=user,
            skip_bad=form.cleaned_data["skip_bad"],
        )
    context = {
        "project": project,
        "tab": "data",
        "form": form,
        "report": report,
        "errors": report.errors[:ERRORS_SHOWN] if report else (),
        "added": _added(report),
        "most_mb": settings.LAUREL_UPLOAD_BYTES // 2**20,
        "most_line_mb": MAX_LINE_BYTES // 2**20,
        "most_paired": MOST_PAIRED,
    }
    refused = (request.method == "POST" and report is None) or (report is not None and not report.applied)
    return render(request, "annotation/import.html", context, status=422 if refused else 200)


def _added(report: importing.ImportReport | None) -> list[str]:
    """What an import added, in words; empty where all of it was there before."""
    counts = report.added if report else {}
    return [
        ADDED[name] % {"n": count, "shown": thousands(count)}
        for name, count in counts.items()
        if count and name in ADDED
    ]


@login_required
@require_POST
def take_snapshot(request: HttpRequest, slug: str) -> HttpResponse:
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.BUILDERS)
    try:
        snapshot = snapshotting.create(project=project, actor=user)
    except snapshotting.NothingToSnapshot as error:
        messages.error(request, str(error))
        return redirect("annotation:data", slug=slug)
    messages.success(request, _("Snapshot %(number)s taken.") % {"number": snapshot.number})
    return redirect("annotation:snapshot", slug=slug, number=snapshot.number)


@login_required
@require_GET
def snapshot(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """One snapshot: its counts, its split, and what was left out and why."""
    project = selectors.project_for(cast(User, request.user), slug, roles=selectors.BUILDERS)
    found = get_object_or_404(project.snapshots.select_related("created_by"), number=number)
    manifest = found.manifest
    split = manifest["split"]
    context = {
        "project": project,
        "tab": "data",
        "snapshot": found,
        "counts": manifest["counts"],
        "splits": [
            (words, split["prompts"].get(name, 0), split["pairs"].get(name, 0))
            for name, words in SPLITS.items()
        ],
        "seed": split["seed"],
        "left_out": manifest["left_out"],
        "files": sorted(manifest["files"].items()),
        "guideline_version": manifest["guideline_version"],
        "formats": _formats(),
    }
    return render(request, "annotation/snapshot.html", context)


def _formats() -> list[tuple[str, str]]:
    """Each export format with what it is for; a format nobody described yet still gets its button."""
    return [(name, str(FORMATS.get(name, ""))) for name in exporting.FORMATS]


@login_required
@require_GET
def export(request: HttpRequest, slug: str, number: int, format: str) -> HttpResponse | FileResponse:
    """The snapshot in a trainer's format, as one zip file."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.BUILDERS)
    if format not in exporting.FORMATS:
        raise Http404("No such format.")
    found = get_object_or_404(project.snapshots, number=number)
    try:
        archive = exporting.export_archive(snapshot=found, format=format, actor=user)
    except (ExportError, SnapshotError) as error:  # nothing to export, or its folder is gone or damaged
        messages.error(request, str(error))
        return redirect("annotation:snapshot", slug=slug, number=number)
    return FileResponse(archive.open("rb"), as_attachment=True, filename=archive.name)


@login_required
@require_GET
def judgments(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """Every judgment as JSON lines, its annotator under a pseudonym; sent as it is read."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.BUILDERS)
    response = StreamingHttpResponse(
        exporting_judgments.lines(project=project, actor=user), content_type="application/jsonl"
    )
    response["Content-Disposition"] = f'attachment; filename="{project.slug}-judgments.jsonl"'
    return response
