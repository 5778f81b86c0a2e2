"""Who works on what: claim, skip, flag, expire.

A claim is one atomic statement: the first open item by priority is locked with SKIP LOCKED and its slot
taken in the same UPDATE, so an item never has more holders than its overlap and nobody waits for anybody.

Locks are taken in one order, so that nobody ever waits in a circle: the person, their assignments, items by
primary key.
"""

import random
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from annotation.models.project import Project
from annotation.models.work import Assignment, Item
from annotation.selectors import open_to

GOLD_SLOTS = 30_000  # everybody may meet a gold item once; its slots never run out

# An item this person has neither judged nor holds; an expired hold may be taken again.
_CLAIM = """
    UPDATE annotation_item SET slots_left = slots_left - 1
    WHERE id = (
        SELECT i.id FROM annotation_item i
        WHERE i.project_id = %(project)s AND i.slots_left > 0 AND i.is_gold = %(gold)s
          AND NOT EXISTS (SELECT 1 FROM annotation_assignment s
                          WHERE s.item_id = i.id AND s.annotator_id = %(annotator)s AND s.state <> 'expired')
          AND NOT EXISTS (SELECT 1 FROM annotation_judgment j
                          WHERE j.item_id = i.id AND j.annotator_id = %(annotator)s AND j.live)
        ORDER BY i.priority DESC, i.shuffle
        LIMIT 1
        FOR NO KEY UPDATE OF i {skip}
    )
    RETURNING id, (SELECT count(*) FROM annotation_itemresponse r WHERE r.item_id = annotation_item.id)
"""

# A new assignment, or the expired one opened again with the display order it had.
_ASSIGN = """
    INSERT INTO annotation_assignment
        (item_id, annotator_id, state, surplus, display_order, note, lease_expires_at, created_at)
    VALUES (%s, %s, 'open', false, %s, '', %s, now())
    ON CONFLICT (item_id, annotator_id) DO UPDATE
    SET state = 'open', surplus = false, note = '', finished_at = NULL,
        lease_expires_at = excluded.lease_expires_at
    RETURNING id
"""

# A slot is held by an open or done assignment that is not surplus, and by each imported vote.
_FREE_SLOTS = f"""
    greatest(0, CASE WHEN i.is_gold THEN {GOLD_SLOTS} ELSE p.overlap END
        - (SELECT count(*) FROM annotation_assignment s
           WHERE s.item_id = i.id AND s.state IN ('open', 'done') AND NOT s.surplus)
        - (SELECT count(*) FROM annotation_judgment j
           WHERE j.item_id = i.id AND j.live AND j.source = 'imported'))
"""  # noqa: S608
_RECOUNT = f"""
    UPDATE annotation_item i SET slots_left = {_FREE_SLOTS}
    FROM annotation_project p WHERE p.id = i.project_id AND i.id = ANY(%s)
"""  # noqa: S608
_WRONG = f"""
    SELECT i.id, i.slots_left, free FROM annotation_project p JOIN annotation_item i ON i.project_id = p.id
    CROSS JOIN LATERAL (SELECT {_FREE_SLOTS} AS free) recounted
    WHERE p.id = %s AND i.slots_left <> free ORDER BY i.id
"""  # noqa: S608


def claim(*, project: Project, annotator: User, rng: random.Random | None = None) -> Assignment | None:
    """The annotator's open assignment, or a new one, or None when nothing is open to them.

    Reload, Back and a second device get the same assignment with the same display order. Raises nothing:
    a paused or closed project simply has no work.
    """
    rng = rng or random.SystemRandom()
    found = _claim(project, annotator, rng)
    if found is None and project.state == Project.State.RUNNING and expire_leases(project=project):
        found = _claim(project, annotator, rng)
    return found


def skip(*, assignment_id: int, annotator: User, reason: str = "") -> None:
    """Give the slot back; the item goes to others and does not come back to this person."""
    _leave(assignment_id, annotator, Assignment.State.SKIPPED, reason)


def flag(*, assignment_id: int, annotator: User, note: str = "") -> None:
    """Like a skip, but says that something is wrong with the item: reviewers see it with the note."""
    _leave(assignment_id, annotator, Assignment.State.FLAGGED, note)


@transaction.atomic
def expire_leases(*, project: Project | None = None) -> int:
    """Return the slots of assignments whose lease ran out. How many assignments that were."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE annotation_assignment SET state = 'expired' WHERE id IN (
                SELECT s.id FROM annotation_assignment s JOIN annotation_item i ON i.id = s.item_id
                WHERE s.state = 'open' AND s.lease_expires_at < now()
                  AND (%(project)s::bigint IS NULL OR i.project_id = %(project)s)
                FOR UPDATE OF s SKIP LOCKED)
            RETURNING item_id
            """,
            {"project": project.pk if project else None},
        )
        items = [row[0] for row in cursor.fetchall()]
    if items:
        recount_slots(items)
    return len(items)


def release(assignment: Assignment, *, state: str, note: str = "") -> None:
    """End an open assignment without an answer and give its slot back. Call inside a transaction."""
    _end(assignment, state, note)
    recount_slots([assignment.item_id])


def recount_slots(item_ids: Collection[int]) -> None:
    """Set the free slots of items to what their holds and imported votes leave.

    The items are locked first: the second statement then sees every hold that was taken before it.
    """
    ids = sorted(set(item_ids))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM annotation_item WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [ids]
        )
        cursor.execute(_RECOUNT, [ids])


def wrong_slots(project: Project) -> list[tuple[int, int, int]]:
    """(item, free slots as stored, as recounted) of every item whose stored count is wrong."""
    with connection.cursor() as cursor:
        cursor.execute(_WRONG, [project.pk])
        return list(cursor.fetchall())


def take_slot_if_free(item_id: int) -> bool:
    """Take one slot of an item; False when none is left."""
    return bool(Item.objects.filter(pk=item_id, slots_left__gt=0).update(slots_left=F("slots_left") - 1))


def lease_end(project: Project) -> datetime:
    return timezone.now() + timedelta(seconds=project.lease_seconds)


def one_step_at_a_time(annotator: User) -> None:
    """The tabs of one person take turns until the transaction ends; different people never meet here."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"work/{annotator.pk}"])


@transaction.atomic
def _claim(project: Project, annotator: User, rng: random.Random) -> Assignment | None:
    one_step_at_a_time(annotator)
    held = _open_assignment(project, annotator)
    if held is not None or project.state != Project.State.RUNNING:
        return held
    taken = _take_slot(project, annotator, gold=rng.random() < project.gold_rate)
    return None if taken is None else _assign(*taken, project, annotator, rng)


def _open_assignment(project: Project, annotator: User) -> Assignment | None:
    """What this person already holds, its lease renewed. Locked, so that it does not expire under them."""
    assignment = (
        Assignment.objects.select_related("item__prompt", "item__project")
        .select_for_update(of=("self",))
        .filter(item__project=project, annotator=annotator, state=Assignment.State.OPEN)
        .order_by("-created_at", "-pk")
        .first()
    )
    if assignment is not None:
        assignment.lease_expires_at = lease_end(project)
        assignment.save(update_fields=["lease_expires_at"])
    return assignment


def _take_slot(project: Project, annotator: User, *, gold: bool) -> tuple[int, int] | None:
    """An item whose slot is now ours. When gold has run out there is work, and the reverse."""
    for wants_gold in (gold, not gold):
        taken = _claim_row(project, annotator, gold=wants_gold, skip=True)
        if taken is not None:
            return taken
    # SKIP LOCKED may have passed over rows that others held for an instant: never say "nothing" then.
    while open_to(project, annotator).exists():
        for wants_gold in (False, True):
            taken = _claim_row(project, annotator, gold=wants_gold, skip=False)
            if taken is not None:
                return taken
    return None


def _claim_row(project: Project, annotator: User, *, gold: bool, skip: bool) -> tuple[int, int] | None:
    """(item, how many responses it has), or None."""
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM.format(skip="SKIP LOCKED" if skip else ""),
            {"project": project.pk, "annotator": annotator.pk, "gold": gold},
        )
        return cursor.fetchone()  # type: ignore[no-any-return]


def _assign(
    item_id: int, responses: int, project: Project, annotator: User, rng: random.Random
) -> Assignment:
    positions = list(range(responses))
    rng.shuffle(positions)
    until = lease_end(project)
    with connection.cursor() as cursor:
        cursor.execute(_ASSIGN, [item_id, annotator.pk, positions, until])
        (assignment_id,) = cursor.fetchone()
    return Assignment.objects.select_related("item__prompt", "item__project").get(pk=assignment_id)


@transaction.atomic
def _leave(assignment_id: int, annotator: User, state: str, note: str) -> None:
    one_step_at_a_time(annotator)
    assignment = Assignment.objects.select_for_update().get(pk=assignment_id, annotator=annotator)
    if assignment.state == Assignment.State.OPEN:
        release(assignment, state=state, note=note)
    elif assignment.state == Assignment.State.EXPIRED:  # the slot is already back
        _end(assignment, state, note)


def _end(assignment: Assignment, state: str, note: str) -> None:
    assignment.state = state
    assignment.note = note
    assignment.surplus = False
    assignment.finished_at = timezone.now()
    assignment.save(update_fields=["state", "note", "finished_at", "surplus"])
