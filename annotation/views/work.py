"""“My work”: what somebody answered, skipped and flagged in a project, and the way back to each of it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import User
from annotation import answer_form, progress_selectors, selectors, standing_selectors, work_selectors
from annotation.answer_words import CHOICES, in_words
from annotation.models.project import Project
from annotation.models.work import Assignment
from annotation.qualification_selectors import may_work
from annotation.services import assigning, judging
from annotation.views.empty_queue import why_empty
from annotation.views.judging_context import SKIP_REASONS
from annotation.work_selectors import Filters, Own, Place

FIRST_WORDS = 160  # characters of the prompt on a row
LONGEST_SEARCH = 200

STATES: dict[str, Promise] = {
    "draft": gettext_lazy("Draft"),
    "pending": gettext_lazy("Open"),
    "submitted": gettext_lazy("Submitted"),
    "skipped": gettext_lazy("Skipped"),
    "flagged": gettext_lazy("Flagged"),
    "expired": gettext_lazy("Expired"),
}


@dataclass(frozen=True)
class Row:
    """One assignment as its annotator may see it."""

    assignment_id: int
    at: datetime
    state: str
    label: Promise
    prompt: str
    answer: str
    reasons: tuple[str, ...]
    words: str  # the comment, or why it was skipped or flagged
    seconds: float | None
    action: str  # the words of the link to the judging page; none: it stays as it is, and this is why
    why_not: str


@login_required
@never_cache
@require_safe
def work(request: HttpRequest, slug: str) -> HttpResponse:
    """Newest first, 25 a page. Only one's own: whose work it is is nowhere asked for."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.JUDGES)
    filters = _filters(request.GET)
    page = work_selectors.own_work(project, user, filters, _place(request.GET))
    works = project.state == Project.State.RUNNING and may_work(project, user)
    context = {
        "project": project,
        "tab": "work",
        "progress": progress_selectors.progress(project, user),
        "barred": standing_selectors.is_barred(project, user),
        "unread": standing_selectors.unread(project, user),
        "rows": [_row(own, project, works=works) for own in page.rows],
        "filters": filters,
        "states": [(name, STATES[name], name == filters.state) for name in work_selectors.STATES],
        "answers": _answer_options(project, filters),
        "older": _address(request.GET, page.after) if page.after else "",
        "newest": _address(request.GET, None) if "after" in request.GET else "",
    }
    return render(request, "annotation/work.html", context)


@login_required
@never_cache
@require_safe
def waiting(request: HttpRequest, slug: str) -> HttpResponse:
    """What the empty judging page asks from time to time: 204 while nothing has changed, its new words when
    they have, and the judging page itself as soon as there is an item."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.JUDGES)
    found = assigning.hand_out(project=project, annotator=user, ahead=False)
    if found.current is not None:
        return HttpResponse(status=204, headers={"Laurel-Current": str(found.current.pk)})
    empty = why_empty(project, user, progress_selectors.progress(project, user))
    if request.GET.get("shown") == empty.fingerprint:
        return HttpResponse(status=204)
    return render(request, "annotation/judge_empty.html", {"project": project, "empty": empty})


def _filters(asked: QueryDict) -> Filters:
    """What the form says; what it cannot have said is left out."""
    return Filters(
        state=asked.get("state", ""),
        answer=asked.get("answer", ""),
        text=answer_form.clean(asked, "text")[:LONGEST_SEARCH],
        since=_date(asked.get("since", "")),
        until=_date(asked.get("until", "")),
    )


def _date(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


def _place(asked: QueryDict) -> Place | None:
    at, _mark, pk = asked.get("after", "").rpartition("~")
    try:
        found = parse_datetime(at)
    except ValueError:
        return None
    if found is None or found.tzinfo is None or not (pk.isascii() and pk.isdigit() and len(pk) < 19):
        return None
    return Place(found, int(pk))


def _address(asked: QueryDict, after: Place | None) -> str:
    """The query of another page under the same filters."""
    query = asked.copy()
    query.pop("after", None)
    if after is not None:
        query["after"] = f"{after.at.isoformat()}~{after.pk}"
    return f"?{query.urlencode()}"


def _answer_options(project: Project, filters: Filters) -> list[tuple[str, str, bool]]:
    said = {
        Project.Kind.RANKING: pgettext("ranking", "%s first"),
        Project.Kind.RATING: pgettext("rating", "a %s among them"),
    }.get(Project.Kind(project.kind))
    return [
        (value, said % value if said else str(CHOICES[value]), value == filters.answer)
        for value in work_selectors.answers_offered(project)
    ]


def _row(own: Own, project: Project, *, works: bool) -> Row:
    action, why_not = _way_back(own, works=works)
    judgment, note = own.judgment, own.assignment.note
    return Row(
        assignment_id=own.assignment.pk,
        at=own.at,
        state=own.state,
        label=STATES[own.state],
        prompt=_first_words(own.assignment.item.prompt.messages),
        answer=_answer(own, project),
        reasons=tuple(judgment.reasons) if judgment else (),
        words=judgment.comment if judgment else _note(note),
        seconds=judgment.seconds if judgment else None,
        action=action,
        why_not=why_not,
    )


def _way_back(own: Own, *, works: bool) -> tuple[str, str]:
    """The link's words, or why there is none. What an item is plays no part in it: a known item whose slots
    never run out may be taken up again exactly as any other may."""
    if own.assignment.note in Assignment.KNOWS_THE_ANSWER:
        return "", _("You have seen what others answered.")
    if own.state == "submitted":
        if assigning.may_reopen(own.assignment):
            return _("Change"), ""
        closed = own.assignment.project.state == Project.State.CLOSED
        return "", _("The project is closed.") if closed else _("The time to change it is over.")
    if own.state == "flagged":
        return "", _("A reviewer looks at it.")
    if own.state in ("draft", "pending"):
        return _("Continue"), ""
    return (_("Take up again"), "") if works else ("", _("The project gives out no items now."))


def _first_words(turns: list[dict[str, Any]]) -> str:
    """Of what is to be answered: the last turn."""
    text = " ".join(str(turns[-1]["content"])[: 4 * FIRST_WORDS].split())
    return text if len(text) <= FIRST_WORDS else text[:FIRST_WORDS].rsplit(" ", 1)[0] + " …"


def _answer(own: Own, project: Project) -> str:
    if own.judgment is not None:
        given = {answer.criterion: answer for answer in judging.as_shown(own.judgment)}
        return in_words(given, project.criterion_names)
    if own.draft is not None:
        shown = len(own.assignment.display_order)
        entered = answer_form.from_draft(own.draft.body, project.question, shown)
        return in_words(entered.answers, project.criterion_names)
    return ""


def _note(note: str) -> str:
    """A skip's ready-made reason is stored in English and said in the reader's language."""
    for reason in SKIP_REASONS:
        if note == reason or note.startswith(f"{reason}: "):
            return _(reason) + note.removeprefix(reason)
    return note
