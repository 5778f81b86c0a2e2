"""The registry of runs: side by side, and what each one's model card says."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import User
from annotation.rendering import render_markdown
from annotation.selectors import BUILDERS, project_for
from rewardmodel import selectors
from rewardmodel.evaluation import model_card
from rewardmodel.models import TrainingRun
from rewardmodel.pages import comparison as comparison_page
from rewardmodel.services import carding


@login_required
@never_cache
@require_safe
def compare(request: HttpRequest, slug: str) -> HttpResponse:
    """?run=3&run=7: two to four runs; the oldest is what the others are held against."""
    project = project_for(cast(User, request.user), slug, roles=BUILDERS)
    numbers = sorted({int(one) for one in request.GET.getlist("run") if one.isdecimal() and len(one) < 10})
    if not 2 <= len(numbers) <= comparison_page.MOST:
        messages.info(request, _("Choose two to %(n)s runs to compare.") % {"n": comparison_page.MOST})
        return redirect("rewardmodel:runs", slug=slug)
    runs = [selectors.run_for(project, number) for number in numbers]
    context = {"project": project, "tab": "models", "found": comparison_page.page_of(runs)}
    return render(request, "rewardmodel/compare.html", context)


@login_required
@never_cache
@require_safe
def card(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """The model card of a trained run, as a page."""
    run = _trained(request, slug, number)
    text = render_markdown(model_card.body_of(carding.card_of(run)), first_heading=2)
    context = {"project": run.project, "tab": "models", "run": run, "text": text}
    return render(request, "rewardmodel/card.html", context)


@login_required
@never_cache
@require_safe
def card_file(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """The same as a file, with its front matter."""
    run = _trained(request, slug, number)
    response = HttpResponse(carding.card_of(run), content_type="text/markdown; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{slug}-run-{number}-{model_card.FILE}"'
    return response


def _trained(request: HttpRequest, slug: str, number: int) -> TrainingRun:
    project = project_for(cast(User, request.user), slug, roles=BUILDERS)
    run = selectors.run_for(project, number)
    if run.state != TrainingRun.State.SUCCEEDED:
        raise Http404("Only a trained run has a model card.")
    return run
