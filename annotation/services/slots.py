"""The slots of items, in SQL: take one, take one over, give them back, recount them.

A claim is one atomic statement: the first open item by priority is locked with SKIP LOCKED and its slot
taken in the same UPDATE, so an item never has more holders than its overlap and nobody waits for anybody.
"""

from collections.abc import Collection

from django.db import connection, transaction
from django.db.models import F

from annotation.models.project import Project
from annotation.models.work import Item

GOLD_SLOTS = 30_000  # everybody may meet a gold item once; its slots never run out

# An item is new to a person who has neither held, judged nor practised on it or its twin: the same responses
# can stand once as work and once as gold. An expired hold is forgotten.
_NEW_TO_THEM = """
    NOT EXISTS (
        SELECT 1 FROM annotation_item twin
        WHERE twin.project_id = i.project_id AND twin.response_set = i.response_set
          AND (EXISTS (SELECT 1 FROM annotation_assignment s WHERE s.item_id = twin.id
                       AND s.annotator_id = %(annotator)s AND s.state <> 'expired')
            OR EXISTS (SELECT 1 FROM annotation_judgment j WHERE j.item_id = twin.id
                       AND j.annotator_id = %(annotator)s AND j.live)
            OR EXISTS (SELECT 1 FROM annotation_practiceanswer w WHERE w.item_id = twin.id
                       AND w.annotator_id = %(annotator)s)))
"""

_CLAIM = f"""
    UPDATE annotation_item SET slots_left = slots_left - 1
    WHERE id = (
        SELECT i.id FROM annotation_item i
        WHERE i.project_id = %(project)s AND i.slots_left > 0 AND i.is_gold = %(gold)s AND {_NEW_TO_THEM}
        ORDER BY i.priority DESC, i.shuffle
        LIMIT 1
        FOR NO KEY UPDATE OF i {{skip}}
    )
    RETURNING id, (SELECT count(*) FROM annotation_itemresponse r WHERE r.item_id = annotation_item.id)
"""  # noqa: S608

# A hold that waits unseen behind somebody's screen; its slot stays taken, now by another person.
_TAKE_OVER = f"""
    UPDATE annotation_assignment SET state = 'expired' WHERE id = (
        SELECT w.id FROM annotation_assignment w JOIN annotation_item i ON i.id = w.item_id
        WHERE w.project_id = %(project)s AND w.state = 'open' AND w.shown_at IS NULL AND NOT w.repeat
          AND w.annotator_id <> %(annotator)s AND {_NEW_TO_THEM}
        ORDER BY w.created_at DESC
        LIMIT 1
        FOR UPDATE OF w SKIP LOCKED
    )
    RETURNING item_id,
        (SELECT count(*) FROM annotation_itemresponse r WHERE r.item_id = annotation_assignment.item_id)
"""  # noqa: S608

_OPEN_TO = f"""
    SELECT 1 FROM annotation_item i
    WHERE i.project_id = %(project)s AND i.slots_left > 0 AND {_NEW_TO_THEM} LIMIT 1
"""  # noqa: S608

# A slot is held by an open or done assignment that is not surplus, and by each imported vote. Retired: none.
_FREE_SLOTS = f"""
    greatest(0, CASE WHEN i.retired_at IS NOT NULL THEN 0 WHEN i.is_gold THEN {GOLD_SLOTS} ELSE p.overlap END
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


def claim_row(project: Project, annotator_id: int, *, gold: bool, skip: bool) -> tuple[int, int] | None:
    """(item, how many responses it has) of an item whose slot is now taken, or None.

    With `skip` rows that others hold for an instant are passed over; without it they are waited for.
    """
    return _one(
        _CLAIM.format(skip="SKIP LOCKED" if skip else ""),
        {"project": project.pk, "annotator": annotator_id, "gold": gold},
    )


def take_over_row(project: Project, annotator_id: int) -> tuple[int, int] | None:
    """(item, how many responses it has) of a hold that waited unseen with somebody else, or None."""
    return _one(_TAKE_OVER, {"project": project.pk, "annotator": annotator_id})


def open_to(project: Project, annotator_id: int) -> bool:
    """Whether an item with a free slot is new to this person."""
    return _one(_OPEN_TO, {"project": project.pk, "annotator": annotator_id}) is not None


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


def _one(statement: str, values: dict[str, int | bool | str | None]) -> tuple[int, int] | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()  # type: ignore[no-any-return]
