"""Who works on what: claim, skip, flag, expire.

A claim is one atomic statement: the first open item by priority is locked with SKIP LOCKED and its slot
taken in the same UPDATE, so an item never has more holders than its overlap and nobody waits for anybody.
"""

import random
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from annotation.models.project import Project
from annotation.models.work import Assignment, Item
from annotation.selectors import open_to

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
        FOR UPDATE OF i {skip}
    )
    RETURNING id
"""


def claim(*, project: Project, annotator: User, rng: random.Random | None = None) -> Assignment | None:
    """The annotator's open assignment, or a new one, or None when nothing is open to them.

    Reload, Back and a second device get the same assignment with the same display order. Raises nothing:
    a paused or closed project simply has no work.
    """
    rng = rng or random.SystemRandom()
    with transaction.atomic():
        _one_claim_at_a_time(project, annotator)
        held = _open_assignment(project, annotator)
        if held is not None:
            return held
        if project.state != Project.State.RUNNING:
            return None
        item_id = _take_slot(project, annotator, gold=rng.random() < project.gold_rate)
        if item_id is None:
            return None
        return _assign(item_id, project, annotator, rng)


def skip(*, assignment_id: int, annotator: User, reason: str = "") -> None:
    """Give the slot back; the item goes to others and does not come back to this person."""
    _leave(assignment_id, annotator, Assignment.State.SKIPPED, reason)


def flag(*, assignment_id: int, annotator: User, note: str = "") -> None:
    """Like a skip, but says that something is wrong with the item: reviewers see it with the note."""
    _leave(assignment_id, annotator, Assignment.State.FLAGGED, note)


def expire_leases(*, project: Project | None = None) -> int:
    """Return the slots of assignments whose lease ran out. How many there were."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            WITH gone AS (
                SELECT s.id, s.item_id FROM annotation_assignment s JOIN annotation_item i ON i.id = s.item_id
                WHERE s.state = 'open' AND s.lease_expires_at < now()
                  AND (%(project)s::bigint IS NULL OR i.project_id = %(project)s)
                ORDER BY s.item_id FOR UPDATE OF s SKIP LOCKED
            ), freed AS (
                UPDATE annotation_assignment s SET state = 'expired' FROM gone
                WHERE s.id = gone.id RETURNING s.item_id, s.surplus
            )
            UPDATE annotation_item i SET slots_left = i.slots_left + n
            FROM (SELECT item_id, count(*) FILTER (WHERE NOT surplus) AS n FROM freed GROUP BY item_id) f
            WHERE i.id = f.item_id RETURNING n
            """,
            {"project": project.pk if project else None},
        )
        return sum(row[0] for row in cursor.fetchall())


def release(assignment: Assignment, *, state: str, note: str = "") -> None:
    """End an open assignment without an answer and give its slot back. Call inside a transaction."""
    surplus, assignment.surplus = assignment.surplus, False
    assignment.state = state
    assignment.note = note
    assignment.finished_at = timezone.now()
    assignment.save(update_fields=["state", "note", "finished_at", "surplus"])
    if not surplus:
        Item.objects.filter(pk=assignment.item_id).update(slots_left=F("slots_left") + 1)


def take_slot_if_free(item_id: int) -> bool:
    """Take one slot of an item; False when none is left."""
    return bool(Item.objects.filter(pk=item_id, slots_left__gt=0).update(slots_left=F("slots_left") - 1))


def lease_end(project: Project) -> datetime:
    return timezone.now() + timedelta(seconds=project.lease_seconds)


def _one_claim_at_a_time(project: Project, annotator: User) -> None:
    """Two tabs of one person take turns; different people never meet on this lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"claim/{project.pk}/{annotator.pk}"]
        )


def _open_assignment(project: Project, annotator: User) -> Assignment | None:
    assignment = (
        Assignment.objects.select_related("item__prompt", "item__project")
        .filter(item__project=project, annotator=annotator, state=Assignment.State.OPEN)
        .order_by("-created_at", "-pk")
        .first()
    )
    if assignment is not None:
        assignment.lease_expires_at = lease_end(project)
        assignment.save(update_fields=["lease_expires_at"])
    return assignment


def _take_slot(project: Project, annotator: User, *, gold: bool) -> int | None:
    """The id of an item whose slot is now ours. When gold has run out there is work, and the reverse."""
    for wants_gold in (gold, not gold):
        item_id = _claim_row(project, annotator, gold=wants_gold, skip=True)
        if item_id is not None:
            return item_id
    expire_leases(project=project)
    # SKIP LOCKED may have passed over rows that others held for an instant: never say "nothing" then.
    while open_to(project, annotator).exists():
        for wants_gold in (False, True):
            item_id = _claim_row(project, annotator, gold=wants_gold, skip=False)
            if item_id is not None:
                return item_id
    return None


def _claim_row(project: Project, annotator: User, *, gold: bool, skip: bool) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM.format(skip="SKIP LOCKED" if skip else ""),
            {"project": project.pk, "annotator": annotator.pk, "gold": gold},
        )
        row = cursor.fetchone()
    return row[0] if row else None


def _assign(item_id: int, project: Project, annotator: User, rng: random.Random) -> Assignment:
    """A new assignment with a fresh display order, or an expired one reopened with the order it had."""
    positions = list(range(Item.objects.get(pk=item_id).item_responses.count()))
    rng.shuffle(positions)
    assignment, created = Assignment.objects.get_or_create(
        item_id=item_id,
        annotator=annotator,
        defaults={"display_order": positions, "lease_expires_at": lease_end(project)},
    )
    if not created:
        assignment.state = Assignment.State.OPEN
        assignment.surplus = False
        assignment.lease_expires_at = lease_end(project)
        assignment.save(update_fields=["state", "surplus", "lease_expires_at"])
    return Assignment.objects.select_related("item__prompt", "item__project").get(pk=assignment.pk)


@transaction.atomic
def _leave(assignment_id: int, annotator: User, state: str, note: str) -> None:
    assignment = Assignment.objects.select_for_update().get(pk=assignment_id, annotator=annotator)
    if assignment.state == Assignment.State.OPEN:
        release(assignment, state=state, note=note)
    elif assignment.state == Assignment.State.EXPIRED:  # the slot is already back
        assignment.state = state
        assignment.note = note
        assignment.finished_at = timezone.now()
        assignment.save(update_fields=["state", "note", "finished_at"])
