"""The slots of items, in SQL: take one, take one over, give them back, recount them.

A claim is one atomic statement: the next open item by priority is locked with SKIP LOCKED and its slot
taken in the same UPDATE, so an item never has more holders than its overlap, its own or its project's, and
nobody waits for anybody.
"""

from collections.abc import Collection

from django.db import connection, transaction
from django.db.models import F

from annotation.models.project import Project
from annotation.models.work import Item

GOLD_SLOTS = 30_000  # everybody may meet a gold item once; its slots never run out

# An item is new to a person who has neither held, judged nor practised on it or its twin: the same responses
# can stand once as work and once as gold. An expired hold is forgotten, save that the twin stays closed: the
# late answer to the one would meet the other. Each condition is a subquery of its
# own, so that it is asked of one item after another, the cheap one first, until one passes: never of all.
NEW_TO_THEM = """
    (SELECT NOT EXISTS (SELECT 1 FROM annotation_assignment s WHERE s.item_id = i.id
                        AND s.annotator_id = %(annotator)s AND s.state <> 'expired'))
    AND (SELECT NOT EXISTS (
        SELECT 1 FROM annotation_item twin
        WHERE twin.project_id = i.project_id AND twin.response_set = i.response_set
          AND (EXISTS (SELECT 1 FROM annotation_assignment s WHERE s.item_id = twin.id
                       AND s.annotator_id = %(annotator)s AND (s.state <> 'expired' OR twin.id <> i.id))
            OR EXISTS (SELECT 1 FROM annotation_judgment j WHERE j.item_id = twin.id
                       AND j.annotator_id = %(annotator)s AND j.live)
            OR EXISTS (SELECT 1 FROM annotation_practiceanswer w WHERE w.item_id = twin.id
                       AND w.annotator_id = %(annotator)s))))
"""

_FIRST = f"""(
        SELECT i.id FROM annotation_item i
        WHERE i.project_id = %(project)s AND i.slots_left > 0 AND {{where}} AND {NEW_TO_THEM}
        ORDER BY i.priority DESC, i.shuffle
        LIMIT 1
        FOR NO KEY UPDATE OF i SKIP LOCKED
    )"""  # noqa: S608

_TAKE = """
    UPDATE annotation_item SET slots_left = slots_left - 1 WHERE id = {found}
    RETURNING id, (SELECT count(*) FROM annotation_itemresponse r WHERE r.item_id = annotation_item.id)
"""

# A person goes on behind the item they answered last, or the way to the next would lead over all they have
# answered: first to what has come in above it, then through the rest of its priority, round, and down.
_PLACE = """
    WITH place AS MATERIALIZED (
        SELECT coalesce(max(priority), 2147483647) AS priority, coalesce(max(shuffle), -1) AS shuffle FROM (
            SELECT i.priority, i.shuffle
            FROM annotation_assignment s JOIN annotation_item i ON i.id = s.item_id
            WHERE s.annotator_id = %(annotator)s AND s.project_id = %(project)s AND s.state = 'done'
              AND NOT s.repeat AND NOT i.is_gold
            ORDER BY s.finished_at DESC
            LIMIT 1
        ) latest
    )
"""
_PRIORITY, _SHUFFLE = "(SELECT priority FROM place)", "(SELECT shuffle FROM place)"
_WAY = (
    f"i.priority > {_PRIORITY}",
    f"i.priority = {_PRIORITY} AND i.shuffle > {_SHUFFLE}",
    f"i.priority = {_PRIORITY} AND i.shuffle <= {_SHUFFLE}",
    f"i.priority < {_PRIORITY}",
)


_CLAIM_GOLD = _TAKE.format(found=_FIRST.format(where="i.is_gold"))
_STEPS = [_FIRST.format(where=f"NOT i.is_gold AND {where}") for where in _WAY]
_CLAIM_ONWARD = _PLACE + _TAKE.format(found=f"coalesce({_STEPS[0]}, {_STEPS[1]})")
_CLAIM_REST = _PLACE + _TAKE.format(found=f"coalesce({_STEPS[2]}, {_STEPS[3]})")

# A hold that waits unseen behind somebody's screen; its slot stays taken, now by another person.
_TAKE_OVER = f"""
    UPDATE annotation_assignment SET state = 'expired' WHERE id = (
        SELECT w.id FROM annotation_assignment w JOIN annotation_item i ON i.id = w.item_id
        WHERE w.project_id = %(project)s AND w.state = 'open' AND w.shown_at IS NULL AND NOT w.repeat
          AND w.annotator_id <> %(annotator)s AND i.retired_at IS NULL AND {NEW_TO_THEM}
        ORDER BY w.created_at DESC
        LIMIT 1
        FOR UPDATE OF w SKIP LOCKED
    )
    RETURNING item_id,
        (SELECT count(*) FROM annotation_itemresponse r WHERE r.item_id = annotation_assignment.item_id)
"""  # noqa: S608

_OPEN_TO = f"""
    SELECT 1 FROM annotation_item i
    WHERE i.project_id = %(project)s AND i.slots_left > 0 AND {NEW_TO_THEM} LIMIT 1
"""  # noqa: S608

# A slot is held by an open or done assignment that is not surplus, and by each imported vote. Retired: none.
_HELD_SLOTS = """
    ((SELECT count(*) FROM annotation_assignment s
      WHERE s.item_id = i.id AND s.state IN ('open', 'done') AND NOT s.surplus)
     + (SELECT count(*) FROM annotation_judgment j
        WHERE j.item_id = i.id AND j.live AND j.source = 'imported'))
"""
_OVERLAP = "coalesce(i.overlap, p.overlap)"
_FREE_SLOTS = f"""
    greatest(0, CASE WHEN i.retired_at IS NOT NULL THEN 0 WHEN i.is_gold THEN {GOLD_SLOTS} ELSE {_OVERLAP} END
        - {_HELD_SLOTS})
"""
_RECOUNT = f"""
    UPDATE annotation_item i SET slots_left = {_FREE_SLOTS}
    FROM annotation_project p WHERE p.id = i.project_id AND i.id = ANY(%s) AND i.slots_left <> {_FREE_SLOTS}
"""  # noqa: S608
_RECOUNT_PROJECT = f"""
    UPDATE annotation_item i SET slots_left = {_FREE_SLOTS}
    FROM annotation_project p WHERE p.id = i.project_id AND p.id = %s
"""  # noqa: S608
_WRONG = f"""
    SELECT i.id, i.slots_left, free FROM annotation_project p JOIN annotation_item i ON i.project_id = p.id
    CROSS JOIN LATERAL (SELECT {_FREE_SLOTS} AS free) recounted
    WHERE p.id = %s AND i.slots_left <> free ORDER BY i.id
"""  # noqa: S608
_LOCK = "SELECT 1 FROM annotation_item WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"

# The votes an item has or is about to get; a silent repeat is none. An expert's and one that came after its
# slot had gone hold no slot: the overlap counts slots, the bound all votes.
_WANT_MORE = f"""
    UPDATE annotation_item item SET overlap = counted.wanted, priority = %(priority)s
    FROM (
        SELECT i.id, {_OVERLAP} AS before, {_HELD_SLOTS} + least(%(votes)s, %(most)s - has.votes) AS wanted
        FROM annotation_item i
        JOIN annotation_project p ON p.id = i.project_id
        CROSS JOIN LATERAL (SELECT
            (SELECT count(*) FROM annotation_judgment j WHERE j.item_id = i.id AND j.live)
            + (SELECT count(*) FROM annotation_assignment s
               WHERE s.item_id = i.id AND s.state = 'open' AND NOT s.repeat) AS votes) has
        WHERE i.id = ANY(%(items)s) AND i.project_id = %(project)s AND NOT i.is_gold
          AND i.retired_at IS NULL AND has.votes < %(most)s
    ) counted
    WHERE item.id = counted.id AND counted.wanted > counted.before
    RETURNING item.id
"""  # noqa: S608


def claim_row(project: Project, annotator_id: int, *, gold: bool) -> tuple[int, int] | None:
    """(item, how many responses it has) of an item whose slot is now taken, or None.

    Rows that others hold for an instant are passed over. Where None comes back, some may stay locked that
    lost their last slot meanwhile: wait for nothing before the transaction, or the savepoint, is over.
    """
    values = {"project": project.pk, "annotator": annotator_id}
    if gold:
        return _one(_CLAIM_GOLD, values)
    return _one(_CLAIM_ONWARD, values) or _one(_CLAIM_REST, values)  # two, as planning is what costs


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
        cursor.execute(_LOCK, [ids])
        cursor.execute(_RECOUNT, [ids])


def recount_project(project: Project) -> None:
    """Like `recount_slots`, for all items of a project, when its overlap has changed.

    An item with an overlap of its own keeps it. Below what is taken already nothing is free; no hold and no
    vote goes.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '10min'")  # a million items are no runaway page
        cursor.execute(
            "SELECT 1 FROM annotation_item WHERE project_id = %s ORDER BY id FOR NO KEY UPDATE",
            [project.pk],
        )
        cursor.execute(_RECOUNT_PROJECT, [project.pk])


def want_more(
    project: Project, item_ids: Collection[int], *, votes: int, most: int, priority: int
) -> list[int]:
    """Open as many slots as `votes` more votes need, and `most` in all allow; the items that wanted fewer.

    The items are locked before anything is counted: nobody takes a slot meanwhile.
    """
    ids = sorted(set(item_ids))
    bounds = {"votes": votes, "most": most, "priority": priority}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LOCK, [ids])
        cursor.execute(_WANT_MORE, {"project": project.pk, "items": ids, **bounds})
        raised = sorted(row[0] for row in cursor.fetchall())
        recount_slots(raised)
    return raised


def wrong_slots(project: Project) -> list[tuple[int, int, int]]:
    """(item, free slots as stored, as recounted) of every item whose stored count is wrong."""
    with connection.cursor() as cursor:
        cursor.execute(_WRONG, [project.pk])
        return list(cursor.fetchall())


def take_slot_if_free(item_id: int) -> bool:
    """Take one slot of an item; False when none is left."""
    return bool(Item.objects.filter(pk=item_id, slots_left__gt=0).update(slots_left=F("slots_left") - 1))


def _one(statement: str, values: dict[str, int]) -> tuple[int, int] | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()  # type: ignore[no-any-return]
