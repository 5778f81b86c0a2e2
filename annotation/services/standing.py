"""Pause, exclude, restore, write to and hear an annotator. Nothing is deleted; every step is told to them.

Somebody paused or excluded is handed no work, what they hold goes back, and their votes weigh nothing. A
restored person is exactly where they were. The two differ in what is said: a pause waits for a decision.
"""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from annotation.models.alert import Alert
from annotation.models.project import Project
from annotation.models.quality import QualityReport
from annotation.models.standing import Message, Standing
from annotation.models.work import Assignment
from annotation.services import aggregating, alerting, assigning
from annotation.typed_text import cleaned

LONGEST_TEXT = 5_000


class CannotChangeStanding(ValueError):
    """The step is not possible; the message says why, or what is missing."""


@transaction.atomic
def pause(
    *,
    project: Project,
    annotator: User,
    actor: User | None,
    reason: str = "",
    evidence: Sequence[dict[str, Any]] = (),
) -> Standing:
    """No work and no weight until somebody decides. `actor` None: the policy, on this evidence."""
    return _set_apart(project, annotator, actor, Standing.State.PAUSED, reason, evidence)


@transaction.atomic
def exclude(
    *,
    project: Project,
    annotator: User,
    actor: User,
    reason: str = "",
    evidence: Sequence[dict[str, Any]] = (),
) -> Standing:
    """No work and no weight, decided."""
    return _set_apart(project, annotator, actor, Standing.State.EXCLUDED, reason, evidence)


@transaction.atomic
def restore(*, project: Project, annotator: User, actor: User, reason: str = "") -> Standing:
    """Active again, every vote counts as before. The policy pauses them on gold answered from now on only."""
    reason = _kept(reason)
    found = _locked(project, annotator)
    if found.state == Standing.State.ACTIVE:
        return found
    before = found.state
    now = timezone.now()
    found.state, found.reason, found.evidence, found.automatic = Standing.State.ACTIVE, "", [], False
    found.changed_by, found.changed_at, found.restored_at, found.appealed_at = actor, now, now, None
    found.save()
    for kind in (Alert.Kind.PAUSED, Alert.Kind.APPEAL, Alert.Kind.GOLD):
        alerting.end(project, kind, annotator)
    _say(project, annotator, actor, Message.Kind.RESTORED, reason)
    _record(found, actor, "annotator restored", reason, before)
    return found


@transaction.atomic
def raise_gold(*, project: Project, annotator: User, rate: float, evidence: Sequence[dict[str, Any]]) -> None:
    """Give them at least this share of gold: what weak signs lead to. Gold is unseen, so it is not told."""
    found = _locked(project, annotator)
    if found.gold_rate == rate:
        return
    found.gold_rate = rate
    found.save(update_fields=["gold_rate"])
    detail = {"user": annotator.username, "rate": rate, "evidence": list(evidence)}
    audit.record(actor=None, project=project, action="annotator checked more", detail=detail)


@transaction.atomic
def usual_gold(*, project: Project, annotator: User) -> None:
    """The signs are gone: gold comes at the project's own rate again."""
    changed = Standing.objects.filter(project=project, annotator=annotator, gold_rate__isnull=False)
    if changed.update(gold_rate=None):
        detail = {"user": annotator.username}
        audit.record(actor=None, project=project, action="annotator checked as usual", detail=detail)


@transaction.atomic
def write(*, project: Project, annotator: User, author: User, text: str) -> Message:
    """A message to the annotator."""
    return _say(project, annotator, author, Message.Kind.NOTE, _worded(text))


@transaction.atomic
def appeal(*, project: Project, annotator: User, text: str) -> Message:
    """What somebody paused or excluded has to say. Raises `CannotChangeStanding` for who is neither."""
    text = _worded(text)
    found = _locked(project, annotator)
    if found.state == Standing.State.ACTIVE:
        raise CannotChangeStanding(_("You are not paused: there is nothing to appeal."))
    found.appealed_at = timezone.now()
    found.save(update_fields=["appealed_at"])
    _stale(project)
    alerting.end(project, Alert.Kind.PAUSED, annotator)  # the appeal says it, too
    alerting.raise_alert(project, Alert.Kind.APPEAL, annotator, {"text": text})
    audit.record(
        actor=annotator, project=project, action="annotator appeals", detail={"user": annotator.username}
    )
    return _say(project, annotator, annotator, Message.Kind.APPEAL, text)


def mark_read(*, project: Project, annotator: User) -> None:
    """The annotator has opened their messages."""
    rows = Message.objects.filter(project=project, annotator=annotator, read_at=None)
    rows.filter(~Q(author=annotator) | Q(author=None)).update(read_at=timezone.now())


def _set_apart(
    project: Project,
    annotator: User,
    actor: User | None,
    state: str,
    reason: str,
    evidence: Sequence[dict[str, Any]],
) -> Standing:
    reason = _kept(reason)
    if actor is not None and actor.pk == annotator.pk:
        raise CannotChangeStanding(_("You cannot pause or exclude yourself."))
    assigning.in_turn(f"work/{annotator.pk}")  # whatever they are being handed at this moment comes first
    found = _locked(project, annotator)
    if found.state == state:
        return found
    before = found.state
    found.state, found.reason, found.evidence = state, reason, list(evidence)
    found.automatic, found.changed_by, found.changed_at = actor is None, actor, timezone.now()
    if before == Standing.State.ACTIVE or state == Standing.State.EXCLUDED:
        found.appealed_at = None
    found.save()
    for held in Assignment.objects.select_for_update().filter(
        project=project, annotator=annotator, state=Assignment.State.OPEN
    ):
        assigning.release(held, state=Assignment.State.EXPIRED)
    if actor is None:
        alerting.raise_alert(project, Alert.Kind.PAUSED, annotator, {"automatic": True})
    elif state == Standing.State.EXCLUDED:  # decided: nothing waits for anybody any more
        for kind in (Alert.Kind.PAUSED, Alert.Kind.APPEAL, Alert.Kind.GOLD):
            alerting.end(project, kind, annotator)
    _say(project, annotator, actor, Message.Kind(state), found.reason, found.evidence)
    _record(found, actor, f"annotator {state}", found.reason, before)
    return found


def _locked(project: Project, annotator: User) -> Standing:
    """The row, made if there is none, and locked: two managers take turns."""
    found, _made = Standing.objects.get_or_create(
        project=project, annotator=annotator, defaults={"changed_at": timezone.now()}
    )
    return Standing.objects.select_for_update(of=("self",)).get(pk=found.pk)


def _record(found: Standing, actor: User | None, action: str, reason: str, before: str) -> None:
    """What follows from any change of state: the labels, the report, the log."""
    aggregating.touch_annotator(project=found.project, annotator_id=found.annotator_id)
    _stale(found.project)
    detail = {
        "user": found.annotator.username,
        "before": before,
        "reason": reason,
        "evidence": found.evidence,
    }
    audit.record(actor=actor, project=found.project, action=action, detail=detail)


def _stale(project: Project) -> None:
    QualityReport.objects.filter(project=project).update(stale=True)


def _say(
    project: Project,
    annotator: User,
    author: User | None,
    kind: str,
    text: str,
    evidence: Sequence[dict[str, Any]] = (),
) -> Message:
    return Message.objects.create(
        project=project,
        annotator=annotator,
        author=author,
        kind=kind,
        text=text,
        evidence=list(evidence),
    )


def _worded(text: str) -> str:
    text = _kept(text)
    if not text:
        raise CannotChangeStanding(_("Write something first."))
    return text


def _kept(text: str) -> str:
    text = cleaned(text)
    if len(text) > LONGEST_TEXT:
        words = _("Shorten the text to %(most)s characters.")
        raise CannotChangeStanding(words % {"most": LONGEST_TEXT})
    return text
