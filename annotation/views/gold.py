"""Gold: the list with how people answer it, and writing, correcting, retiring it."""

import copy
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import Role, User
from annotation import answer_form, gold_selectors, item_selectors, selectors, sheets, vote_selectors
from annotation.answer_form import Entered
from annotation.answering.answer import InvalidAnswer
from annotation.models.project import Project
from annotation.models.quality import GoldAnswer
from annotation.models.work import Item
from annotation.services import gold

WRITERS = frozenset({Role.REVIEWER, Role.MANAGER})
ROWS_SHOWN = 50
STATE_WORDS: dict[str, Promise] = {
    "used": gettext_lazy("In use"),
    "retired": gettext_lazy("Retired"),
    "all": gettext_lazy("All"),
}


@login_required
@require_GET
def listing(request: HttpRequest, slug: str) -> HttpResponse:
    """Every gold item: its answer and reason, how many met it, how many were right."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.WATCHERS)
    role = selectors.role_in(user, project)
    asked = request.GET.get("show", "")
    state: gold_selectors.State = next((one for one in gold_selectors.STATES if one == asked), "used")
    checks = gold_selectors.checks_by_item(project)
    ids = gold_selectors.gold_ids(project, state, checks)
    page = Paginator(ids, ROWS_SHOWN).get_page(request.GET.get("page"))
    counts = gold_selectors.counts_by_state(project)
    context = {
        "project": project,
        "tab": "monitor",
        "role": role,
        "page": page,
        "rows": gold_selectors.gold_rows(project, list(page.object_list), user, role, checks),
        "state": state,
        "states": [
            (key, words, counts[key], f"?{urlencode({'show': key})}") for key, words in STATE_WORDS.items()
        ],
        "several": len(project.criteria) > 1,
        "may_write": role in selectors.MANAGERS,
        "total": counts["all"],
    }
    return render(request, "annotation/gold.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def write(request: HttpRequest, slug: str, item_id: int) -> HttpResponse:
    """The expert's answer to one item: written for any item, or corrected where the item is gold already.

    Reviewers make gold of what people have voted on; a standing gold answer is the managers' to change.
    """
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=WRITERS)
    role = selectors.role_in(user, project)
    item = item_selectors.item_for(project, item_id)
    twin = gold_selectors.gold_twin(item)
    may = role in selectors.MANAGERS or (twin is None and vote_selectors.has_votes(item))
    if not may:
        raise Http404("Not yours to write.")
    shows = twin is not None or "votes" in request.GET
    if shows and vote_selectors.why_blind(user, role, item):
        messages.info(request, _("Judge this item first, or show its votes: then it is yours to make gold."))
        return redirect("annotation:item", slug=slug, item_id=item.pk)
    target = twin or item
    if request.method == "GET":
        return _form(request, target, _prefilled(request, item, twin), item)
    return _save(request, target, item, adjudicated=role not in selectors.MANAGERS)


@login_required
@require_POST
def retire(request: HttpRequest, slug: str, item_id: int) -> HttpResponse:
    item = _gold_item(request, slug, item_id)
    gold.retire(item=item, actor=cast(User, request.user))
    messages.success(request, _("Retired: nobody is given it any more, and it no longer counts."))
    return redirect("annotation:gold", slug=slug)


@login_required
@require_POST
def restore(request: HttpRequest, slug: str, item_id: int) -> HttpResponse:
    item = _gold_item(request, slug, item_id)
    gold.restore(item=item, actor=cast(User, request.user))
    messages.success(request, _("In use again."))
    return redirect("annotation:gold", slug=slug)


def _gold_item(request: HttpRequest, slug: str, item_id: int) -> Item:
    project = selectors.project_for(cast(User, request.user), slug, roles=selectors.MANAGERS)
    item = item_selectors.item_for(project, item_id)
    if not item.is_gold:
        raise Http404("No such gold.")
    return item


def _prefilled(request: HttpRequest, item: Item, twin: Item | None) -> Entered:
    """The gold answer there is; else, asked for, what most people answered."""
    count = item.item_responses.count()
    question = _plain(item.project).question
    if twin is not None:
        answers = {
            name: gold_selectors.expert(one) for name, one in gold_selectors.expert_answers(twin).items()
        }
    elif "votes" in request.GET:
        answers = vote_selectors.majority_on(item)
    else:
        answers = {}
    return answer_form.from_canonical(answers, question, list(range(count)))


def _save(request: HttpRequest, target: Item, item: Item, *, adjudicated: bool) -> HttpResponse:
    """What was entered; canonical, for the page shows the item's own order."""
    project, user = target.project, cast(User, request.user)
    entered = answer_form.read(request.POST, _plain(project).question, target.item_responses.count())
    from_votes = adjudicated or "votes" in request.POST
    try:
        made = gold.write_for(
            item=target,
            answers=list(entered.answers.values()),
            reason=answer_form.clean(request.POST, "reason"),
            source=GoldAnswer.Source.ADJUDICATED if from_votes else GoldAnswer.Source.WRITTEN,
            actor=user,
        )
    except InvalidAnswer as error:
        return _form(request, target, entered, item, problem=str(error))
    messages.success(request, _("Saved. People meet it like any other item."))
    return redirect("annotation:item", slug=project.slug, item_id=made.pk)


def _form(
    request: HttpRequest, target: Item, entered: Entered, item: Item, *, problem: str = ""
) -> HttpResponse:
    project = target.project
    standing = gold_selectors.expert_answers(target)
    texts = [place.response.text for place in _places(target)]
    turns = [selectors.Turn(turn["role"], turn["content"]) for turn in target.prompt.messages]
    reasons = dict.fromkeys(one.reason for one in standing.values() if one.reason)
    context: dict[str, Any] = {
        "project": project,
        "tab": "monitor",
        "item": item,
        "standing": bool(standing),
        "sheet": sheets.build(_plain(project), turns, texts, entered),
        "reason": answer_form.clean(request.POST, "reason") or "\n".join(reasons),
        "longest_reason": gold.LONGEST_REASON,
        "votes": "votes" in request.GET or "votes" in request.POST,
        "problem": problem,
    }
    return render(request, "annotation/gold_form.html", context, status=422 if problem else 200)


def _places(item: Item) -> Sequence[Any]:
    return list(item.item_responses.select_related("response").order_by("position"))


def _plain(project: Project) -> Project:
    """The project as the expert is asked: a better side without how much better."""
    plain = copy.copy(project)
    plain.strength_scale = False
    return plain
