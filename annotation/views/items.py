"""The page of one item: the prompt, the responses, and, for those who will not judge it, what others said."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.models import Role, User
from annotation import (
    blind_selectors,
    comment_selectors,
    gold_selectors,
    item_selectors,
    review_selectors,
    selectors,
    vote_selectors,
)
from annotation.answer_words import LETTERS
from annotation.models.work import Item
from annotation.services import discussing, reviewing

REVIEWERS = selectors.WATCHERS & selectors.JUDGES


@login_required
@require_GET
def item(request: HttpRequest, slug: str, item_id: int) -> HttpResponse:
    """With blind review, whoever may still judge it or change their answer does not see what others said."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.WATCHERS)
    role = selectors.role_in(user, project)
    found = item_selectors.item_for(project, item_id)
    responses = found.item_responses.select_related("response").order_by("position")
    blind = vote_selectors.why_blind(user, role, found)
    context = {
        "project": project,
        "tab": "monitor",
        "role": role,
        "item": found,
        "messages_of_prompt": found.prompt.messages,
        "responses": [(letter, each.response.text) for letter, each in zip(LETTERS, responses, strict=False)],
        "several": len(project.criteria) > 1,
        "pairwise": project.kind == "pairwise",
        "blind": blind,
        "own": blind_selectors.own_answer(user, found) if blind == blind_selectors.CHANGE else None,
        "may_write": role in selectors.MANAGERS,
        "may_review": role in REVIEWERS,
        "at_it": review_selectors.open_on(project, [found.pk]).get(found.pk),
    }
    if not blind:
        context |= _votes(found, role)
    return render(request, "annotation/item.html", context)


@login_required
@require_POST
def claim(request: HttpRequest, slug: str, item_id: int) -> HttpResponse:
    """Judge this very item."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=REVIEWERS)
    found = item_selectors.item_for(project, item_id)
    try:
        held = reviewing.claim_item(item=found, annotator=user)
    except reviewing.CannotClaim as refusal:
        messages.warning(request, str(refusal))
        return redirect("annotation:item", slug=slug, item_id=found.pk)
    return redirect("annotation:judge_again", slug=slug, assignment_id=held.pk)


@login_required
@require_POST
def see_votes(request: HttpRequest, slug: str, item_id: int) -> HttpResponse:
    """Show the votes; this person will neither get the item any more nor change what they answered."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=REVIEWERS)
    found = item_selectors.item_for(project, item_id)
    blind = vote_selectors.why_blind(user, selectors.role_in(user, project), found)
    if blind:
        reviewing.see_votes(item=found, annotator=user)
        said = {
            blind_selectors.ASKED: _("Here are the votes. The item will not come to you any more."),
            blind_selectors.CHANGE: _("Here are the votes. What you did stays as it is."),
        }
        messages.info(request, said[blind])
    return redirect("annotation:item", slug=slug, item_id=found.pk)


def _votes(found: Item, role: Role | None) -> dict[str, object]:
    votes = vote_selectors.votes_on(found)
    twin = gold_selectors.gold_twin(found)
    manages = role in selectors.MANAGERS
    return {
        "votes": votes,
        "gold": vote_selectors.gold_in_words(found) if found.is_gold else (),
        "gold_reasons": dict.fromkeys(one.reason for one in found.gold_answers.all() if one.reason),
        "twin": twin if twin is not None and twin.pk != found.pk else None,
        "may_write": manages or (role in REVIEWERS and twin is None and bool(votes)),
        "may_retire": manages and found.is_gold,
        "flags": review_selectors.flags_on(found),
        "comments": comment_selectors.thread(found),
        "longest_comment": discussing.LONGEST_COMMENT,
    }
