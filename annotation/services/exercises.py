"""Preparing exercises, and a manager's word about the people who do them."""

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Role, User
from accounts.services import audit
from annotation.learning_selectors import choosable
from annotation.models.learning import Attempt, Exercise, ExerciseItem, Waiver
from annotation.models.project import Project
from annotation.models.quality import GoldAnswer
from annotation.selectors import JUDGES, latest_guidelines, role_in
from annotation.services.assigning import one_step_at_a_time
from annotation.services.learning import begin
from annotation.session_selectors import GAP

MOST_ITEMS = 200
LONGEST_NOTE = 2_000
EDITABLE = ("name", "introduction", "pass_mark", "attempts", "cooldown_hours")


class Refused(ValueError):
    """The change would break a rule; the message says which and what to do instead."""


@transaction.atomic
def create(*, project: Project, kind: str, name: str, actor: User) -> Exercise:
    exercise = Exercise.objects.create(project=project, kind=kind, name=name, created_by=actor)
    _log(actor, exercise, "exercise created", kind=kind)
    return exercise


@transaction.atomic
def edit(*, exercise: Exercise, actor: User, **values: Any) -> Exercise:
    """Change name, introduction and rules; attempts that are finished keep the result they had."""
    exercise = _locked(exercise)
    before = {name: getattr(exercise, name) for name in EDITABLE}
    changed = {name: values[name] for name in EDITABLE if name in values and values[name] != before[name]}
    if changed:
        for name, value in changed.items():
            setattr(exercise, name, value)
        exercise.save(update_fields=list(changed))
        _log(
            actor,
            exercise,
            "exercise changed",
            before={name: before[name] for name in changed},
            after=changed,
        )
    return exercise


# --- its items ------------------------------------------------------------------------------------


@transaction.atomic
def add_items(*, exercise: Exercise, item_ids: Sequence[int], actor: User) -> int:
    """Put items at the end; what may not be chosen, or is there already, is left out. How many were added."""
    exercise = _untouched(exercise)
    allowed = set(choosable(exercise).filter(pk__in=item_ids).values_list("pk", flat=True))
    return _append(exercise, [pk for pk in dict.fromkeys(item_ids) if pk in allowed], actor)


@transaction.atomic
def draw_items(*, exercise: Exercise, count: int, actor: User) -> int:
    """Add items drawn at random from all that may be chosen. How many were added."""
    exercise = _untouched(exercise)
    return _append(
        exercise, list(choosable(exercise).order_by("?").values_list("pk", flat=True)[:count]), actor
    )


@transaction.atomic
def remove_item(*, exercise: Exercise, item_id: int, actor: User) -> None:
    exercise = _untouched(exercise)
    exercise.exercise_items.filter(item_id=item_id).delete()
    _place(exercise, _order(exercise))
    _still_sound(exercise)
    _log(actor, exercise, "exercise item removed", item=item_id)


@transaction.atomic
def move_item(*, exercise: Exercise, item_id: int, by: int, actor: User) -> None:
    """One place up (-1) or down (1); at either end nothing happens."""
    exercise = _untouched(exercise)
    order = _order(exercise)
    if item_id in order:
        at = order.index(item_id)
        order.insert(max(0, at + by), order.pop(at))
        _place(exercise, order)


def _append(exercise: Exercise, item_ids: list[int], actor: User) -> int:
    last = exercise.exercise_items.aggregate(last=Max("position"))["last"]
    first = 0 if last is None else last + 1
    room = MOST_ITEMS - exercise.exercise_items.count()
    if len(item_ids) > room:
        raise Refused(_("An exercise has at most %s items.") % MOST_ITEMS)
    ExerciseItem.objects.bulk_create(
        ExerciseItem(exercise=exercise, item_id=pk, position=position)
        for position, pk in enumerate(item_ids, start=first)
    )
    if item_ids:
        _still_sound(exercise)
        _log(actor, exercise, "exercise items added", items=item_ids)
    return len(item_ids)


def _order(exercise: Exercise) -> list[int]:
    return list(exercise.exercise_items.order_by("position").values_list("item_id", flat=True))


def _place(exercise: Exercise, order: Sequence[int]) -> None:
    """Positions 0, 1, … in this order, by way of free ones: no two rows may share one even for an instant."""
    rows = {row.item_id: row for row in exercise.exercise_items.all()}
    far = 1 + max((row.position for row in rows.values()), default=0) + len(rows)
    for shift in (far, 0):
        for position, item_id in enumerate(order):
            rows[item_id].position = shift + position
            rows[item_id].save(update_fields=["position"])


# --- open and closed ------------------------------------------------------------------------------


@transaction.atomic
def open_exercise(*, exercise: Exercise, actor: User) -> Exercise:
    """Let people begin. Raises `Refused` when an expert's answer is missing, or another test is open."""
    exercise = _locked(exercise)
    if exercise.state == Exercise.State.OPEN:
        return exercise
    _check_items(exercise)
    exercise.state = Exercise.State.OPEN
    try:
        with transaction.atomic():
            exercise.save(update_fields=["state"])
    except IntegrityError as error:
        raise Refused(_("Another qualification test is open. Close it first: a project has one.")) from error
    _log(actor, exercise, "exercise opened")
    return exercise


@transaction.atomic
def close_exercise(*, exercise: Exercise, actor: User) -> Exercise:
    """Nobody can begin or go on; what was answered stays, and so does what somebody passed."""
    exercise = _locked(exercise)
    if exercise.state == Exercise.State.OPEN:
        exercise.state = Exercise.State.CLOSED
        exercise.save(update_fields=["state"])
        _log(actor, exercise, "exercise closed")
    return exercise


def _still_sound(exercise: Exercise) -> None:
    """What is open stays fit to be open; raising takes the change back."""
    if exercise.state == Exercise.State.OPEN:
        _check_items(exercise)


def _check_items(exercise: Exercise) -> None:
    items = _order(exercise)
    if not items:
        raise Refused(_("Choose at least one item first."))
    if exercise.kind == Exercise.Kind.SESSION:
        return
    every = exercise.kind == Exercise.Kind.QUALIFICATION
    criteria = exercise.project.criterion_names
    known: dict[int, set[str]] = {pk: set() for pk in items}
    for pk, criterion in GoldAnswer.objects.filter(item__in=items).values_list("item", "criterion"):
        known[pk].add(criterion)
    needed = len(criteria) if every else 1
    short = [pk for pk in items if len(known[pk] & set(criteria)) < needed]
    if not short:
        return
    numbers = ", ".join(f"#{pk}" for pk in short[:10]) + (" …" if len(short) > 10 else "")
    if every:
        text = ngettext(
            "A test needs an expert’s answer under every criterion. It is missing for item %s.",
            "A test needs an expert’s answer under every criterion. It is missing for items %s.",
            len(short),
        )
    else:
        text = ngettext(
            "A calibration round needs an expert’s answer. There is none for item %s.",
            "A calibration round needs an expert’s answer. There is none for items %s.",
            len(short),
        )
    raise Refused(text % numbers)


# --- a manager's word -----------------------------------------------------------------------------


@transaction.atomic
def give_another_attempt(*, exercise: Exercise, annotator: User, actor: User) -> Attempt:
    """Begin the next attempt for somebody, past the limit and the cool-down; they find it ready to go on.

    Raises `Refused` when the exercise is not open, or they have an attempt under way or have passed.
    """
    one_step_at_a_time(annotator)
    exercise = _locked(exercise)
    if exercise.state != Exercise.State.OPEN:
        raise Refused(_("Open the exercise first."))
    if role_in(annotator, exercise.project) not in JUDGES:
        raise Refused(_("%s is no annotator of this project.") % annotator)
    made = Attempt.objects.filter(exercise=exercise, annotator=annotator)
    if made.filter(finished_at__isnull=True).exists():
        raise Refused(_("%s has an attempt under way.") % annotator)
    if exercise.kind != Exercise.Kind.QUALIFICATION or made.filter(passed=True).exists():
        raise Refused(_("%s needs no other attempt.") % annotator)
    attempt = begin(exercise=exercise, annotator=annotator)
    _log(actor, exercise, "attempt given", user=annotator.username, number=attempt.number)
    return attempt


@transaction.atomic
def grant_waiver(*, project: Project, annotator: User, reason: str, actor: User) -> Waiver:
    """Let somebody work without the qualification. Raises `Refused` without a reason."""
    reason = reason.strip()[:LONGEST_NOTE]
    if not reason:
        raise Refused(_("Say why: the reason is kept with the waiver."))
    if role_in(annotator, project) != Role.ANNOTATOR:
        raise Refused(_("%s needs no waiver: only annotators are asked for a qualification.") % annotator)
    waiver, created = Waiver.objects.get_or_create(
        project=project, annotator=annotator, defaults={"granted_by": actor, "reason": reason}
    )
    if created:
        detail = {"user": annotator.username, "reason": reason}
        audit.record(actor=actor, project=project, action="waiver granted", detail=detail)
    return waiver


@transaction.atomic
def revoke_waiver(*, project: Project, annotator: User, reason: str, actor: User) -> None:
    """Take the word back; answers already given stay."""
    gone, _rows = Waiver.objects.filter(project=project, annotator=annotator).delete()
    if gone:
        detail = {"user": annotator.username, "reason": reason.strip()[:LONGEST_NOTE]}
        audit.record(actor=actor, project=project, action="waiver revoked", detail=detail)


@transaction.atomic
def note_gap(*, exercise: Exercise, item_id: int, note: str, actor: User) -> None:
    """Write down what the guidelines leave open, with the item that showed it and the version in force."""
    note = note.strip()[:LONGEST_NOTE]
    if not note or not exercise.exercise_items.filter(item_id=item_id).exists():
        raise Refused(_("Say what the guidelines leave open."))
    current = latest_guidelines(exercise.project)
    _log(actor, exercise, GAP, item=item_id, version=current.version if current else None, note=note)


def _locked(exercise: Exercise) -> Exercise:
    """The exercise as it is now; starting an attempt and changing the exercise take turns."""
    return Exercise.objects.select_for_update(of=("self",)).select_related("project").get(pk=exercise.pk)


def _untouched(exercise: Exercise) -> Exercise:
    exercise = _locked(exercise)
    if exercise.state == Exercise.State.CLOSED or exercise.attempts_made.exists():
        raise Refused(_("Somebody has begun, so its items stay as they are. Close it and make a new one."))
    return exercise


def _log(actor: User, exercise: Exercise, action: str, **detail: Any) -> None:
    detail = {"exercise": exercise.pk, "name": exercise.name, **detail}
    audit.record(actor=actor, project=exercise.project, action=action, detail=detail)
