"""After a calibration session: everybody's answers side by side, and what the guidelines leave open."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.models import Role, User
from annotation import learning_selectors, selectors, session_selectors
from annotation.answer_form import clean
from annotation.models.learning import Attempt, Exercise
from annotation.models.project import Project
from annotation.services import exercises
from annotation.session_selectors import Voice

NAMED = frozenset({Role.MANAGER, Role.REVIEWER})  # who reads names; everybody else reads numbers


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def session(request: HttpRequest, slug: str, exercise_id: int) -> HttpResponse:
    """The comparison; a POST notes a gap in the guidelines."""
    user = cast(User, request.user)
    project = selectors.project_for(user, slug, roles=selectors.JUDGES)
    exercise = learning_selectors.exercise_for(project, exercise_id)
    role = selectors.role_in(user, project)
    if exercise.kind != Exercise.Kind.SESSION:
        raise Http404("No such session.")
    if not may_compare(exercise, user, role):
        messages.info(request, _("The answers are compared when everybody has finished, or it is closed."))
        return redirect("annotation:learn", slug=slug)
    if request.method == "POST":
        return _note(request, project, exercise, user)
    named = role in NAMED
    found = session_selectors.comparison(exercise)
    context = {
        "project": project,
        "role": role,
        "tab": "training" if role == Role.MANAGER else "learn",
        "exercise": exercise,
        "comparison": found,
        "items": [
            (one, [(_name(said.voice, user, named), said) for said in one.said]) for one in found.items
        ],
        "names": [(_name(voice, user, named), voice) for voice in found.voices],
        "criteria": project.criterion_names,
        "gaps": session_selectors.gaps(exercise),
        "named": named,
        "manages": role == Role.MANAGER,
        "guideline": selectors.latest_guidelines(project),
    }
    return render(request, "annotation/learn/session.html", context)


def may_compare(exercise: Exercise, user: User, role: Role | None) -> bool:
    """Managers and reviewers any time, but nobody who still has answers of their own to give."""
    mine = Attempt.objects.filter(exercise=exercise, annotator=user).first()
    if role in NAMED:
        under_way = mine is not None and mine.finished_at is None
        return not under_way or exercise.state == Exercise.State.CLOSED
    return mine is not None and session_selectors.is_ready(exercise)


def _name(voice: Voice, reader: User, named: bool) -> str:
    if named:
        return str(voice.user)
    if voice.user.pk == reader.pk:
        return _("You")
    return _("Annotator %s") % voice.number


def _note(request: HttpRequest, project: Project, exercise: Exercise, user: User) -> HttpResponse:
    text = clean(request.POST, "item")
    item = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
    try:
        exercises.note_gap(exercise=exercise, item_id=item, note=clean(request.POST, "note"), actor=user)
        messages.success(request, _("Noted."))
    except exercises.Refused as refusal:
        messages.error(request, str(refusal))
    target = redirect("annotation:session", slug=project.slug, exercise_id=exercise.pk)
    target["Location"] += "#gaps"
    return target
