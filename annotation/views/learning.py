"""Learning the job: the guidelines, calibration rounds and the qualification test, one item at a time."""

from collections.abc import Mapping
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import Role, User
from annotation import answer_form, learning_selectors, selectors, session_selectors, sheets
from annotation.answering.answer import InvalidAnswer
from annotation.learning_marks import marks_of
from annotation.learning_selectors import Stage, Standing
from annotation.models.learning import Attempt, Exercise, PracticeAnswer
from annotation.models.project import Project
from annotation.qualification_selectors import may_work
from annotation.rendering import render_markdown
from annotation.services import learning
from annotation.views.judging_context import key_rows


@login_required
@never_cache
@require_safe
def learn(request: HttpRequest, slug: str) -> HttpResponse:
    """What there is to learn, where one stands in each part, and what opens next."""
    project, user = _enter(request, slug)
    steps = learning_selectors.standings(project, user)
    works = may_work(project, user)
    test = next((one for one in steps if one.exercise.kind == Exercise.Kind.QUALIFICATION), None)
    context = {
        "project": project,
        **_place(project, user),
        "guideline": selectors.latest_guidelines(project),
        "steps": steps,
        "next": next((one for one in steps if not one.done and (one.may_start or one.may_go_on)), None),
        "may_work": works,
        "test": test if test and test.exercise.state == Exercise.State.OPEN else None,
    }
    return render(request, "annotation/learn/learn.html", context)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def practise(request: HttpRequest, slug: str, exercise_id: int) -> HttpResponse:
    """The next item of one's open attempt; before it the introduction, after it the result."""
    project, user = _enter(request, slug)
    exercise = learning_selectors.exercise_to_do(project, exercise_id, user)
    if request.method == "POST" and "start" in request.POST:
        try:
            learning.start(exercise=exercise, annotator=user)
        except learning.MayNotStart as refusal:
            messages.warning(request, str(refusal))
        return redirect("annotation:practise", slug=slug, exercise_id=exercise.pk)
    standing = learning_selectors.standing_of(exercise, user)
    if request.method == "POST":
        return _answer(request, project, standing)
    if standing.may_go_on and standing.attempt is not None:
        return _item(request, project, standing, standing.attempt)
    return _outside(request, project, user, standing)


@login_required
@never_cache
@require_safe
def practised(request: HttpRequest, slug: str, exercise_id: int, number: int) -> HttpResponse:
    """One's own answer beside the expert's: after each item of a round, and once a test is passed."""
    project, user = _enter(request, slug)
    exercise = learning_selectors.exercise_to_do(project, exercise_id, user)
    standing = learning_selectors.standing_of(exercise, user)
    rows = learning_selectors.answers_of(standing.attempt) if standing.attempt else []
    row = rows[number - 1] if 0 < number <= len(rows) else None
    told = standing.attempt is not None and tells_answers(exercise, standing.attempt)
    if row is None or row.answered_at is None or not told:
        return redirect("annotation:practise", slug=slug, exercise_id=exercise.pk)
    context = {
        "project": project,
        **_place(project, user),
        "exercise": exercise,
        "standing": standing,
        "number": number,
        "sheet": _sheet(project, row),
        "marks": marks_of(row, project.criterion_names),
        "row": row,
        "over": standing.stage != Stage.IN_PROGRESS,
        "further": number + 1 if number < len(rows) and rows[number].answered_at is not None else None,
    }
    return render(request, "annotation/learn/practised.html", context)


def tells_answers(exercise: Exercise, attempt: Attempt) -> bool:
    """Whether the expert's answers are shown: a test tells them to nobody who may still take it."""
    if exercise.kind == Exercise.Kind.QUALIFICATION:
        return bool(attempt.passed)
    return exercise.kind == Exercise.Kind.CALIBRATION


def _enter(request: HttpRequest, slug: str) -> tuple[Project, User]:
    user = cast(User, request.user)
    return selectors.project_for(user, slug, roles=selectors.JUDGES), user


def _place(project: Project, user: User) -> dict[str, Any]:
    """The role and the tab that is open: managers have Training, where the others have Learn."""
    role = selectors.role_in(user, project)
    return {"role": role, "tab": "training" if role == Role.MANAGER else "learn"}


def _answer(request: HttpRequest, project: Project, standing: Standing) -> HttpResponse:
    """Store what was posted, and lead on: to the expert's answer in a round, else to the next item."""
    exercise, attempt = standing.exercise, standing.attempt
    row = _posted_row(request, attempt)
    if row is None or attempt is None or standing.stage == Stage.NOT_STARTED:
        messages.info(request, _("That attempt is over; nothing was changed."))
        return redirect("annotation:practise", slug=project.slug, exercise_id=exercise.pk)
    entered = answer_form.read(request.POST, project.question, len(row.display_order))
    try:
        done = learning.answer(
            attempt=attempt,
            item_id=row.item_id,
            answers=list(entered.answers.values()),
            reasons=entered.reasons,
            comment=entered.comment,
            seconds=entered.seconds,
        )
    except InvalidAnswer as error:
        problem = str(error) if len(entered.answers) == len(project.criteria) else _missing(project, entered)
        return _item(request, project, standing, attempt, row, entered, problem=problem)
    except learning.AttemptOver as over:
        messages.warning(request, str(over))
        return redirect("annotation:learn", slug=project.slug)
    if not done.created:
        messages.info(request, _("You had answered this item already; your first answer stands."))
    if exercise.kind == Exercise.Kind.CALIBRATION:
        number = [one.pk for one in learning_selectors.answers_of(attempt)].index(row.pk) + 1
        return redirect("annotation:practised", slug=project.slug, exercise_id=exercise.pk, number=number)
    return redirect("annotation:practise", slug=project.slug, exercise_id=exercise.pk)


def _missing(project: Project, entered: answer_form.Entered) -> str:
    if len(project.criteria) == 1:
        return _("Answer the question first.")
    missing = [name for name in project.criterion_names if name not in entered.answers]
    return _("Not complete yet: %s.") % ", ".join(missing)


def _posted_row(request: HttpRequest, attempt: Attempt | None) -> PracticeAnswer | None:
    """The posted item of this very attempt; None for one of an attempt before it, or of nobody's."""
    number, item = (answer_form.clean(request.POST, name) for name in ("attempt", "item"))
    known = all(text.isascii() and text.isdigit() and len(text) < 19 for text in (number, item))
    if attempt is None or not known or int(number) != attempt.number:
        return None
    rows = attempt.answers.select_related("item__prompt").filter(item_id=int(item))
    return rows.first()


def _item(
    request: HttpRequest,
    project: Project,
    standing: Standing,
    attempt: Attempt,
    row: PracticeAnswer | None = None,
    entered: answer_form.Entered | None = None,
    *,
    problem: str = "",
) -> HttpResponse:
    rows = learning_selectors.answers_of(attempt)
    row = row or next((one for one in rows if one.answered_at is None), None)
    if row is None:
        raise Http404("Nothing is left to answer.")
    context = {
        "project": project,
        **_place(project, cast(User, request.user)),
        "exercise": standing.exercise,
        "standing": standing,
        "attempt": attempt,
        "row": row,
        "number": [one.pk for one in rows].index(row.pk) + 1,
        "sheet": _sheet(project, row, entered),
        "problem": problem,
        "key_rows": [row for row in key_rows(project) if row.action not in ("skip", "flag", "undo")],
    }
    return render(request, "annotation/learn/practise.html", context, status=422 if problem else 200)


def _outside(request: HttpRequest, project: Project, user: User, standing: Standing) -> HttpResponse:
    """The introduction with a button to begin, or the result with what comes after it."""
    exercise, attempt = standing.exercise, standing.attempt
    context: dict[str, Any] = {
        "project": project,
        **_place(project, user),
        "exercise": exercise,
        "standing": standing,
        "introduction": render_markdown(exercise.introduction, first_heading=2),
        "may_work": may_work(project, user),
        "comparison_ready": exercise.kind == Exercise.Kind.SESSION and session_selectors.is_ready(exercise),
    }
    if attempt is not None and attempt.finished_at is not None:
        context |= _result(project, exercise, attempt)
    return render(request, "annotation/learn/round.html", context)


def _result(project: Project, exercise: Exercise, attempt: Attempt) -> Mapping[str, Any]:
    rows = learning_selectors.answers_of(attempt)
    scores = learning_selectors.criterion_scores(rows, project.criterion_names)
    tells = tells_answers(exercise, attempt)
    return {
        "attempt": attempt,
        "scores": scores if exercise.kind != Exercise.Kind.SESSION else [],
        "tells": tells,
        "differed": [
            (number, row) for number, row in enumerate(rows, start=1) if tells and (row.credit or 0.0) < 1
        ],
    }


def _sheet(project: Project, row: PracticeAnswer, entered: answer_form.Entered | None = None) -> sheets.Sheet:
    texts = [each.response.text for each in row.item.item_responses.select_related("response")]
    turns = [selectors.Turn(turn["role"], turn["content"]) for turn in row.item.prompt.messages]
    return sheets.build(project, turns, [texts[position] for position in row.display_order], entered)
