"""The first page: the projects one is in, what waits in each, and the way into it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from accounts.models import Role, User
from annotation import progress_selectors, selectors, standing_selectors
from annotation.models.project import Project
from annotation.progress_selectors import OwnWork, Totals
from annotation.qualification_selectors import unqualified_among
from annotation.services import waiting

_DOORS = {
    Role.ANNOTATOR: "annotation:judge",
    Role.REVIEWER: "annotation:monitor",
    Role.MANAGER: "annotation:monitor",
    Role.ENGINEER: "rewardmodel:runs",
}
ROLES: dict[Role, Promise] = {role: gettext_lazy(role.label) for role in Role}


@dataclass(frozen=True)
class Line:
    """Something that waits; `now` is what one would do first."""

    words: str
    url: str = ""
    now: bool = False


@dataclass(frozen=True)
class Row:
    project: Project
    role: Promise
    totals: Totals
    work: OwnWork
    shows_project: bool  # how far all of it is
    toward_goal: int
    lines: tuple[Line, ...]
    url: str
    action: str
    primary: bool


@login_required
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The same few queries for one project and for thirty."""
    user = cast(User, request.user)
    mine_in = selectors.memberships(user)
    ids = [project.pk for project, _role in mine_in]
    work = progress_selectors.own_work(user, ids)
    totals = progress_selectors.totals_of(ids)
    unqualified = unqualified_among([project for project, _role in mine_in], user)
    barred = standing_selectors.barred_from(ids, user)
    unread = standing_selectors.unread_in(ids, user)
    judged = {project.pk for project, role in mine_in if role in selectors.JUDGES} - unqualified - barred
    open_now = waiting.open_among(judged, user.pk) if judged else set()
    rows = [
        _row(
            project,
            role,
            work.get(project.pk, OwnWork()),
            totals[project.pk],
            open_now,
            unqualified,
            _about(project, project.pk in barred, unread.get(project.pk, 0)),
        )
        for project, role in mine_in
    ]
    rows.sort(key=lambda row: row.project.state == Project.State.CLOSED)
    may_create = user.is_superuser or any(role is Role.MANAGER for _project, role in mine_in)
    return render(request, "annotation/home.html", {"rows": rows, "may_create": may_create})


def _row(
    project: Project,
    role: Role,
    work: OwnWork,
    totals: Totals,
    open_now: Collection[int],
    unqualified: Collection[int],
    about: list[Line],
) -> Row:
    annotates = role is Role.ANNOTATOR
    has_work = bool(work.held) or project.pk in open_now
    lines = _lines(project, work, totals, has_work=has_work, unqualified=project.pk in unqualified)
    tested_first = annotates and project.pk in unqualified
    door = "annotation:learn" if tested_first else _DOORS[role]
    return Row(
        project=project,
        role=ROLES[role],
        totals=totals,
        work=work,
        shows_project=project.show_progress or not annotates,
        toward_goal=min(work.today, project.daily_goal or 0),
        lines=(*about, *lines) if role in selectors.JUDGES else (),
        url=reverse(door, kwargs={"slug": project.slug}),
        action=(_("To the test") if tested_first else _("Judge")) if annotates else _("Open"),
        primary=annotates and has_work,
    )


def _about(project: Project, barred: bool, unread: int) -> list[Line]:
    """Where this person stands in the project, if that is to be told."""
    door = reverse("annotation:standing", kwargs={"slug": project.slug})
    if barred:
        return [Line(_("You are paused here: see why"), door, now=True)]
    if unread:
        words = ngettext("%s message for you", "%s messages for you", unread)
        return [Line(words % number_format(unread), door, now=True)]
    return []


def _lines(
    project: Project, work: OwnWork, totals: Totals, *, has_work: bool, unqualified: bool
) -> list[Line]:
    """What waits for this person in the project, what to do first at the top."""
    lines = []
    slug = {"slug": project.slug}
    if unqualified and project.state == Project.State.RUNNING:
        test = reverse("annotation:learn", kwargs=slug)
        lines.append(Line(_("A qualification test is to be passed first"), test, now=True))
    elif project.state == Project.State.RUNNING and totals.total:
        words = _("Items wait for you") if has_work else _("Nothing waits for you")
        lines.append(Line(words, now=has_work))
    elif project.state == Project.State.PAUSED:
        lines.append(Line(_("Paused: no items are given out")))
    own = reverse("annotation:work", kwargs=slug)
    if work.drafts:
        words = ngettext("%s draft is kept", "%s drafts are kept", work.drafts)
        lines.append(Line(words % number_format(work.drafts), f"{own}?state=draft", True))
    if work.to_reopen:
        words = ngettext("%s answer may still be changed", "%s answers may still be changed", work.to_reopen)
        lines.append(Line(words % number_format(work.to_reopen), f"{own}?state=submitted"))
    return lines
