"""Reads for the monitoring page: volume by day, times, who works behind it."""

from dataclasses import dataclass
from datetime import date

from django.db import connection
from django.utils import timezone

from annotation.models.project import Project
from annotation.models.worker import WorkerHeartbeat

_BY_DAY = """
    SELECT (j.judged_at AT TIME ZONE %(zone)s)::date AS day, count(*)
    FROM annotation_judgment j JOIN annotation_item i ON i.id = j.item_id
    WHERE i.project_id = %(project)s AND j.live AND j.source <> 'expert'
    GROUP BY day ORDER BY day
"""

# Half octaves around a minute, from 1.9 s to 32 min: as wide as each other on a logarithmic scale.
TIME_EDGES = tuple(round(60 * 2 ** (half / 2), 1) for half in range(-10, 11))

_TIMES = """
    SELECT width_bucket(j.seconds, %(edges)s::float8[]) AS bin, count(*)
    FROM annotation_judgment j JOIN annotation_item i ON i.id = j.item_id
    WHERE i.project_id = %(project)s AND j.live AND j.source <> 'expert' AND j.seconds IS NOT NULL
    GROUP BY bin
"""


@dataclass(frozen=True)
class DayVolume:
    day: date
    judgments: int


def volume_by_day(project: Project) -> list[DayVolume]:
    """Live judgments per day, days without one left out; reviewers' decisions are not among them."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_DAY, {"project": project.pk, "zone": timezone.get_current_timezone_name()})
        return [DayVolume(*row) for row in cursor.fetchall()]


def times(project: Project) -> list[int]:
    """How many live judgments took how long: up to the first edge, between each two, from the last on."""
    with connection.cursor() as cursor:
        cursor.execute(_TIMES, {"project": project.pk, "edges": list(TIME_EDGES)})
        counts: dict[int, int] = dict(cursor.fetchall())
    return [counts.get(bin_, 0) for bin_ in range(len(TIME_EDGES) + 1)]


def asks_two_people(project: Project, *, least: int) -> bool:
    """Whether at least `least` items are asked of two people or more: all, or some that want it."""
    if project.overlap > 1:
        return True
    return project.items.filter(overlap__gt=1, is_gold=False)[:least].count() == least


def workers() -> list[WorkerHeartbeat]:
    """Every worker that gave a sign of life within a day, the latest of each queue first."""
    return list(WorkerHeartbeat.objects.order_by("queue", "-seen_at"))
