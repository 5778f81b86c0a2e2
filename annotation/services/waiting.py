"""What waits for somebody: whether an item is open to them, and what others still hold. Nothing is taken."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from annotation.models.project import Project
from annotation.services.slots import NEW_TO_THEM

# As a claim would find it: a free slot, or a hold that waits unseen behind somebody else's screen.
_OPEN_AMONG = f"""
    SELECT p.id FROM annotation_project p WHERE p.id = ANY(%(projects)s) AND p.state = 'running' AND (
        EXISTS (SELECT 1 FROM annotation_item i
                WHERE i.project_id = p.id AND i.slots_left > 0 AND {NEW_TO_THEM})
        OR EXISTS (SELECT 1 FROM annotation_assignment w JOIN annotation_item i ON i.id = w.item_id
                   WHERE w.project_id = p.id AND w.state = 'open' AND w.shown_at IS NULL AND NOT w.repeat
                     AND w.annotator_id <> %(annotator)s AND {NEW_TO_THEM}))
"""  # noqa: S608

_WITH_OTHERS = f"""
    SELECT count(DISTINCT w.item_id), min(w.lease_expires_at)
    FROM annotation_assignment w JOIN annotation_item i ON i.id = w.item_id
    WHERE w.project_id = %(project)s AND w.state = 'open' AND NOT w.surplus
      AND w.annotator_id <> %(annotator)s AND {NEW_TO_THEM}
"""  # noqa: S608


@dataclass(frozen=True)
class WithOthers:
    """Items that come to this person if whoever holds them leaves them. until: when the first lease ends."""

    items: int
    until: datetime | None


def open_among(project_ids: Collection[int], annotator_id: int) -> set[int]:
    """The running projects among these that have an item for this person now, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN_AMONG, {"projects": list(project_ids), "annotator": annotator_id})
        return {row[0] for row in cursor.fetchall()}


def with_others(project: Project, annotator_id: int) -> WithOthers:
    with connection.cursor() as cursor:
        cursor.execute(_WITH_OTHERS, {"project": project.pk, "annotator": annotator_id})
        return WithOthers(*cursor.fetchone())
