"""Training runs and the ensembles that come of them."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from annotation.models.project import Project
from annotation.selectors import BUILDERS, project_for
from rewardmodel import selectors
from rewardmodel.models import TrainingRun
from rewardmodel.pages import criteria as criteria_page
from rewardmodel.pages import handover as handover_presentation
from rewardmodel.pages import preflight as preflight_page
from rewardmodel.pages import runs as presentation
from rewardmodel.services import outcomes, promoting, running

PER_PAGE = 25


@login_required
@never_cache
@require_safe
def runs(request: HttpRequest, slug: str) -> HttpResponse:
    """Every run with its accuracy beside the baselines, and the button that starts one."""
    project, _user = _enter(request, slug)
    page = Paginator(selectors.runs_of(project), PER_PAGE).get_page(request.GET.get("page"))
    rows = [presentation.listed(run) for run in page]
    context = {
        "project": project,
        "tab": "models",
        "page": page,
        "rows": rows,
        "active": selectors.active_ensemble(project),
        "promotions": selectors.promotions_of(project),
        "under_way": project.training_runs.filter(state__in=running.ACTIVE).first(),
        "readiness": selectors.readiness(project),
        "trainer_alive": selectors.trainer_alive(),
    }
    return render(request, "rewardmodel/runs.html", context)


@login_required
@require_POST
def train(request: HttpRequest, slug: str) -> HttpResponse:
    """One run, however often the button is pressed."""
    project, user = _enter(request, slug)
    try:
        run = running.start_run(project=project, actor=user)
    except running.RunUnderWay as error:
        messages.info(request, str(error))
        run = error.run
    except running.CannotTrain as error:
        messages.error(request, str(error))
        return redirect("rewardmodel:runs", slug=slug)
    return redirect("rewardmodel:run", slug=slug, number=run.number)


@login_required
@never_cache
@require_safe
def run(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """One run, with the report of the overall or of ?criterion=. While it is under way an htmx request gets
    its moving part, and at its end a reload."""
    project, _user = _enter(request, slug)
    found = selectors.run_for(project, number)
    under_way = found.state in running.ACTIVE
    partial = bool(getattr(request, "htmx", False))
    if partial and not under_way:
        response = HttpResponse()
        response["HX-Refresh"] = "true"
        return response
    context = {
        "project": project,
        "tab": "models",
        "run": found,
        "tone": presentation.TONES[TrainingRun.State(found.state)],
        "votes": presentation.votes(found),
        "live": presentation.live(found),
        "under_way": under_way,
        "trainer_alive": selectors.trainer_alive() if under_way else True,
        "log": outcomes.tail(running.folder_of(found)),
    }
    if partial:
        return render(request, "rewardmodel/run_live.html", context)
    ensemble, criterion = getattr(found, "ensemble", None), request.GET.get("criterion", "")
    context |= {
        "report": presentation.report(found, criterion),
        "criteria": criteria_page.criteria(found.metrics, criterion),
        "preflight": preflight_page.preflight(running.folder_of(found)),
        "ensemble": ensemble,
        "previous": promoting.previous(ensemble) if ensemble is not None and ensemble.active else None,
        "hand_over": handover_presentation.panel(found),
    }
    return render(request, "rewardmodel/run.html", context)


@login_required
@require_safe
def metrics(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Everything the run says about itself, as JSON."""
    project, _user = _enter(request, slug)
    found = selectors.run_for(project, number)
    body = {
        "project": project.slug,
        "run": found.number,
        "state": found.state,
        "metrics": found.metrics,
        "seconds": found.seconds,
        "config": found.config,
        "snapshot_sha256": found.snapshot_sha256,
        "code_version": found.code_version,
    }
    response = JsonResponse(body, json_dumps_params={"indent": 1})
    response["Content-Disposition"] = f'attachment; filename="{project.slug}-run-{found.number}.json"'
    return response


@login_required
@require_POST
def cancel(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    project, user = _enter(request, slug)
    found = selectors.run_for(project, number)
    try:
        running.cancel(run=found, actor=user)
    except running.CannotCancel as error:
        messages.info(request, str(error))
    else:
        messages.success(request, _("Run %(n)s ends within a few seconds.") % {"n": number})
    return redirect("rewardmodel:run", slug=slug, number=number)


@login_required
@require_POST
def promote(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    project, user = _enter(request, slug)
    found = selectors.run_for(project, number)
    try:
        promoting.promote(run=found, actor=user, reason=_("Promoted by hand by %(who)s.") % {"who": user})
    except promoting.NotPromotable as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Run %(n)s scores now.") % {"n": number})
    return redirect("rewardmodel:run", slug=slug, number=number)


@login_required
@require_POST
def roll_back(request: HttpRequest, slug: str) -> HttpResponse:
    project, user = _enter(request, slug)
    try:
        ensemble = promoting.roll_back(project=project, actor=user)
    except promoting.NotPromotable as error:
        messages.error(request, str(error))
        return redirect("rewardmodel:runs", slug=slug)
    messages.success(request, _("Rolled back: run %(n)s scores again.") % {"n": ensemble.run.number})
    return redirect("rewardmodel:run", slug=slug, number=ensemble.run.number)


def _enter(request: HttpRequest, slug: str) -> tuple[Project, User]:
    user = cast(User, request.user)
    return project_for(user, slug, roles=BUILDERS), user
