"""Where somebody stands in a project, told to themselves: why they are paused, messages, an appeal."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.models import User
from annotation import selectors, standing_selectors, standing_words
from annotation.services import standing as standings


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def standing(request: HttpRequest, slug: str) -> HttpResponse:
    """The thread, read once it is opened; a POST is an appeal."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.JUDGES)
    text, problem = request.POST.get("text", ""), ""
    if request.method == "POST":
        try:
            standings.appeal(project=project, annotator=user, text=text)
        except standings.CannotChangeStanding as refusal:
            problem = str(refusal)
        else:
            messages.success(request, _("Sent. Whoever manages the project answers you here."))
            return redirect("annotation:standing", slug=slug)
    thread = standing_words.told(standing_selectors.thread(project, user))
    standings.mark_read(project=project, annotator=user)
    decided = standing_selectors.standing(project, user)
    context = {
        "project": project,
        "tab": "work",
        "decided": decided,
        "barred": standing_selectors.terms_of(decided).barred,
        "evidence": standing_words.evidence_of(decided.evidence) if decided else [],
        "thread": thread,
        "text": text,
        "problem": problem,
    }
    return render(request, "annotation/standing.html", context, status=422 if problem else 200)
