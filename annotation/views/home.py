"""The first page: the projects one is in, and the way into each."""

from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import Role, User
from annotation import selectors

_DOORS = {
    Role.ANNOTATOR: "annotation:judge",
    Role.REVIEWER: "annotation:monitor",
    Role.MANAGER: "annotation:monitor",
    Role.ENGINEER: "rewardmodel:runs",
}


@login_required
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    rows = [
        {
            "project": overview.project,
            "role": overview.role,
            "done": overview.done,
            "total": overview.total,
            "mine": overview.mine,
            "url": reverse(_DOORS[overview.role], kwargs={"slug": overview.project.slug}),
            "action": _("Judge") if overview.role is Role.ANNOTATOR else _("Open"),
        }
        for overview in selectors.overviews(user)
    ]
    return render(request, "annotation/home.html", {"rows": rows})
