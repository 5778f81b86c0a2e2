"""Reads for the monitoring page: volume by day, and what is known of each annotator."""

from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection
from django.utils import timezone

from annotation.models.project import Project
from annotation.models.worker import WorkerHeartbeat

_ANNOTATORS = """
    SELECT u.id, coalesce(nullif(u.display_name, ''), u.username), u.origin, u.is_active,
           count(*) FILTER (WHERE NOT i.is_gold) AS judgments,
           count(*) FILTER (WHERE i.is_gold) AS gold,
           count(*) FILTER (WHERE i.is_gold AND a.choice = g.choice) AS gold_right,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY j.seconds) AS median_seconds,
           count(*) FILTER (WHERE a.choice IN ('a', 'b') AND j.display_order IS NOT NULL) AS sided,
           count(*) FILTER (WHERE (a.choice = 'a' AND j.display_order[1] = 0)
                               OR (a.choice = 'b' AND j.display_order[1] = 1)) AS chose_left,
           count(*) FILTER (WHERE a.choice IN ('tie', 'both_bad')) AS ties,
           max(j.judged_at) AS last_at
    FROM annotation_judgment j
    JOIN annotation_item i ON i.id = j.item_id
    JOIN annotation_answer a ON a.judgment_id = j.id AND a.criterion = %(criterion)s
    JOIN accounts_user u ON u.id = j.annotator_id
    LEFT JOIN annotation_goldanswer g ON g.item_id = i.id
    WHERE i.project_id = %(project)s AND j.live
    GROUP BY u.id
    ORDER BY judgments DESC, u.id
"""

_BY_DAY = """
    SELECT (j.judged_at AT TIME ZONE %(zone)s)::date AS day, count(*)
    FROM annotation_judgment j JOIN annotation_item i ON i.id = j.item_id
    WHERE i.project_id = %(project)s AND j.live
    GROUP BY day ORDER BY day
"""

_CHOICES = """
    SELECT a.choice, count(*)
    FROM annotation_answer a JOIN annotation_judgment j ON j.id = a.judgment_id AND j.live
    JOIN annotation_item i ON i.id = j.item_id
    WHERE i.project_id = %(project)s AND NOT i.is_gold AND a.criterion = %(criterion)s AND a.choice <> ''
    GROUP BY a.choice
"""


@dataclass(frozen=True)
class AnnotatorRow:
    """One annotator in figures. Shares are None where there is nothing to divide by."""

    id: int
    name: str
    origin: str
    active: bool
    judgments: int
    gold: int
    gold_right: int
    median_seconds: float | None
    sided: int  # answers for one side whose place on the screen is known
    chose_left: int
    ties: int
    last_at: datetime

    @property
    def gold_accuracy(self) -> float | None:
        return self.gold_right / self.gold if self.gold else None

    @property
    def left_share(self) -> float | None:
        return self.chose_left / self.sided if self.sided else None

    @property
    def tie_share(self) -> float | None:
        answered = self.judgments + self.gold
        return self.ties / answered if answered else None


@dataclass(frozen=True)
class DayVolume:
    day: date
    judgments: int


def annotators(project: Project) -> list[AnnotatorRow]:
    """Everybody who judged in the project, most active first; one aggregating query."""
    values = {"project": project.pk, "criterion": project.main_criterion}
    with connection.cursor() as cursor:
        cursor.execute(_ANNOTATORS, values)
        return [AnnotatorRow(*row) for row in cursor.fetchall()]


def volume_by_day(project: Project) -> list[DayVolume]:
    """Live judgments per day, days without one left out."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_DAY, {"project": project.pk, "zone": timezone.get_current_timezone_name()})
        return [DayVolume(*row) for row in cursor.fetchall()]


def choices(project: Project) -> dict[str, int]:
    """How often each choice was given on work items, in canonical terms."""
    with connection.cursor() as cursor:
        cursor.execute(_CHOICES, {"project": project.pk, "criterion": project.main_criterion})
        return dict(cursor.fetchall())


def workers() -> list[WorkerHeartbeat]:
    """Every worker that gave a sign of life within a day, the latest of each queue first."""
    return list(WorkerHeartbeat.objects.order_by("queue", "-seen_at"))
