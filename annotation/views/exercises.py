"""Training people, for managers: exercises with their items, results, and who may work without a test."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Membership, User
from annotation import learning_selectors, selectors, sheets
from annotation.answer_form import clean
from annotation.learning_forms import ExerciseForm, NewExerciseForm
from annotation.learning_marks import marks_of
from annotation.models.learning import Attempt, Exercise
from annotation.models.project import Project
from annotation.rendering import render_markdown
from annotation.services import exercises
from annotation.services.exercises import Refused

FOUND = 20  # items a search shows
RESULTS_SHOWN = 100


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def overview(request: HttpRequest, slug: str) -> HttpResponse:
    """All exercises, a form for a new one, and what opens the work to each annotator."""
    project, user = _enter(request, slug)
    form = NewExerciseForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        made = exercises.create(project=project, actor=user, **form.cleaned_data)
        return redirect("annotation:exercise", slug=slug, exercise_id=made.pk)
    found = list(learning_selectors.exercises_of(project))
    context = {
        "project": project,
        "tab": "training",
        "exercises": found,
        "form": form,
        "people": learning_selectors.people(project),
        "no_test": project.qualification_required
        and not any(
            one.kind == Exercise.Kind.QUALIFICATION and one.state == Exercise.State.OPEN for one in found
        ),
    }
    refused = request.method == "POST"
    return render(request, "annotation/learn/exercises.html", context, status=422 if refused else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def exercise(request: HttpRequest, slug: str, exercise_id: int) -> HttpResponse:
    """One exercise: its text and rules, its items, its results."""
    project, user = _enter(request, slug)
    found = learning_selectors.exercise_for(project, exercise_id)
    form = ExerciseForm(request.POST if request.method == "POST" else None, exercise=found)
    preview = request.method == "POST" and "preview" in request.POST
    if request.method == "POST" and not preview and form.is_valid():
        exercises.edit(exercise=found, actor=user, **form.values())
        messages.success(request, _("Saved."))
        return redirect("annotation:exercise", slug=slug, exercise_id=found.pk)
    words = str(request.GET.get("q", "")).replace("\x00", "").strip()[:200]
    places = found.exercise_items.select_related("item__prompt").order_by("position")
    attempts = learning_selectors.results(found)
    context = {
        "project": project,
        "tab": "training",
        "exercise": found,
        "form": form,
        "preview": render_markdown(clean(request.POST, "introduction"), first_heading=3) if preview else "",
        "places": places,
        "has_work": any(not place.item.is_gold for place in places),
        "fixed": bool(attempts) or found.state == Exercise.State.CLOSED,
        "words": words,
        "found": learning_selectors.search_items(found, words, limit=FOUND) if "q" in request.GET else None,
        "page": Paginator(attempts, RESULTS_SHOWN).get_page(request.GET.get("page")),
    }
    refused = request.method == "POST" and not preview
    return render(request, "annotation/learn/exercise.html", context, status=422 if refused else 200)


@login_required
@require_POST
def change_items(request: HttpRequest, slug: str, exercise_id: int) -> HttpResponse:
    """Add the ticked items, draw some at random, take one out, or move one."""
    project, user = _enter(request, slug)
    found = learning_selectors.exercise_for(project, exercise_id)
    try:
        _change_items(request, found, user)
    except Refused as refusal:
        messages.error(request, str(refusal))
    target = redirect("annotation:exercise", slug=slug, exercise_id=found.pk)
    target["Location"] += "#items"
    return target


@login_required
@require_POST
def change_state(request: HttpRequest, slug: str, exercise_id: int) -> HttpResponse:
    project, user = _enter(request, slug)
    found = learning_selectors.exercise_for(project, exercise_id)
    try:
        if "open" in request.POST:
            exercises.open_exercise(exercise=found, actor=user)
            messages.success(request, _("It is open: annotators find it under Learn."))
        elif "close" in request.POST:
            exercises.close_exercise(exercise=found, actor=user)
            messages.success(request, _("It is closed. What people answered and passed stays."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("annotation:exercise", slug=slug, exercise_id=found.pk)


@login_required
@require_POST
def give_attempt(request: HttpRequest, slug: str, exercise_id: int) -> HttpResponse:
    """Another attempt for one person, past limit and cool-down."""
    project, user = _enter(request, slug)
    found = learning_selectors.exercise_for(project, exercise_id)
    person = _posted_person(request, project)
    try:
        exercises.give_another_attempt(exercise=found, annotator=person, actor=user)
        messages.success(request, _("%s can begin another attempt now.") % person)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("annotation:exercise", slug=slug, exercise_id=found.pk)


@login_required
@require_POST
def waive(request: HttpRequest, slug: str) -> HttpResponse:
    """Let somebody work without the test, or take that back."""
    project, user = _enter(request, slug)
    person, reason = _posted_person(request, project), clean(request.POST, "reason")
    try:
        if "revoke" in request.POST:
            exercises.revoke_waiver(project=project, annotator=person, reason=reason, actor=user)
            messages.success(request, _("%s needs to pass the test again to get new work.") % person)
        else:
            exercises.grant_waiver(project=project, annotator=person, reason=reason, actor=user)
            messages.success(request, _("%s may work without the test.") % person)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("annotation:exercises", slug=slug)


@login_required
@require_safe
def attempt(request: HttpRequest, slug: str, exercise_id: int, attempt_id: int) -> HttpResponse:
    """One person's answers beside the expert's, as their screen showed them."""
    project, _user = _enter(request, slug)
    found = learning_selectors.exercise_for(project, exercise_id)
    made = get_object_or_404(Attempt.objects.select_related("annotator"), exercise=found, pk=attempt_id)
    rows = learning_selectors.answers_of(made)
    context = {
        "project": project,
        "tab": "training",
        "exercise": found,
        "attempt": made,
        "scores": learning_selectors.criterion_scores(rows, project.criterion_names),
        "answers": [
            (number, row, marks_of(row, project.criterion_names), sheets.excerpt(str(row.item.prompt)))
            for number, row in enumerate(rows, start=1)
        ],
    }
    return render(request, "annotation/learn/attempt.html", context)


def _enter(request: HttpRequest, slug: str) -> tuple[Project, User]:
    user = cast(User, request.user)
    return selectors.project_for(user, slug, roles=selectors.MANAGERS), user


def _change_items(request: HttpRequest, found: Exercise, user: User) -> None:
    post = request.POST
    if "remove" in post:
        exercises.remove_item(exercise=found, item_id=_number(post.get("remove")), actor=user)
    elif "up" in post:
        exercises.move_item(exercise=found, item_id=_number(post.get("up")), by=-1, actor=user)
    elif "down" in post:
        exercises.move_item(exercise=found, item_id=_number(post.get("down")), by=1, actor=user)
    elif "draw" in post:
        wanted = min(_number(post.get("count")), exercises.MOST_ITEMS)
        _tell_added(request, exercises.draw_items(exercise=found, count=wanted, actor=user))
    elif "add" in post:
        ids = [_number(value) for value in post.getlist("item")]
        _tell_added(request, exercises.add_items(exercise=found, item_ids=ids, actor=user))


def _tell_added(request: HttpRequest, count: int) -> None:
    words = ngettext("%s item was added.", "%s items were added.", count) % count
    messages.info(request, words if count else _("No item was added: none was ticked, or none is left."))


def _posted_person(request: HttpRequest, project: Project) -> User:
    """A member of the project, or Http404."""
    row = Membership.objects.filter(project=project, user=_number(request.POST.get("user"))).first()
    if row is None:
        raise Http404("No such member.")
    return row.user


def _number(text: object) -> int:
    text = str(text or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
