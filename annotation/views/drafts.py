"""What somebody has entered and not yet submitted: saved while they type, by the page's script."""

from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.models import User
from annotation import answer_form, selectors
from annotation.services import drafting


@login_required
@never_cache
@require_POST
def draft(request: HttpRequest, slug: str) -> HttpResponse:
    """200 with the version that stands now, 409 with what another device saved, 410 once it is answered."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.JUDGES)
    assignment = selectors.own_assignment(user, project, _number(request, "assignment"))
    try:
        saved = drafting.save(
            assignment_id=assignment.pk,
            annotator=user,
            body=answer_form.as_draft(request.POST, project.question, len(assignment.display_order)),
            seen=_number(request, "draft_version"),
            replaces=_number(request, "replaces"),
        )
    except drafting.StaleDraft as stale:
        return JsonResponse({"version": stale.stored.version, "fields": stale.stored.body}, status=409)
    except drafting.AlreadyAnswered:
        return JsonResponse({"problem": _("This item is answered already.")}, status=410)
    except drafting.InvalidDraft:
        return JsonResponse({"problem": _("This is too long to be kept as a draft.")}, status=422)
    return JsonResponse({"version": saved.version, "saved_at": saved.updated_at.isoformat()})


def _number(request: HttpRequest, name: str) -> int:
    """0 for what is missing or no number: no row has it."""
    text = answer_form.clean(request.POST, name)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
