"""What recipes would have cost on the project's own labels: the form, a replay under way, its result."""

from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from activelearning import survey_selectors
from activelearning.pages import replays as replays_page
from activelearning.replay_forms import ReplayForm
from activelearning.services import replaying
from activelearning.services.policies import policy_of
from activelearning.survey_views import as_csv
from annotation.models.project import Project
from annotation.selectors import BUILDERS, project_for, worker_alive
from rewardmodel.models import QUEUE


@login_required
@never_cache
@require_GET
def replays(request: HttpRequest, slug: str) -> HttpResponse:
    project = project_for(cast(User, request.user), slug, roles=BUILDERS)
    return _form_page(request, project, ReplayForm())


@login_required
@require_POST
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """One replay, however often the button is pressed."""
    user = cast(User, request.user)
    project = project_for(user, slug, roles=BUILDERS)
    form = ReplayForm(request.POST)
    if form.is_valid():
        try:
            made = replaying.start(project=project, actor=user, **form.cleaned_data)
        except replaying.CannotReplay as error:
            form.add_error(None, str(error))
        else:
            return redirect("activelearning:replay", slug=slug, replay_id=made.pk)
    return _form_page(request, project, form, status=422)


@login_required
@never_cache
@require_GET
def replay(request: HttpRequest, slug: str, replay_id: int) -> HttpResponse:
    """One replay. While it is under way an htmx request gets its moving part, and at its end a reload."""
    project = project_for(cast(User, request.user), slug, roles=BUILDERS)
    found = survey_selectors.replay_for(project, replay_id)
    under_way = found.state in replaying.OPEN
    partial = bool(getattr(request, "htmx", False))
    if partial and not under_way:
        response = HttpResponse()
        response["HX-Refresh"] = "true"
        return response
    context = {
        "project": project,
        "tab": "batches",
        "replay": found,
        "under_way": under_way,
        "live": replays_page.live(found),
        "trainer_alive": worker_alive(QUEUE) if under_way else True,
    }
    if partial:
        return render(request, "activelearning/replay_live.html", context)
    context["outcome"] = replays_page.outcome(found, policy_of(project))
    return render(request, "activelearning/replay.html", context)


@login_required
@require_GET
def replay_csv(request: HttpRequest, slug: str, replay_id: int) -> HttpResponse:
    project = project_for(cast(User, request.user), slug, roles=BUILDERS)
    found = survey_selectors.replay_for(project, replay_id)
    return as_csv(replays_page.csv_rows(found), f"{project.slug}-replay-{found.pk}")


def _form_page(request: HttpRequest, project: Project, form: ReplayForm, status: int = 200) -> HttpResponse:
    context = {
        "project": project,
        "tab": "batches",
        "form": form,
        "recipes": replays_page.recipe_choices(form),
        "pairs": replaying.labelled_pairs(project).count(),
        "fewest": replaying.FEWEST_PAIRS,
        "rows": [replays_page.listed(one) for one in survey_selectors.replays_of(project)],
    }
    return render(request, "activelearning/replays.html", context, status=status)
