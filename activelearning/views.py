"""The next batch, and why each pair was chosen."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from activelearning import presentation, selectors
from activelearning.forms import PolicyForm, SelectForm
from activelearning.pages import payoff, why
from activelearning.pages.said import in_words
from activelearning.services import policies, selecting
from annotation.models.project import Project
from annotation.selectors import BUILDERS, project_for, worker_alive
from rewardmodel.services.scoring import ScoringFailed

PAIRS_SHOWN = 25
WAIT = 15.0  # seconds for another selection to end: most do, and nobody takes the page for broken


@login_required
@require_GET
def batches(request: HttpRequest, slug: str) -> HttpResponse:
    """The loop's state, the batches so far, and the form that selects now."""
    project = project_for(cast(User, request.user), slug, roles=BUILDERS)
    return _batches(request, project)


def _batches(
    request: HttpRequest, project: Project, policy_form: PolicyForm | None = None, status: int = 200
) -> HttpResponse:
    loop = presentation.loop_of(project)
    context = {
        "project": project,
        "tab": "batches",
        "loop": loop,
        "payoff": payoff.payoff_of(project, loop.policy),
        "batches": selectors.batches_of(project),
        "workers": {queue: worker_alive(queue) for queue in ("light", "training")},
        "select_form": SelectForm(),
        "policy_form": policy_form or PolicyForm(loop.policy),
    }
    return render(request, "activelearning/batches.html", context, status=status)


@login_required
@require_POST
def select(request: HttpRequest, slug: str) -> HttpResponse:
    user = cast(User, request.user)
    project = project_for(user, slug, roles=BUILDERS)
    form = SelectForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Pairs: give a whole number from 1 to 10,000.")
        return redirect("activelearning:batches", slug=slug)
    try:
        batch = selecting.select(project=project, n=form.cleaned_data["n"], actor=user, wait=WAIT)
    except selecting.SelectionUnderWay:
        messages.warning(
            request,
            _(
                "Another selection is being made for this project. Its batch appears below in a moment; "
                "select again if you want more pairs than it brings."
            ),
        )
        return redirect("activelearning:batches", slug=slug)
    except (selecting.InvalidSelection, ScoringFailed) as error:
        messages.error(request, str(error))
        return redirect("activelearning:batches", slug=slug)
    if batch is None:
        messages.warning(request, "Every pair of responses is judged, gold or already queued.")
        return redirect("activelearning:batches", slug=slug)
    return redirect("activelearning:batch", slug=slug, number=batch.number)


@login_required
@require_POST
def set_policy(request: HttpRequest, slug: str) -> HttpResponse:
    user = cast(User, request.user)
    project = project_for(user, slug, roles=BUILDERS)
    form = PolicyForm(policies.policy_of(project), request.POST)
    if not form.is_valid():
        return _batches(request, project, form, status=422)
    try:
        policies.set_policy(project=project, actor=user, **form.cleaned_data)
    except policies.InvalidPolicy as error:  # somebody else has set another part of it meanwhile
        form.add_error(None, str(error))
        return _batches(request, project, form, status=422)
    messages.success(request, _("The loop is set."))
    return redirect("activelearning:batches", slug=slug)


@login_required
@require_GET
def batch(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """One batch: its pairs in order, each with its reason and scores."""
    project = project_for(cast(User, request.user), slug, roles=BUILDERS)
    found = selectors.batch_for(project, number)
    page = Paginator(selectors.pairs_of(found), PAIRS_SHOWN).get_page(request.GET.get("page"))
    rows = why.explained(found, page)
    context = {
        "project": project,
        "tab": "batches",
        "batch": found,
        "page": page,
        "rows": rows,
        "notes": in_words(found.said) or found.notes,
        "quotas": presentation.quota_bar(selectors.quotas(found)),
        "surveyed": any(row.kind for row in rows),
    }
    return render(request, "activelearning/batch.html", context)
