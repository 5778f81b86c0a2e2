"""Hand a run over from its page: ask for it, watch it, download it."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from accounts.services import audit
from annotation.selectors import BUILDERS, project_for
from rewardmodel import selectors
from rewardmodel.models import HandOver
from rewardmodel.pages import handover as handover_presentation
from rewardmodel.services import archiving, handing_over


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def hand_over(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """POST asks for it. GET is the panel for an htmx request, and the run's page for any other."""
    user = cast(User, request.user)
    project = project_for(user, slug, roles=BUILDERS)
    run = selectors.run_for(project, number)
    if request.method == "POST":
        try:
            handing_over.start(run=run, actor=user)
        except handing_over.CannotHandOver as error:
            messages.error(request, str(error))
    elif getattr(request, "htmx", False):
        panel = handover_presentation.panel(run)
        context = {"project": project, "run": run, "hand_over": panel}
        return render(request, "rewardmodel/handover.html", context)
    return redirect("rewardmodel:run", slug=slug, number=number)


@login_required
@require_safe
def download(request: HttpRequest, slug: str, number: int) -> HttpResponseBase:
    """The folder as a zip file, sent as it is read."""
    user = cast(User, request.user)
    project = project_for(user, slug, roles=BUILDERS)
    run = selectors.run_for(project, number)
    made = HandOver.objects.filter(run=run, state=HandOver.State.READY).first()
    if made is None or not (handing_over.folder(made) / "manifest.json").is_file():
        messages.error(request, _("There is nothing to download: hand the run over first."))
        return redirect("rewardmodel:run", slug=slug, number=number)
    name = f"{project.slug}-run-{run.number}"
    audit.record(actor=user, project=project, action="hand-over downloaded", detail={"run": run.number})
    response = StreamingHttpResponse(
        archiving.stream(handing_over.folder(made), name), content_type="application/zip"
    )
    response["Content-Disposition"] = f'attachment; filename="{name}.zip"'
    return response
