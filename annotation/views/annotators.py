"""One annotator as those who run the project see them: figures, evidence, what was decided and said."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.models import Membership, User
from annotation import selectors, standing_selectors, standing_words
from annotation.models.project import Project
from annotation.models.standing import Standing
from annotation.models.work import Assignment, Judgment
from annotation.people_table import Person
from annotation.plain import to_plain
from annotation.services import reporting, standing

STEPS = ("pause", "exclude", "restore")


@login_required
@require_GET
def annotator(request: HttpRequest, slug: str, user_id: int) -> HttpResponse:
    """Managers decide here; reviewers and engineers see on what grounds."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.WATCHERS)
    person = get_object_or_404(_known(project), pk=user_id)
    decided = standing_selectors.standing(project, person)
    context = {
        "project": project,
        "tab": "monitor",
        "role": selectors.role_in(user, project),
        "person": person,
        "one": _quality(project, person, decided),
        "decided": decided,
        "evidence": standing_words.evidence_of(decided.evidence) if decided else [],
        "thread": standing_words.told(standing_selectors.thread(project, person)),
    }
    context["can_decide"] = context["role"] in selectors.MANAGERS and person.pk != user.pk
    return render(request, "annotation/annotator.html", context)


@login_required
@require_POST
def decide(request: HttpRequest, slug: str, user_id: int) -> HttpResponse:
    """Pause, exclude or restore; then back to the page one came from."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.MANAGERS)
    person = get_object_or_404(_known(project), pk=user_id)
    step, reason = request.POST.get("step", ""), request.POST.get("reason", "")
    try:
        said = _decide(project, person, user, step, reason)
        messages.success(request, said % {"name": person})
    except standing.CannotChangeStanding as refusal:
        messages.error(request, str(refusal))
    if request.POST.get("back") == "monitor":
        return redirect("annotation:monitor", slug=slug)
    return redirect("annotation:annotator", slug=slug, user_id=person.pk)


@login_required
@require_POST
def write(request: HttpRequest, slug: str, user_id: int) -> HttpResponse:
    """A message to the annotator; it is on their pages at once."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.MANAGERS)
    person = get_object_or_404(_known(project), pk=user_id)
    try:
        standing.write(project=project, annotator=person, author=user, text=request.POST.get("text", ""))
        messages.success(request, _("Sent to %(name)s.") % {"name": person})
    except standing.CannotChangeStanding as refusal:
        messages.error(request, str(refusal))
    return redirect("annotation:annotator", slug=slug, user_id=person.pk)


def _decide(project: Project, person: User, actor: User, step: str, reason: str) -> str:
    """The step, and what it says once it is done."""
    if step == "restore":
        standing.restore(project=project, annotator=person, actor=actor, reason=reason)
        return _("%(name)s is active again, and every vote counts as before.")
    if step not in STEPS:
        raise standing.CannotChangeStanding(_("Choose to pause, to exclude or to restore."))
    one = _quality(project, person, None)
    evidence = [to_plain(flag) for flag in one.assessment.flags] if one else []
    if step == "pause":
        standing.pause(project=project, annotator=person, actor=actor, reason=reason, evidence=evidence)
        return _("%(name)s is paused: no new work, and their votes weigh nothing until you restore them.")
    standing.exclude(project=project, annotator=person, actor=actor, reason=reason, evidence=evidence)
    return _("%(name)s is excluded: no new work, and their votes weigh nothing. You can restore them.")


def _quality(project: Project, person: User, decided: Standing | None) -> Person | None:
    """Their line of the stored report, if there is one."""
    stored = reporting.stored_report(project)
    if stored is None:
        return None
    people = reporting.read(stored).people
    return next((Person(one, decided) for one in people if one.row.id == person.pk), None)


def _known(project: Project) -> QuerySet[User]:
    """Whoever has judged, holds or held work here, or is a member."""
    own = {"annotator": OuterRef("pk")}
    return User.objects.filter(
        Exists(Membership.objects.filter(project=project, user=OuterRef("pk")))
        | Exists(Assignment.objects.filter(project=project, **own))
        | Exists(Judgment.objects.filter(item__project=project, **own))
        | Exists(Standing.objects.filter(project=project, **own))
    )
