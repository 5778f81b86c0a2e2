"""Who works on what: hand out, skip, flag, expire.

A person holds one item on the screen and one waiting behind it, so that the next is there before the answer
has arrived. Locks are taken in one order, so that nobody ever waits in a circle: the person, their
assignments, items by primary key.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from annotation.columns import columns
from annotation.models.project import Project
from annotation.models.work import Assignment
from annotation.qualification_selectors import may_work
from annotation.services import slots
from annotation.standing_selectors import USUAL, Terms

REPEAT_DISTANCE = 20  # answers between an item and its silent repeat, at least
REPEAT_WINDOW = 100  # a repeat is drawn from so many answers before those
PATIENCE = 5.0  # seconds that somebody stands in line for one of the last slots, at most
ANY_ANSWER = -1  # whatever was answered is taken back
PAUSE = 0.002  # seconds between two tries

# A new assignment, or the expired one opened again with the display order it had.
_ASSIGN = f"""
    INSERT INTO annotation_assignment
        (item_id, project_id, annotator_id, state, surplus, repeat, display_order, note, lease_expires_at,
         created_at)
    VALUES (%s, %s, %s, 'open', %s, %s, %s, '', %s, now())
    ON CONFLICT (item_id, annotator_id, repeat) DO UPDATE
    SET state = 'open', surplus = excluded.surplus, note = '', finished_at = NULL, shown_at = NULL,
        lease_expires_at = excluded.lease_expires_at
    RETURNING {columns(Assignment, "annotation_assignment")}
"""  # noqa: S608  texts of our own

_HELD = f"""
    SELECT {columns(Assignment, "s")},
        EXISTS (SELECT 1 FROM annotation_draft d WHERE d.assignment_id = s.id) AS has_draft
    FROM annotation_assignment s
    WHERE s.annotator_id = %s AND (s.project_id = %s AND s.state = 'open' OR s.id = %s)
    ORDER BY s.id
    FOR UPDATE OF s
"""  # noqa: S608
_ONE_STEP = """
    SELECT pg_advisory_xact_lock(hashtextextended(%(person)s, 0)),
        pg_advisory_xact_lock_shared(hashtextextended(%(question)s, 0)),
        (SELECT ARRAY[(st.state <> 'active')::int::float8, st.gold_rate] FROM annotation_standing st
         WHERE st.project_id = %(project)s AND st.annotator_id = %(annotator)s)
"""

_REPEATABLE = """
    SELECT s.item_id, s.display_order FROM annotation_assignment s JOIN annotation_item i ON i.id = s.item_id
    WHERE s.annotator_id = %s AND s.project_id = %s AND s.state = 'done' AND NOT s.repeat AND NOT i.is_gold
      AND s.note = ''
      AND NOT EXISTS (SELECT 1 FROM annotation_assignment r
                      WHERE r.item_id = s.item_id AND r.annotator_id = s.annotator_id AND r.repeat)
    ORDER BY s.finished_at DESC OFFSET %s LIMIT %s
"""


@dataclass(frozen=True)
class Work:
    """What somebody has before them: the item on the screen, and the one that waits behind it."""

    current: Assignment | None
    ahead: Assignment | None = None


def hand_out(
    *, project: Project, annotator: User, rng: random.Random | None = None, ahead: bool = True
) -> Work:
    """The item to judge now and, with `ahead`, the one after it; both are leased.

    Reload, Back and a second device get the same items with the same display order. Nobody gets nothing while
    an item is open to them, or waits unseen behind somebody else's screen. Raises nothing: a paused or closed
    project, and one that wants a qualification first, simply has no new work.
    """
    rng = rng or random.SystemRandom()
    with transaction.atomic():
        terms = one_step_at_a_time(annotator, project.pk)
        work = _hand_out(project, annotator, held(project, annotator), rng, ahead, terms)
    if work.current is not None or terms.barred or project.state != Project.State.RUNNING:
        return work
    # A lease may have run out unnoticed, or the last rows were passed over because others held them.
    if expire_leases(project=project) or slots.open_to(project, annotator.pk):
        with transaction.atomic():
            terms = one_step_at_a_time(annotator, project.pk)
            work = _hand_out(project, annotator, held(project, annotator), rng, ahead, terms, patient=True)
    return work


def go_on(*, project: Project, annotator: User, held: Sequence[Assignment], terms: Terms) -> Work | None:
    """`hand_out` inside the transaction of an answer: `held` are what else they hold, locked.

    None when no work was found at once: then it takes a `hand_out` of its own, which may have to wait.
    """
    work = _hand_out(project, annotator, held, random.SystemRandom(), True, terms)
    return work if work.current is not None else None


def claim(*, project: Project, annotator: User, rng: random.Random | None = None) -> Assignment | None:
    """The annotator's open assignment, or a new one, or None when nothing is open to them."""
    return hand_out(project=project, annotator=annotator, rng=rng, ahead=False).current


def skip(
    *, assignment_id: int, annotator: User, reason: str = "", answer_seen: int | None = ANY_ANSWER
) -> bool:
    """Give the slot back; the item goes to others and does not come back to this person.

    An answer that was given is taken back, if it is the judgment they saw when they skipped: one that came
    from another device meanwhile stands. False: an answer stands, for that or as it may not be changed now.
    """
    return _leave(assignment_id, annotator, Assignment.State.SKIPPED, reason, answer_seen)


def flag(
    *, assignment_id: int, annotator: User, note: str = "", answer_seen: int | None = ANY_ANSWER
) -> bool:
    """Like a skip, but says that something is wrong with the item: reviewers see it with the note."""
    return _leave(assignment_id, annotator, Assignment.State.FLAGGED, note, answer_seen)


@transaction.atomic
def expire_leases(*, project: Project | None = None) -> int:
    """Return the slots of assignments whose lease ran out. How many assignments that were."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE annotation_assignment SET state = 'expired' WHERE id IN (
                SELECT s.id FROM annotation_assignment s
                WHERE s.state = 'open' AND s.lease_expires_at < now()
                  AND (%(project)s::bigint IS NULL OR s.project_id = %(project)s)
                FOR UPDATE OF s SKIP LOCKED)
            RETURNING item_id
            """,
            {"project": project.pk if project else None},
        )
        items = [row[0] for row in cursor.fetchall()]
    if items:
        slots.recount_slots(items)
    return len(items)


def release(assignment: Assignment, *, state: str, note: str = "") -> None:
    """End an assignment without an answer and give its slot back. Call inside a transaction."""
    _end(assignment, state, note)
    slots.recount_slots([assignment.item_id])


def may_reopen(assignment: Assignment) -> bool:
    """Whether a given answer may still be changed: until the project closes, or as long as it says.

    Not once its annotator has seen what others answered.
    """
    project = assignment.project
    if project.state == Project.State.CLOSED or assignment.finished_at is None:
        return False
    if assignment.note in Assignment.KNOWS_THE_ANSWER:
        return False
    if project.reopen_hours is None:
        return True
    return timezone.now() - assignment.finished_at <= timedelta(hours=project.reopen_hours)


def lease_end(project: Project) -> datetime:
    return timezone.now() + timedelta(seconds=project.lease_seconds)


def one_step_at_a_time(annotator: User, project_id: int | None = None) -> Terms:
    """The tabs of one person take turns until the transaction ends; different people never meet here.

    Whoever may be handed an item names the project: its question does not change meanwhile, and they learn
    their terms there. Who is paused while they wait here may be handed one item more, never shown it.
    """
    if project_id is None:
        in_turn(f"work/{annotator.pk}")
        return USUAL
    values: dict[str, str | int] = {
        "person": f"work/{annotator.pk}",
        "question": _question(project_id),
        "project": project_id,
        "annotator": annotator.pk,
    }
    with connection.cursor() as cursor:
        cursor.execute(_ONE_STEP, values)
        *_locks, decided = cursor.fetchone()
    return USUAL if decided is None else Terms(bool(decided[0]), decided[1])


def nobody_meanwhile(project_id: int) -> None:
    """Waits for everybody who is being handed an item of the project, and lets nobody else begin."""
    in_turn(_question(project_id))


def _question(project_id: int) -> str:
    return f"question/{project_id}"


def in_turn(name: str) -> None:
    """Only one transaction at a time comes past here under this name; it holds the place until it ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def held(project: Project, annotator: User, also: int | None = None) -> list[Assignment]:
    """What this person holds, the latest shown first, then what waits; all locked against expiry.

    With their assignment `also`, whatever its state, at the end. Each has a `has_draft`.
    """
    found = list(Assignment.objects.raw(_HELD, [annotator.pk, project.pk, also]))
    for one in found:
        if one.project_id == project.pk:
            one.project = project
    return sorted(found, key=lambda one: (one.pk == also, one.shown_at is None, -one.pk))


def _hand_out(
    project: Project,
    annotator: User,
    held: Sequence[Assignment],
    rng: random.Random,
    ahead: bool,
    terms: Terms,
    *,
    patient: bool = False,
) -> Work:
    if terms.barred:
        return Work(None)
    may_claim = project.state == Project.State.RUNNING and may_work(project, annotator)
    gold_rate = max(project.gold_rate, terms.gold_rate or 0)
    current = held[0] if held else None
    if current is None and may_claim:
        current = _claim(project, annotator, rng, gold_rate, patient=patient, take_over=True)
    if current is not None:
        _show(current, project)
    waiting = next((one for one in held[1:] if one.shown_at is None), None)
    if ahead and waiting is None and may_claim and current is not None:
        waiting = _claim(project, annotator, rng, gold_rate)
    return Work(current, waiting if ahead else None)


def _show(assignment: Assignment, project: Project) -> None:
    """It is on the screen from now on; its lease is renewed."""
    assignment.shown_at = assignment.shown_at or timezone.now()
    assignment.lease_expires_at = lease_end(project)
    assignment.save(update_fields=["shown_at", "lease_expires_at"])


def _claim(
    project: Project,
    annotator: User,
    rng: random.Random,
    gold_rate: float,
    *,
    patient: bool = False,
    take_over: bool = False,
) -> Assignment | None:
    """A new assignment: a repeat, an item with a free slot or, with `take_over`, what waits with others."""
    if project.repeat_rate and rng.random() < project.repeat_rate:
        repeat = _repeat(project, annotator, rng)
        if repeat is not None:
            return repeat
    gold = rng.random() < gold_rate
    taken = (_wait_for_slot if patient else _take_slot)(project, annotator, gold)
    if taken is None and take_over:
        taken = slots.take_over_row(project, annotator.pk)
    if taken is None:
        return None
    item_id, responses = taken
    positions = list(range(responses))
    rng.shuffle(positions)
    return _assign(item_id, positions, project, annotator)


def _take_slot(project: Project, annotator: User, gold: bool) -> tuple[int, int] | None:
    """An item whose slot is now ours. When gold has run out there is work, and the reverse."""
    for wants_gold in (gold, not gold):
        taken = slots.claim_row(project, annotator.pk, gold=wants_gold)
        if taken is not None:
            return taken
    return None


def _wait_for_slot(project: Project, annotator: User, gold: bool) -> tuple[int, int] | None:
    """Like `_take_slot`, but rows that others hold for an instant do not count as nothing.

    Whoever wants the last slots stands in a line and tries until one is theirs or none is left. Nobody in it
    waits for a row while holding another.
    """
    in_turn(f"line/{project.pk}")
    until = time.monotonic() + PATIENCE
    while True:
        before = transaction.savepoint()
        taken = _take_slot(project, annotator, gold)
        if taken is not None:
            transaction.savepoint_commit(before)
            return taken
        transaction.savepoint_rollback(before)  # lets go of rows whose last slot went while we looked
        if time.monotonic() > until or not slots.open_to(project, annotator.pk):
            return None
        time.sleep(PAUSE)


def _repeat(project: Project, annotator: User, rng: random.Random) -> Assignment | None:
    """Something this person answered a while ago, in the opposite order; no slot is taken."""
    with connection.cursor() as cursor:
        cursor.execute(_REPEATABLE, [annotator.pk, project.pk, REPEAT_DISTANCE, REPEAT_WINDOW])
        found = cursor.fetchall()
    if not found:
        return None
    item_id, order = rng.choice(found)
    return _assign(item_id, list(reversed(order)), project, annotator, repeat=True)


def _assign(
    item_id: int, positions: list[int], project: Project, annotator: User, *, repeat: bool = False
) -> Assignment:
    values = [item_id, project.pk, annotator.pk, repeat, repeat, positions, lease_end(project)]
    (assignment,) = Assignment.objects.raw(_ASSIGN, values)
    assignment.project = project
    return assignment


@transaction.atomic
def _leave(assignment_id: int, annotator: User, state: str, note: str, answer_seen: int | None) -> bool:
    one_step_at_a_time(annotator)
    assignment = (
        Assignment.objects.select_for_update(of=("self",))
        .select_related("project")
        .get(pk=assignment_id, annotator=annotator)
    )
    if assignment.state == Assignment.State.DONE:
        given = list(assignment.judgments.select_for_update().order_by("pk"))
        if not may_reopen(assignment) or answer_seen not in (ANY_ANSWER, given[-1].pk):
            return False
        for judgment in given:
            if judgment.live:
                judgment.live = False  # an answer that was taken back does not stand
                judgment.save(update_fields=["live"])
    if assignment.state in (Assignment.State.DONE, Assignment.State.OPEN):
        release(assignment, state=state, note=note)
    elif assignment.state == Assignment.State.EXPIRED:  # the slot is already back
        _end(assignment, state, note)
    elif assignment.state == Assignment.State.SKIPPED and state == Assignment.State.FLAGGED:
        _end(assignment, state, note or assignment.note)
    return True


def _end(assignment: Assignment, state: str, note: str) -> None:
    assignment.state = state
    assignment.note = note
    assignment.surplus = assignment.repeat
    assignment.finished_at = timezone.now()
    assignment.save(update_fields=["state", "note", "finished_at", "surplus"])
