"""The discussion of an item: one more comment."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.models import User
from annotation import answer_form, item_selectors, selectors
from annotation.services import discussing


@login_required
@require_POST
def say(request: HttpRequest, slug: str, item_id: int) -> HttpResponse:
    """Back to where it was written: the item's page, or the review that is named."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.WATCHERS & selectors.JUDGES)
    item = item_selectors.item_for(project, item_id)
    try:
        discussing.say(
            item=item, author=user, text=answer_form.clean(request.POST, "text"), gap="gap" in request.POST
        )
    except discussing.CannotSay as refusal:
        messages.warning(request, str(refusal))
    number = answer_form.clean(request.POST, "review")
    if number.isascii() and number.isdigit() and len(number) < 19:
        place = reverse("annotation:review", args=[slug, int(number)])
    else:
        place = reverse("annotation:item", args=[slug, item.pk])
    return redirect(f"{place}#discussion")
