"""The judging page: show an item, take its answer, bring the next one in the same round trip."""

import math
import uuid
from dataclasses import dataclass
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from annotation import selectors
from annotation.models.project import Project
from annotation.models.work import Assignment, Judgment
from annotation.rendering import render_markdown
from annotation.services import assigning, judging
from annotation.views.empty_queue import why_empty


@dataclass(frozen=True)
class Choice:
    value: str
    label: Promise
    brief: Promise  # on a phone
    keys: str


CHOICES = (
    Choice("a", gettext_lazy("A is better"), gettext_lazy("A"), "1 A"),
    Choice("b", gettext_lazy("B is better"), gettext_lazy("B"), "2 B"),
    Choice("tie", gettext_lazy("Tie"), gettext_lazy("Tie"), "3 T"),
    Choice("both_bad", gettext_lazy("Both are bad"), gettext_lazy("Both bad"), "4 X"),
)
LABELS = {choice.value: choice for choice in CHOICES}
SPEAKERS = {
    "user": gettext_lazy("User"),
    "assistant": gettext_lazy("Assistant"),
    "system": gettext_lazy("System instruction"),
}


@dataclass(frozen=True)
class Given:
    """An answer as the form shows it, in display terms: after an undo, or when it could not be stored."""

    choice: str = ""
    reasons: tuple[str, ...] = ()
    comment: str = ""


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def judge(request: HttpRequest, slug: str) -> HttpResponse:
    project, user = _enter(request, slug)
    if request.method == "POST":
        return _answer(request, project, user)
    return _show(request, project, user, assigning.claim(project=project, annotator=user))


@login_required
@require_POST
def skip(request: HttpRequest, slug: str) -> HttpResponse:
    project, user = _enter(request, slug)
    assignment = _posted_assignment(request, project, user)
    assigning.skip(assignment_id=assignment.pk, annotator=user, reason=_text(request, "reason"))
    return _go_on(request, project, user, saved=_("Skipped"))


@login_required
@require_POST
def flag(request: HttpRequest, slug: str) -> HttpResponse:
    project, user = _enter(request, slug)
    assignment = _posted_assignment(request, project, user)
    assigning.flag(assignment_id=assignment.pk, annotator=user, note=_text(request, "note"))
    return _go_on(request, project, user, saved=_("Flagged"))


@login_required
@require_POST
def undo(request: HttpRequest, slug: str) -> HttpResponse:
    project, user = _enter(request, slug)
    assignment = judging.undo_last(project=project, annotator=user)
    if assignment is None:
        return _go_on(request, project, user, saved=_("There is no answer to undo"))
    return _go_on(request, project, user, saved=_("Taken back: answer it again"), assignment=assignment)


@login_required
@require_safe
def guidelines(request: HttpRequest, slug: str) -> HttpResponse:
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.EVERYONE)
    guideline = selectors.latest_guidelines(project)
    context = {
        "project": project,
        "tab": "guidelines",
        "guideline": guideline,
        "guideline_html": render_markdown(guideline.text, first_heading=2) if guideline else "",
        "can_judge": selectors.role_in(user, project) in selectors.JUDGES,
    }
    partial = getattr(request, "htmx", False)
    return render(request, f"annotation/guidelines{'_text' if partial else ''}.html", context)


def _enter(request: HttpRequest, slug: str) -> tuple[Project, User]:
    user = cast(User, request.user)
    return selectors.project_for(user, slug, roles=selectors.JUDGES), user


def _answer(request: HttpRequest, project: Project, user: User) -> HttpResponse:
    assignment = _posted_assignment(request, project, user)
    given = Given(_text(request, "choice"), tuple(request.POST.getlist("reasons")), _text(request, "comment"))
    if given.choice not in LABELS:
        return _show(
            request, project, user, assignment, given, problem=_("Choose an answer first."), status=422
        )
    try:
        judging.submit(
            assignment_id=assignment.pk,
            annotator=user,
            choice=_swap(given.choice, assignment.display_order),
            reasons=given.reasons,
            comment=given.comment,
            seconds=_seconds(request),
            idempotency_key=_text(request, "key") or uuid.uuid4().hex,
        )
    except judging.InvalidAnswer as error:
        return _show(request, project, user, assignment, given, problem=str(error), status=422)
    except judging.Conflict as conflict:
        waiting = assigning.claim(project=project, annotator=user)
        return _show(request, project, user, waiting, problem=_stands(conflict, user), status=409)
    return _go_on(request, project, user, saved=_("Saved: %s") % LABELS[given.choice].label)


def _stands(conflict: judging.Conflict, user: User) -> str:
    """What is stored, said in the terms of the screen it was answered on."""
    stored: Judgment = conflict.stored
    if stored.annotator_id != user.pk:
        return _("This answer could not be stored. Load the page again.")
    answer = stored.answers.first()
    shown = _swap(answer.choice, stored.display_order or []) if answer else ""
    label = LABELS[shown].label if shown in LABELS else _("another answer")
    return _("Nothing was changed. You had already answered that item: %s. Undo it to answer again.") % label


def _go_on(
    request: HttpRequest, project: Project, user: User, *, saved: str, assignment: Assignment | None = None
) -> HttpResponse:
    """The next item at once to htmx; a redirect to a browser without JavaScript."""
    if not getattr(request, "htmx", False):
        messages.info(request, saved)
        return redirect("annotation:judge", slug=project.slug)
    assignment = assignment or assigning.claim(project=project, annotator=user)
    return _show(request, project, user, assignment, saved=saved)


def _show(
    request: HttpRequest,
    project: Project,
    user: User,
    assignment: Assignment | None,
    given: Given | None = None,
    *,
    saved: str = "",
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    progress = selectors.progress(project, user)
    context: dict[str, Any] = {
        "project": project,
        "tab": "judge",
        "progress": progress,
        "saved": saved,
        "problem": problem,
        "announce": " ".join(filter(None, [saved and f"{saved}.", _("Next item.") if assignment else ""])),
    }
    if assignment is None or project.kind != Project.Kind.PAIRWISE:
        context["empty"] = why_empty(project, progress)
        context["announce"] += f" {context['empty'].title}"
    else:
        context |= _item_context(project, assignment, given or _taken_back(assignment))
    partial = getattr(request, "htmx", False)
    return render(request, f"annotation/judge{'_item' if partial else ''}.html", context, status=status)


def _item_context(project: Project, assignment: Assignment, given: Given) -> dict[str, Any]:
    page = selectors.judging_page(assignment)
    responses = [
        {"letter": letter, "label": _("Response %s") % letter.upper(), "text": text}
        for letter, text in zip("ab", page.responses, strict=True)
    ]
    return {
        "page": page,
        "turns": _turns(page.turns),
        "responses": responses,
        "choices": CHOICES,
        "given": given,
        "key": uuid.uuid4().hex,
        "question": project.criteria[0].get("description") or _("Which response is better?"),
    }


def _turns(turns: tuple[selectors.Turn, ...]) -> list[dict[str, Any]]:
    """The conversation with a heading for each turn; a single question is simply the prompt."""
    spoken = sum(turn.role != "system" for turn in turns)
    last = _("Prompt") if spoken == 1 else _("User, to be answered")
    return [
        {
            "kind": turn.role,
            "label": last if number == len(turns) else SPEAKERS.get(turn.role, turn.role),
            "content": turn.content,
        }
        for number, turn in enumerate(turns, start=1)
    ]


def _taken_back(assignment: Assignment) -> Given:
    judgment = judging.retracted_answer(assignment)
    answer = judgment.answers.first() if judgment else None
    if judgment is None or answer is None:
        return Given()
    return Given(_swap(answer.choice, assignment.display_order), tuple(judgment.reasons), judgment.comment)


def _swap(choice: str, display_order: list[int]) -> str:
    """Display terms to canonical terms and back: the drawn order of two is its own inverse."""
    if list(display_order) == [1, 0]:
        return {"a": "b", "b": "a"}.get(choice, choice)
    return choice


def _posted_assignment(request: HttpRequest, project: Project, user: User) -> Assignment:
    number = _text(request, "assignment")
    known = number.isascii() and number.isdigit() and len(number) < 19
    return selectors.own_assignment(user, project, int(number) if known else 0)


def _text(request: HttpRequest, name: str) -> str:
    return str(request.POST.get(name, "")).replace("\x00", "").strip()


def _seconds(request: HttpRequest) -> float | None:
    """What the browser measured; the service caps it by the server's own clock."""
    try:
        seconds = float(request.POST.get("seconds", ""))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
