"""How long the work lasts: the open places of a project beside the pace of the people who work on it."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from annotation.models.project import Project
from annotation.services.slots import NEW_TO_THEM

PACE = timedelta(minutes=30)
AT_WORK = timedelta(hours=1)  # whoever answered within it
COUNTED = 10_000  # items; with more open there is no need to know how many
FEW = 2_000  # open places, from which on it is asked whether they are open to those at work
ASKED = 5  # of them, the latest

# OFFSET 0: person by person along the index on their work, never through all assignments of the project.
_AT_WORK = """
    SELECT m.user_id, count(*) FILTER (WHERE done.finished_at >= %(pace)s)
    FROM accounts_membership m
    JOIN accounts_user u ON u.id = m.user_id AND u.origin = 'person'
    CROSS JOIN LATERAL (
        SELECT s.finished_at FROM annotation_assignment s JOIN annotation_item i ON i.id = s.item_id
        WHERE s.annotator_id = m.user_id AND s.project_id = m.project_id AND s.state = 'done'
          AND s.finished_at >= %(at_work)s AND NOT s.surplus AND NOT i.is_gold
        OFFSET 0) done
    WHERE m.project_id = %(project)s
    GROUP BY m.user_id ORDER BY max(done.finished_at) DESC
"""

_LEFT = """
    SELECT coalesce(sum(slots_left), 0) FROM (
        SELECT slots_left FROM annotation_item
        WHERE project_id = %(project)s AND slots_left > 0 AND NOT is_gold
        ORDER BY priority DESC, shuffle LIMIT %(most)s) first
"""

_OPEN_TO = f"""
    SELECT EXISTS (SELECT 1 FROM annotation_item i
                   WHERE i.project_id = %(project)s AND i.slots_left > 0 AND NOT i.is_gold AND {NEW_TO_THEM})
"""  # noqa: S608


@dataclass(frozen=True)
class Supply:
    """left: open places (an item that two more people may answer has two), at least so many where there are
    very many. answered: places filled within `PACE`. people: members who answered within `AT_WORK`.
    closed: of the few places left none is open to them; they have answered those items already.
    """

    left: int
    answered: int
    people: int
    closed: bool = False


def supply_of(project: Project) -> Supply:
    """Simulated annotators, known items and silent repeats count for nothing here."""
    now = timezone.now()
    since = {"pace": now - PACE, "at_work": now - AT_WORK}
    with connection.cursor() as cursor:
        cursor.execute(_AT_WORK, {"project": project.pk, **since})
        people: list[tuple[int, int]] = cursor.fetchall()
        answered = sum(count for _, count in people)
        cursor.execute(_LEFT, {"project": project.pk, "most": max(COUNTED, 2 * answered)})
        left = int(cursor.fetchone()[0])
        closed = bool(people) and 0 < left <= FEW
        for person, _ in people[:ASKED] if closed else ():
            cursor.execute(_OPEN_TO, {"project": project.pk, "annotator": person})
            if cursor.fetchone()[0]:
                closed = False
                break
    return Supply(left, answered, len(people), closed)
