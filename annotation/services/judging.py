"""What people answer. Append-only: an edit supersedes, an undo retracts, nothing is deleted."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from annotation.models.project import Project
from annotation.models.work import Answer, Assignment, Judgment
from annotation.selectors import latest_guidelines
from annotation.services import assigning

LONGEST_COMMENT = 5_000


class InvalidAnswer(ValueError):
    """The answer cannot be stored as it is; the message says what to change."""


class Conflict(Exception):
    """Another answer stands where this one would go. `stored` is what stands."""

    def __init__(self, message: str, stored: Judgment) -> None:
        super().__init__(message)
        self.stored = stored


@dataclass(frozen=True)
class Submission:
    judgment: Judgment
    created: bool  # False: the same answer had already arrived


@dataclass(frozen=True)
class _Body:
    choice: str
    reasons: tuple[str, ...]
    comment: str

    def digest(self, assignment_id: int) -> str:
        text = json.dumps([assignment_id, self.choice, sorted(self.reasons), self.comment])
        return hashlib.sha256(text.encode()).hexdigest()


def submit(
    *,
    assignment_id: int,
    annotator: User,
    choice: str,
    reasons: Sequence[str] = (),
    comment: str = "",
    seconds: float | None = None,
    idempotency_key: str,
    source: str = Judgment.Source.BROWSER,
    judged_at: datetime | None = None,
) -> Submission:
    """Store one pairwise answer, exactly once. `choice` is canonical: "a" is the item's first response.

    The same answer sent again (retry, double click, Back) returns the stored judgment. An answer whose
    lease ran out is accepted if a slot is open, else kept as surplus. `judged_at` dates a simulated answer;
    by default it is now. Raises `Conflict` when the key or the
    item already carries a different answer, `InvalidAnswer` when a value is not acceptable.
    """
    try:
        with transaction.atomic():
            assignment = (
                Assignment.objects.select_for_update(of=("self",))
                .select_related("item__project")
                .get(pk=assignment_id, annotator=annotator)
            )
            body = _checked(assignment.item.project, choice, reasons, comment)
            digest = body.digest(assignment_id)
            stored = _already_stored(assignment, idempotency_key, digest)
            if stored is not None:
                return Submission(stored, created=False)
            _finish(assignment)
            seconds = _credible(assignment, seconds, source)
            judgment = _store(assignment, body, digest, seconds, idempotency_key, source, judged_at)
            return Submission(judgment, created=True)
    except IntegrityError as error:
        stored = Judgment.objects.filter(idempotency_key=idempotency_key).first()
        if stored is None:
            raise
        raise Conflict("This submission key was used for another item.", stored) from error


@transaction.atomic
def undo_last(*, project: Project, annotator: User) -> Assignment | None:
    """Retract the annotator's latest answer and give the item back to them; None if there is none.

    The open item, if any, is put back into the queue: the person returns to it afterwards.
    """
    latest = (
        Judgment.objects.select_for_update(of=("self",))
        .filter(annotator=annotator, item__project=project, live=True, source=Judgment.Source.BROWSER)
        .order_by("-judged_at", "-pk")
        .first()
    )
    if latest is None or latest.assignment is None or project.state == Project.State.CLOSED:
        return None
    for waiting in Assignment.objects.select_for_update().filter(
        annotator=annotator, item__project=project, state=Assignment.State.OPEN
    ):
        assigning.release(waiting, state=Assignment.State.EXPIRED)
    latest.live = False
    latest.save(update_fields=["live"])
    assignment = Assignment.objects.select_for_update().get(pk=latest.assignment_id)
    assignment.state = Assignment.State.OPEN
    assignment.finished_at = None
    assignment.lease_expires_at = assigning.lease_end(project)
    assignment.save(update_fields=["state", "finished_at", "lease_expires_at"])
    return assignment


def retracted_answer(assignment: Assignment) -> Judgment | None:
    """The answer an undo took back, so that the form can show it again."""
    return assignment.judgments.filter(live=False).order_by("-pk").first()


def _checked(project: Project, choice: str, reasons: Sequence[str], comment: str) -> _Body:
    if choice not in Answer.Choice.values:
        raise InvalidAnswer(
            f"“{choice[:40]}” is not a choice; send one of {', '.join(Answer.Choice.values)}."
        )
    unknown = [reason for reason in reasons if reason not in project.reasons]
    if unknown:
        raise InvalidAnswer(f"“{unknown[0][:60]}” is not one of this project's reasons.")
    comment = comment.replace("\x00", "").strip()
    if len(comment) > LONGEST_COMMENT:
        raise InvalidAnswer(f"The comment has {len(comment)} characters; shorten it to {LONGEST_COMMENT}.")
    return _Body(choice=choice, reasons=tuple(dict.fromkeys(reasons)), comment=comment)


def _already_stored(assignment: Assignment, key: str, digest: str) -> Judgment | None:
    by_key = Judgment.objects.filter(idempotency_key=key).first()
    if by_key is not None:
        if by_key.body_hash == digest and by_key.annotator_id == assignment.annotator_id:
            return by_key
        raise Conflict("This answer was already sent, with other content.", by_key)
    standing = assignment.judgments.filter(live=True).first()
    if standing is not None:
        if standing.body_hash == digest:
            return standing
        raise Conflict("You already answered this item differently, perhaps in another tab.", standing)
    return None


def _finish(assignment: Assignment) -> None:
    if assignment.state != Assignment.State.OPEN:  # its slot went back when it expired or was skipped
        assignment.surplus = not assigning.take_slot_if_free(assignment.item_id)
    assignment.state = Assignment.State.DONE
    assignment.finished_at = timezone.now()
    assignment.save(update_fields=["state", "surplus", "finished_at"])


def _credible(assignment: Assignment, seconds: float | None, source: str) -> float | None:
    """What the browser measured, but never more than passed on the server's clock."""
    if seconds is None or source == Judgment.Source.SIMULATED:
        return seconds
    elapsed = (timezone.now() - assignment.created_at).total_seconds()
    return max(0.0, min(seconds, elapsed))


def _store(
    assignment: Assignment,
    body: _Body,
    digest: str,
    seconds: float | None,
    key: str,
    source: str,
    judged_at: datetime | None,
) -> Judgment:
    project = assignment.item.project
    judgment = Judgment.objects.create(
        item=assignment.item,
        annotator=assignment.annotator,
        assignment=assignment,
        idempotency_key=key,
        body_hash=digest,
        source=source,
        supersedes=retracted_answer(assignment),
        guideline=latest_guidelines(project),
        display_order=assignment.display_order,
        reasons=list(body.reasons),
        comment=body.comment,
        seconds=seconds,
        judged_at=judged_at or timezone.now(),
    )
    Answer.objects.create(judgment=judgment, criterion=project.main_criterion, choice=body.choice)
    return judgment
