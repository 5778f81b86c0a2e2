"""What the templates of the judging page are given: the items on it, the status, what is entered already."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from accounts.models import User
from annotation import answer_form, progress_selectors, selectors, sheets
from annotation.answer_words import CHOICES, choices_of
from annotation.models.project import Project
from annotation.models.work import Assignment, Judgment
from annotation.services import judging
from annotation.services.assigning import Work
from annotation.views.empty_queue import why_empty

# Stored as they stand, in English, in the assignment's note; shown in the reader's language.
SKIP_REASONS = (
    gettext_noop("I don’t know the subject"),
    gettext_noop("The question is unclear"),
    gettext_noop("Too long"),
    gettext_noop("Other"),
)


@dataclass(frozen=True)
class OnPage:
    """One item, on the screen or waiting behind it."""

    assignment_id: int
    category: str
    sheet: sheets.Sheet
    key: str
    draft_version: int
    replaces: int | None
    answered_at: datetime | None  # of the answer that is being changed
    judge_url: str


@dataclass(frozen=True)
class KeyRow:
    """An action, and the keys it has unless somebody chose others."""

    action: str
    label: str | Promise
    keys: str


def page_context(
    project: Project,
    user: User,
    work: Work,
    *,
    shown: Assignment | None = None,
    entered: answer_form.Entered | None = None,
    saved: str = "",
    problem: str = "",
    painted: str = "",
    guideline_seen: int | None = None,
) -> dict[str, Any]:
    """The whole of the judging page. `shown` is on the screen instead of the work in hand, which then waits.

    `entered` is what could not be stored. `painted` is the assignment the browser shows already: when that is
    the current one, only what has changed is asked for (`ahead_only`), and the tools beside the status only
    if there are newer guidelines than the page has (`guideline_seen`).
    """
    current, ahead = work.current, work.ahead
    if shown is not None and (current is None or shown.pk != current.pk):
        current, ahead = shown, work.current
    progress = progress_selectors.progress(project, user)
    ahead_only = bool(painted) and current is not None and painted == str(current.pk)
    empty = why_empty(project, user, progress) if current is None else None
    told = [saved and f"{saved}.", str(empty.title) if empty else _("Next item.")]
    return {
        "project": project,
        "tab": "judge",
        "progress": progress,
        "guideline_version": project.guideline_version,
        "saved": saved,
        "problem": problem,
        "ahead_only": ahead_only,
        "with_tools": not ahead_only or guideline_seen != project.guideline_version,
        "skip_reasons": [(reason, _(reason)) for reason in SKIP_REASONS],
        "current_id": current.pk if current else None,
        **_items(project, None if ahead_only else current, ahead, entered),
        "empty": empty,
        "announce": " ".join(filter(None, told)),
    }


def _items(
    project: Project,
    current: Assignment | None,
    ahead: Assignment | None,
    entered: answer_form.Entered | None,
) -> dict[str, OnPage | None]:
    pages = selectors.judging_pages([each for each in (current, ahead) if each is not None])
    return {
        "item": None if current is None else _on_page(project, current, pages[current.pk], entered),
        "ahead": None if ahead is None else _on_page(project, ahead, pages[ahead.pk]),
    }


def _on_page(
    project: Project,
    assignment: Assignment,
    page: selectors.JudgingPage,
    entered: answer_form.Entered | None = None,
) -> OnPage:
    responses, draft = len(page.responses), page.draft
    standing = judging.standing_answer(assignment)
    if entered is None and draft is not None:
        entered = answer_form.from_draft(draft.body, project.question, responses)
    elif entered is None and standing is not None:
        entered = answer_form.from_judgment(standing, project.question)
    return OnPage(
        assignment_id=assignment.pk,
        category=page.category if project.show_category else "",
        sheet=sheets.build(project, page.turns, page.responses, entered),
        key=uuid.uuid4().hex,
        draft_version=draft.version if draft else 0,
        replaces=standing.pk if standing else None,
        answered_at=_given_at(standing),
        judge_url=reverse("annotation:judge", kwargs={"slug": project.slug}),
    )


def key_rows(project: Project) -> list[KeyRow]:
    """What can be done by key on this project's judging page, in the order of the help."""
    return [*_answer_keys(project), *_COMMON_KEYS]


def _answer_keys(project: Project) -> list[KeyRow]:
    question = project.question
    if question.kind == "pairwise":
        letters = {"a": " a ArrowLeft", "b": " b ArrowRight", "tie": " t", "both_bad": " x"}
        rows = [
            KeyRow(f"pick-{number}", CHOICES[value], f"{number}{letters.get(value, '')}")
            for number, value in enumerate(choices_of(question), start=1)
        ]
    else:
        words, most = (_("Rank %s"), 8) if question.kind == "ranking" else (_("Rate %s"), question.points)
        rows = [KeyRow(f"pick-{number}", words % number, str(number)) for number in range(1, most + 1)]
    if question.kind == "ranking":
        rows += [KeyRow("up", gettext_lazy("Move the response up"), "ArrowUp")]
        rows += [KeyRow("down", gettext_lazy("Move the response down"), "ArrowDown")]
    elif question.kind == "rating" or len(question.criteria) > 1:
        rows += [KeyRow("up", gettext_lazy("Line above"), "ArrowUp")]
        rows += [KeyRow("down", gettext_lazy("Line below"), "ArrowDown")]
    return rows


_COMMON_KEYS = (
    KeyRow("submit", gettext_lazy("Submit"), "Enter"),
    KeyRow("reason", gettext_lazy("Give a reason"), "r"),
    KeyRow("mark", gettext_lazy("Mark the selected words"), "m"),
    KeyRow("expand", gettext_lazy("Show all or less of long texts"), "e"),
    KeyRow("compare", gettext_lazy("Compare words"), "d"),
    KeyRow("skip", gettext_lazy("Skip; Enter confirms"), "s"),
    KeyRow("flag", gettext_lazy("Flag a problem with the item"), "f"),
    KeyRow("undo", gettext_lazy("Undo: change your last answer"), "u"),
    KeyRow("guidelines", gettext_lazy("Guidelines"), "g"),
    KeyRow("help", gettext_lazy("Keys"), "?"),
)


def _given_at(standing: Judgment | None) -> datetime | None:
    return standing.judged_at if standing else None
