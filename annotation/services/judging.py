"""What people answer. Append-only: an edit supersedes, nothing is deleted."""

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from psycopg.types.json import Jsonb

from accounts.models import User
from annotation.answering import spans as marked
from annotation.answering.answer import Answer as Given
from annotation.answering.answer import InvalidAnswer, checked, to_display
from annotation.models.project import Guideline, Project
from annotation.models.work import Answer, Assignment, Draft, Judgment
from annotation.services import assigning, slots
from annotation.typed_text import cleaned

LONGEST_COMMENT = 5_000
LONGEST_KEY = 100


class Conflict(Exception):
    """Another answer stands where this one would go. `stored` is what stands."""

    def __init__(self, message: str, stored: Judgment) -> None:
        super().__init__(message)
        self.stored = stored


@dataclass(frozen=True)
class Submission:
    judgment: Judgment
    created: bool  # False: the same answer had already arrived
    work: assigning.Work | None = None  # what comes next, where it was asked for and there at once


@dataclass(frozen=True)
class _Body:
    answers: tuple[Given, ...]
    reasons: tuple[str, ...]
    comment: str
    spans: list[dict[str, Any]]

    def digest(self, assignment_id: int) -> str:
        answers = [answer.as_json() for answer in self.answers]
        text = json.dumps([assignment_id, answers, sorted(self.reasons), self.comment, self.spans])
        return hashlib.sha256(text.encode()).hexdigest()


def submit(
    *,
    assignment_id: int,
    annotator: User,
    answers: Sequence[Given],
    reasons: Sequence[str] = (),
    comment: str = "",
    spans: Sequence[Mapping[str, Any]] = (),
    seconds: float | None = None,
    guideline_version: int | None = None,
    replaces: int | None = None,
    idempotency_key: str,
    source: str = Judgment.Source.BROWSER,
    judged_at: datetime | None = None,
    go_on_in: Project | None = None,
) -> Submission:
    """Store one answer per criterion, in canonical terms, exactly once.

    The same answer sent again (retry, double click, Back) returns the stored judgment. An answer whose
    lease ran out is accepted if a slot is open, else kept as surplus. `replaces` is the judgment that the
    annotator saw when they changed their mind: the new one supersedes it, if it still stands. `judged_at`
    dates a simulated answer; by default it is now. `go_on_in` is the assignment's project, for somebody who
    goes on with it: their next work comes back, too, out of the same transaction.
    Raises `Conflict` when the key or the item already carries a different answer, `InvalidAnswer` when a
    value is not acceptable.
    """
    _check_key(idempotency_key)
    try:
        with transaction.atomic():
            terms = assigning.one_step_at_a_time(annotator, go_on_in.pk if go_on_in else None)
            assignment, others = _held(assignment_id, annotator, go_on_in)
            earlier = _earlier(assignment)
            body = _checked(assignment, earlier, answers, reasons, comment, spans)
            digest = body.digest(assignment_id)
            stored = _already_stored(assignment, earlier, idempotency_key, digest, replaces)
            if stored is None:
                _refuse_who_knows(assignment)
                _supersede(earlier)
                _finish(assignment)
                judgment = Judgment(
                    idempotency_key=idempotency_key,
                    body_hash=digest,
                    source=source,
                    supersedes=earlier[-1] if earlier else None,
                    seconds=_credible(assignment, seconds, source),
                    judged_at=judged_at or timezone.now(),
                    guideline_id=_guideline_seen(assignment.project, guideline_version),
                )
                _store(judgment, assignment, body)
            work = None
            if go_on_in is not None and assignment.state == Assignment.State.DONE:
                work = assigning.go_on(project=go_on_in, annotator=annotator, held=others, terms=terms)
            return Submission(stored or judgment, created=stored is None, work=work)
    except IntegrityError as error:
        stored = Judgment.objects.filter(idempotency_key=idempotency_key).first()
        if stored is None:
            raise
        raise Conflict("This submission key was used for another item.", stored) from error


def standing_answer(assignment: Assignment) -> Judgment | None:
    """What this person answered last here, if that answer stands."""
    if assignment.state != Assignment.State.DONE:
        return None
    return assignment.judgments.order_by("-pk").first()


def last_answered(*, project: Project, annotator: User) -> Assignment | None:
    """The assignment this person answered last, if its answer may still be changed."""
    last = (
        Assignment.objects.select_related("project", "item__prompt")
        .filter(project=project, annotator=annotator, state=Assignment.State.DONE)
        .order_by("-finished_at", "-pk")
        .first()
    )
    return last if last is not None and assigning.may_reopen(last) else None


def pairwise(project: Project, choice: str) -> list[Given]:
    """The same choice under every criterion of a pairwise project."""
    return [Given(criterion, choice=choice) for criterion in project.criterion_names]


def as_shown(judgment: Judgment) -> list[Given]:
    """The stored answers as the annotator's own screen told them."""
    order = judgment.display_order or []
    return [to_display(given(answer), order) for answer in judgment.answers.all()]


def given(answer: Answer) -> Given:
    """A stored answer as a plain value."""
    return Given(
        answer.criterion,
        answer.choice,
        answer.strength,
        None if answer.ranks is None else tuple(answer.ranks),
        None if answer.ratings is None else tuple(answer.ratings),
    )


def _held(
    assignment_id: int, annotator: User, project: Project | None
) -> tuple[Assignment, list[Assignment]]:
    """The assignment and, in a project that is gone on in, what else they hold; locked."""
    if project is None:
        return Assignment.objects.select_for_update().get(pk=assignment_id, annotator=annotator), []
    held = assigning.held(project, annotator, also=assignment_id)
    if not held or held[-1].pk != assignment_id or held[-1].project_id != project.pk:
        raise Assignment.DoesNotExist
    return held[-1], held[:-1]


def _supersede(earlier: Sequence[Judgment]) -> None:
    for standing in earlier:
        if standing.live:
            standing.live = False
            standing.save(update_fields=["live"])


def _check_key(key: str) -> None:
    if not 0 < len(key) <= LONGEST_KEY or not key.isprintable():
        raise InvalidAnswer(f"A submission key has 1 to {LONGEST_KEY} printable characters.")


def _checked(
    assignment: Assignment,
    earlier: Sequence[Judgment],
    answers: Sequence[Given],
    reasons: Sequence[str],
    comment: str,
    spans: Sequence[Mapping[str, Any]],
) -> _Body:
    project, responses = assignment.project, len(assignment.display_order)
    # A reason that the project has dropped since it was given here blocks neither an edit nor a retry.
    once = [reason for judgment in earlier for reason in _reasons_of(judgment, assignment)]
    known = [*project.reasons, *once]
    unknown = [reason for reason in reasons if reason not in known]
    if unknown:
        raise InvalidAnswer(f"“{unknown[0][:60]}” is not one of this project's reasons.")
    comment = cleaned(comment)
    if len(comment) > LONGEST_COMMENT:
        raise InvalidAnswer(f"The comment has {len(comment)} characters; shorten it to {LONGEST_COMMENT}.")
    return _Body(
        answers=checked(answers, project.question, responses),
        reasons=tuple(dict.fromkeys(reasons)),
        comment=comment,
        spans=marked.checked(list(spans), responses, known),
    )


def _reasons_of(judgment: Judgment, assignment: Assignment) -> list[str]:
    """What it gave as reasons, chips and marked places alike; of another item: nothing."""
    if judgment.assignment_id != assignment.pk:
        return []
    return [*judgment.reasons, *(span["reason"] for span in judgment.spans)]


def _earlier(assignment: Assignment) -> list[Judgment]:
    """The judgments of this assignment, oldest first: an open one has none, for an answer ends it."""
    if assignment.state == Assignment.State.OPEN:
        return []
    return list(assignment.judgments.order_by("pk"))


def _already_stored(
    assignment: Assignment, earlier: Sequence[Judgment], key: str, digest: str, replaces: int | None
) -> Judgment | None:
    for judgment in earlier:
        if judgment.idempotency_key == key:
            if judgment.body_hash == digest:
                return judgment
            raise Conflict("This answer was already sent, with other content.", judgment)
    if not earlier or assignment.state != Assignment.State.DONE:
        return None
    standing = earlier[-1]
    if standing.body_hash == digest:
        return standing
    if standing.pk == replaces and assigning.may_reopen(assignment):
        return None
    raise Conflict("You already answered this item differently, perhaps in another tab.", standing)


def _refuse_who_knows(assignment: Assignment) -> None:
    """It counts as skipped by somebody who has seen the votes, or wrote the gold."""
    if assignment.state != Assignment.State.OPEN and assignment.note in Assignment.KNOWS_THE_ANSWER:
        raise InvalidAnswer(_("You have seen what others answered: this item can no longer be judged."))


def _finish(assignment: Assignment) -> None:
    """An open or done assignment keeps its slot; the others gave theirs back. `_store` writes it."""
    if assignment.state not in (Assignment.State.OPEN, Assignment.State.DONE) and not assignment.repeat:
        assignment.surplus = not slots.take_slot_if_free(assignment.item_id)
    assignment.state = Assignment.State.DONE
    assignment.shown_at = assignment.shown_at or timezone.now()
    assignment.finished_at = timezone.now()
    if getattr(assignment, "has_draft", True):  # as `assigning.held` knows it; otherwise there may be one
        Draft.objects.filter(assignment=assignment).delete()


def _credible(assignment: Assignment, seconds: float | None, source: str) -> float | None:
    """What the browser measured, but never more than passed on the server's clock."""
    if seconds is None or source == Judgment.Source.SIMULATED:
        return seconds
    elapsed = (timezone.now() - assignment.created_at).total_seconds()
    return max(0.0, min(seconds, elapsed))


# The end of the assignment, the judgment and its answers in one statement: every answer given comes by here.
_STORE = """
    WITH ended AS (
        UPDATE annotation_assignment SET state = %(state)s, surplus = %(surplus)s, shown_at = %(shown_at)s,
            finished_at = %(finished_at)s
        WHERE id = %(assignment_id)s
    ), judged AS (
        INSERT INTO annotation_judgment (item_id, annotator_id, assignment_id, idempotency_key, body_hash,
            source, live, repeat, supersedes_id, guideline_id, display_order, reasons, comment, spans,
            seconds, judged_at, created_at)
        VALUES (%(item_id)s, %(annotator_id)s, %(assignment_id)s, %(idempotency_key)s, %(body_hash)s,
            %(source)s, %(live)s, %(repeat)s, %(supersedes_id)s, %(guideline_id)s, %(display_order)s,
            %(reasons)s, %(comment)s, %(spans)s, %(seconds)s, %(judged_at)s, %(created_at)s)
        RETURNING id
    ), answered AS (
        INSERT INTO annotation_answer (judgment_id, criterion, choice, strength, ranks, ratings)
        SELECT judged.id, a.criterion, a.choice, a.strength, a.ranks, a.ratings
        FROM judged, jsonb_to_recordset(%(answers)s) AS a
            (criterion text, choice text, strength smallint, ranks smallint[], ratings smallint[])
    )
    SELECT id FROM judged
"""
_OF_JUDGMENT = (
    "item_id", "annotator_id", "assignment_id", "idempotency_key", "body_hash", "source", "live", "repeat",
    "supersedes_id", "guideline_id", "display_order", "reasons", "comment", "seconds", "judged_at",
    "created_at",
)  # fmt: skip
_OF_ASSIGNMENT = ("state", "surplus", "shown_at", "finished_at")


def _store(judgment: Judgment, assignment: Assignment, body: _Body) -> None:
    judgment.assignment = assignment
    judgment.item_id = assignment.item_id
    judgment.annotator_id = assignment.annotator_id
    judgment.display_order = assignment.display_order
    judgment.repeat = assignment.repeat
    judgment.live = not assignment.repeat
    judgment.reasons = list(body.reasons)
    judgment.comment = body.comment
    judgment.spans = body.spans
    judgment.created_at = timezone.now()
    values = {name: getattr(judgment, name) for name in _OF_JUDGMENT}
    values |= {name: getattr(assignment, name) for name in _OF_ASSIGNMENT}
    values |= {"spans": Jsonb(body.spans), "answers": Jsonb([asdict(answer) for answer in body.answers])}
    with connection.cursor() as cursor:
        cursor.execute(_STORE, values)
        (judgment.pk,) = cursor.fetchone()
    judgment._state.adding = False


def _guideline_seen(project: Project, version: int | None) -> int | None:
    """The version the page was shown with; without one, or with an invented one, the latest."""
    if version is not None:
        with contextlib.suppress(Guideline.DoesNotExist):
            return _guideline(project.pk, version)
    version = project.guideline_version
    return _guideline(project.pk, version) if version is not None else None


@lru_cache(maxsize=1_000)
def _guideline(project_id: int, version: int) -> int:
    """A version is written once and never changes: each process asks for it once."""
    return Guideline.objects.only("pk").get(project=project_id, version=version).pk
