"""What people answer. Append-only: an edit supersedes, an undo retracts, nothing is deleted."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from annotation.models.project import Project
from annotation.models.work import Answer, Assignment, Judgment
from annotation.selectors import latest_guidelines
from annotation.services import assigning

LONGEST_COMMENT = 5_000
LONGEST_KEY = 100


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
            assigning.one_step_at_a_time(annotator)
            assignment = (
                Assignment.objects.select_for_update(of=("self",))
                .select_related("item__project")
                .get(pk=assignment_id, annotator=annotator)
            )
            body = _checked(assignment.item.project, choice, reasons, comment, idempotency_key)
            digest = body.digest(assignment_id)
            earlier = _earlier(assignment, idempotency_key)
            stored = _already_stored(assignment, earlier, idempotency_key, digest)
            if stored is not None:
                return Submission(stored, created=False)
            _finish(assignment)
            judgment = Judgment(
                idempotency_key=idempotency_key,
                body_hash=digest,
                source=source,
                supersedes=earlier[-1] if earlier else None,
                seconds=_credible(assignment, seconds, source),
                judged_at=judged_at or timezone.now(),
            )
            _store(judgment, assignment, body)
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
    assigning.one_step_at_a_time(annotator)
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
    assignment = Assignment.objects.select_for_update().get(pk=latest.assignment.pk)
    assignment.state = Assignment.State.OPEN
    assignment.finished_at = None
    assignment.lease_expires_at = assigning.lease_end(project)
    assignment.save(update_fields=["state", "finished_at", "lease_expires_at"])
    return assignment


def retracted_answer(assignment: Assignment) -> Judgment | None:
    """The answer an undo took back, so that the form can show it again."""
    return assignment.judgments.filter(live=False).order_by("-pk").first()


def _checked(project: Project, choice: str, reasons: Sequence[str], comment: str, key: str) -> _Body:
    if choice not in Answer.Choice.values:
        raise InvalidAnswer(
            f"“{choice[:40]}” is not a choice; send one of {', '.join(Answer.Choice.values)}."
        )
    unknown = [reason for reason in reasons if reason not in project.reasons]
    if unknown:
        raise InvalidAnswer(f"“{unknown[0][:60]}” is not one of this project's reasons.")
    if not 0 < len(key) <= LONGEST_KEY or not key.isprintable():
        raise InvalidAnswer(f"A submission key has 1 to {LONGEST_KEY} printable characters.")
    # What a database cannot hold, NUL and halves of characters, is no word of the comment.
    comment = comment.replace("\x00", "").encode("utf-8", "replace").decode().strip()
    if len(comment) > LONGEST_COMMENT:
        raise InvalidAnswer(f"The comment has {len(comment)} characters; shorten it to {LONGEST_COMMENT}.")
    return _Body(choice=choice, reasons=tuple(dict.fromkeys(reasons)), comment=comment)


def _earlier(assignment: Assignment, key: str) -> list[Judgment]:
    """The judgments of this assignment, oldest first, and the one that carries the key, wherever it is."""
    return list(Judgment.objects.filter(Q(assignment=assignment) | Q(idempotency_key=key)).order_by("pk"))


def _already_stored(
    assignment: Assignment, earlier: Sequence[Judgment], key: str, digest: str
) -> Judgment | None:
    for judgment in earlier:
        if judgment.idempotency_key == key:
            if judgment.body_hash == digest and judgment.annotator_id == assignment.annotator_id:
                return judgment
            raise Conflict("This answer was already sent, with other content.", judgment)
    for judgment in earlier:
        if judgment.live:
            if judgment.body_hash == digest:
                return judgment
            raise Conflict("You already answered this item differently, perhaps in another tab.", judgment)
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


def _store(judgment: Judgment, assignment: Assignment, body: _Body) -> None:
    project = assignment.item.project
    judgment.assignment = assignment
    judgment.item = assignment.item
    judgment.annotator_id = assignment.annotator_id
    judgment.display_order = assignment.display_order
    judgment.guideline = latest_guidelines(project)
    judgment.reasons = list(body.reasons)
    judgment.comment = body.comment
    judgment.save(force_insert=True)
    Answer.objects.create(judgment=judgment, criterion=project.main_criterion, choice=body.choice)
