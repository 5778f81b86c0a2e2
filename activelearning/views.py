"""The next batch, and why each pair was chosen."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from activelearning.forms import PolicyForm, SelectForm
from activelearning.services import looping, selecting
from annotation import selectors
from rewardmodel.models import Ensemble
from rewardmodel.services.scoring import ScoringFailed


@login_required
@require_GET
def batches(request: HttpRequest, slug: str) -> HttpResponse:
    """The loop's state, the batches so far, and the form that selects now."""
    project = selectors.project_for(cast(User, request.user), slug, roles=selectors.BUILDERS)
    policy = looping.policy_of(project)
    context = {
        "project": project,
        "tab": "batches",
        "batches": project.selection_batches.select_related("ensemble__run").annotate(
            size=Count("pairs"), judged=Count("pairs", filter=Q(pairs__item__slots_left=0))
        )[:50],
        "ensemble": Ensemble.objects.filter(project=project, active=True).select_related("run").first(),
        "turns": project.loop_turns.select_related("run", "batch")[:10],
        "until_next": looping.judgments_until_next(project),
        "policy": policy,
        "select_form": SelectForm(),
        "policy_form": PolicyForm(
            initial={
                "enabled": policy.enabled,
                "retrain_every": policy.retrain_every,
                "batch_size": policy.batch_size,
            }
        ),
    }
    return render(request, "activelearning/batches.html", context)


@login_required
@require_POST
def select(request: HttpRequest, slug: str) -> HttpResponse:
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.BUILDERS)
    form = SelectForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Pairs: give a whole number from 1 to 10,000.")
        return redirect("activelearning:batches", slug=slug)
    try:
        batch = selecting.select(project=project, n=form.cleaned_data["n"], actor=user)
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
    project = selectors.project_for(user, slug, roles=selectors.BUILDERS)
    form = PolicyForm(request.POST)
    if form.is_valid():
        looping.set_policy(project=project, actor=user, **form.cleaned_data)
        messages.success(request, "The loop is set.")
    else:
        messages.error(request, "Give whole numbers of at least 1.")
    return redirect("activelearning:batches", slug=slug)


@login_required
@require_GET
def batch(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """One batch: its pairs in order, each with its reason and scores."""
    project = selectors.project_for(cast(User, request.user), slug, roles=selectors.BUILDERS)
    found = get_object_or_404(
        project.selection_batches.select_related("ensemble__run", "project"), number=number
    )
    pairs = found.pairs.select_related("response_a", "response_b", "item__prompt")
    counts = {
        row["reason"]: row["n"]
        for row in found.pairs.values("reason").annotate(n=Count("pk")).order_by("reason")
    }
    context = {"project": project, "tab": "batches", "batch": found, "pairs": pairs[:200], "counts": counts}
    return render(request, "activelearning/batch.html", context)
