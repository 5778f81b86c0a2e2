"""The judging page: show an item, take its answer, bring the next one in the same round trip.

The page's script marks its requests with `Laurel-Fetch` and is answered with fragments: with `Laurel-Shown`,
the assignment it has painted already, only the status and the item after that one. Without the script the
same addresses are plain forms and redirects.
"""

import uuid
from collections.abc import Sequence
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from annotation import answer_form, selectors
from annotation.answer_words import in_words
from annotation.answering import spans as marked
from annotation.answering.answer import Answer, InvalidAnswer, to_canonical
from annotation.models.project import Project
from annotation.models.work import Assignment, Judgment
from annotation.services import assigning, judging
from annotation.views.judging_context import SKIP_REASONS, key_rows, page_context

LONGEST_SKIP_REASON = 500
LONGEST_NOTE = 5_000


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def judge(request: HttpRequest, slug: str) -> HttpResponse:
    if request.method == "POST":
        return _answer(request, slug)
    project, user = _enter(request, slug)
    return _show(request, project, user, painted=_painted(request))


@login_required
@never_cache
@require_safe
def judge_again(request: HttpRequest, slug: str, assignment_id: int) -> HttpResponse:
    """One's own item, with the answer that stands filled in; submitting replaces it."""
    project, user = _enter(request, slug)
    assignment = selectors.own_assignment(user, project, assignment_id)
    over = assignment.state == Assignment.State.DONE and not assigning.may_reopen(assignment)
    if over or assignment.note in Assignment.KNOWS_THE_ANSWER:
        return _go_on(request, project, user, saved=_("That answer can no longer be changed"))
    return _show(request, project, user, shown=assignment)


@login_required
@require_POST
def skip(request: HttpRequest, slug: str) -> HttpResponse:
    project, user = _enter(request, slug)
    assignment = _posted_assignment(request, project, user)
    quick = _text(request, "quick")
    words = [quick if quick in SKIP_REASONS else "", _text(request, "reason")]
    reason = ": ".join(filter(None, words))
    if len(reason) > LONGEST_SKIP_REASON:
        return _too_long(request, project, user, assignment, LONGEST_SKIP_REASON)
    seen = _number(request, "replaces")
    left = assigning.skip(assignment_id=assignment.pk, annotator=user, reason=reason, answer_seen=seen)
    return _go_on(request, project, user, saved=_("Skipped") if left else _stays())


@login_required
@require_POST
def flag(request: HttpRequest, slug: str) -> HttpResponse:
    project, user = _enter(request, slug)
    assignment = _posted_assignment(request, project, user)
    note = _text(request, "note")
    if len(note) > LONGEST_NOTE:
        return _too_long(request, project, user, assignment, LONGEST_NOTE)
    seen = _number(request, "replaces")
    left = assigning.flag(assignment_id=assignment.pk, annotator=user, note=note, answer_seen=seen)
    return _go_on(request, project, user, saved=_("Flagged") if left else _stays())


@login_required
@require_POST
def undo(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the last answer again, to be changed; until then it stands."""
    project, user = _enter(request, slug)
    assignment = judging.last_answered(project=project, annotator=user)
    if assignment is None:
        return _go_on(request, project, user, saved=_("There is no answer to undo"))
    if not _is_fetch(request):
        return redirect("annotation:judge_again", slug=project.slug, assignment_id=assignment.pk)
    return _show(request, project, user, shown=assignment)


def _enter(request: HttpRequest, slug: str) -> tuple[Project, User]:
    user = cast(User, request.user)
    return selectors.project_for(user, slug, roles=selectors.JUDGES), user


def _answer(request: HttpRequest, slug: str) -> HttpResponse:
    user, assignment_id = cast(User, request.user), _number(request, "assignment") or 0
    project, order = selectors.answered_in(user, slug, assignment_id)
    entered = answer_form.read(request.POST, project.question, len(order))
    problem = _incomplete(project, entered)
    if problem:
        return _refuse(request, project, user, entered, problem)
    try:
        submission = judging.submit(
            assignment_id=assignment_id,
            annotator=user,
            answers=[to_canonical(answer, order) for answer in entered.answers.values()],
            reasons=entered.reasons,
            comment=entered.comment,
            spans=_canonical_spans(entered.spans, order),
            seconds=entered.seconds,
            guideline_version=_number(request, "guideline"),
            replaces=_number(request, "replaces"),
            idempotency_key=_text(request, "key") or uuid.uuid4().hex,
            go_on_in=project,
        )
    except InvalidAnswer as error:
        return _refuse(request, project, user, entered, str(error))
    except judging.Conflict as conflict:
        return _show(request, project, user, problem=_stands(conflict, project, user), status=409)
    words = in_words(entered.answers, project.criterion_names)
    return _go_on(request, project, user, saved=_("Saved: %s") % words, work=submission.work)


def _stays() -> str:
    """Nothing was left: an answer from another tab or device had come first."""
    return _("Your answer to that item stands")


def _incomplete(project: Project, entered: answer_form.Entered) -> str:
    """What the sheet still wants, in its own words; the service would say it in English."""
    missing = [name for name in project.criterion_names if name not in entered.answers]
    if not missing:
        tied = not project.ties and any(_is_tied(answer) for answer in entered.answers.values())
        return _("This project asks for an order without ties.") if tied else ""
    if len(project.criteria) == 1:
        return {
            Project.Kind.PAIRWISE: _("Choose an answer first."),
            Project.Kind.RANKING: _("Rank every response first."),
            Project.Kind.RATING: _("Rate every response first."),
        }[Project.Kind(project.kind)]
    return _("Not complete yet: %s.") % ", ".join(missing)


def _is_tied(answer: Answer) -> bool:
    return answer.ranks is not None and len(set(answer.ranks)) < len(answer.ranks)


def _canonical_spans(spans: Sequence[Any], order: list[int]) -> list[dict[str, Any]]:
    """In the item's own order. Raises `InvalidAnswer` for what is no list of marked places."""
    named = [str(span.get("reason", "")) for span in spans if isinstance(span, dict)]
    return marked.reordered(marked.checked(list(spans), len(order), named), order)


def _stands(conflict: judging.Conflict, project: Project, user: User) -> str:
    """What is stored, said in the terms of the screen it was answered on."""
    stored: Judgment = conflict.stored
    if stored.annotator_id != user.pk or stored.item.project_id != project.pk:
        return _("This answer could not be stored. Load the page again.")
    answers = {answer.criterion: answer for answer in judging.as_shown(stored)}
    words = in_words(answers, project.criterion_names) or _("another answer")
    return _("Nothing was changed. You had already answered that item: %s. Undo it to answer again.") % words


def _refuse(
    request: HttpRequest, project: Project, user: User, entered: answer_form.Entered, problem: str
) -> HttpResponse:
    """The same item again with everything that was entered."""
    assignment = _posted_assignment(request, project, user)
    return _show(request, project, user, shown=assignment, entered=entered, problem=problem, status=422)


def _too_long(
    request: HttpRequest, project: Project, user: User, assignment: Assignment, most: int
) -> HttpResponse:
    problem = _("Nothing was sent: shorten your note to %s characters.") % most
    return _show(request, project, user, shown=assignment, problem=problem, status=422)


def _go_on(
    request: HttpRequest, project: Project, user: User, *, saved: str, work: assigning.Work | None = None
) -> HttpResponse:
    """The next item at once to the page's script; a redirect to a browser without it."""
    if not _is_fetch(request):
        messages.info(request, saved)
        return redirect("annotation:judge", slug=project.slug)
    return _show(request, project, user, saved=saved, painted=_painted(request), work=work)


def _show(
    request: HttpRequest,
    project: Project,
    user: User,
    *,
    work: assigning.Work | None = None,
    shown: Assignment | None = None,
    entered: answer_form.Entered | None = None,
    saved: str = "",
    problem: str = "",
    painted: str = "",
    status: int = 200,
) -> HttpResponse:
    work = work or assigning.hand_out(project=project, annotator=user)
    context = page_context(
        project,
        user,
        work,
        shown=shown,
        entered=entered,
        saved=saved,
        problem=problem,
        painted=painted,
        guideline_seen=_number(request, "guideline"),
    )
    if context["ahead_only"]:
        template = "judge_ahead"
    elif _is_fetch(request):
        template = "judge_page"
    else:
        template = "judge"
        context["key_rows"] = key_rows(project)
    response = render(request, f"annotation/{template}.html", context, status=status)
    if context["current_id"]:
        response["Laurel-Current"] = str(context["current_id"])
    return response


def _is_fetch(request: HttpRequest) -> bool:
    return "Laurel-Fetch" in request.headers


def _painted(request: HttpRequest) -> str:
    """The assignment that the browser shows already, in a request of the page's script."""
    return request.headers.get("Laurel-Shown", "") if _is_fetch(request) else ""


def _posted_assignment(request: HttpRequest, project: Project, user: User) -> Assignment:
    return selectors.own_assignment(user, project, _number(request, "assignment") or 0)


def _text(request: HttpRequest, name: str) -> str:
    return answer_form.clean(request.POST, name)


def _number(request: HttpRequest, name: str) -> int | None:
    text = _text(request, name)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
