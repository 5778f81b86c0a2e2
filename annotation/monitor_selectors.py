"""Reads for the monitoring page: what is known of each annotator, the volume by day, who works behind it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from annotation.models.project import Project
from annotation.models.worker import WorkerHeartbeat

_ANNOTATORS = """
    SELECT u.id, coalesce(nullif(u.display_name, ''), u.username), u.origin, u.is_active,
           s.judgments, s.gold, s.gold_right, s.timed, s.median_seconds, s.sided, s.chose_left,
           s.a, s.tie, s.both_bad, s.b, s.last_at
    FROM (
        SELECT j.annotator_id,
               count(*) FILTER (WHERE NOT i.is_gold) AS judgments,
               count(*) FILTER (WHERE i.is_gold) AS gold,
               count(*) FILTER (WHERE i.is_gold AND a.choice = g.choice) AS gold_right,
               count(j.seconds) AS timed,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY j.seconds) AS median_seconds,
               count(*) FILTER (WHERE a.choice IN ('a', 'b') AND j.display_order IS NOT NULL) AS sided,
               count(*) FILTER (WHERE (a.choice = 'a' AND j.display_order[1] = 0)
                                   OR (a.choice = 'b' AND j.display_order[1] = 1)) AS chose_left,
               count(*) FILTER (WHERE NOT i.is_gold AND a.choice = 'a') AS a,
               count(*) FILTER (WHERE NOT i.is_gold AND a.choice = 'tie') AS tie,
               count(*) FILTER (WHERE NOT i.is_gold AND a.choice = 'both_bad') AS both_bad,
               count(*) FILTER (WHERE NOT i.is_gold AND a.choice = 'b') AS b,
               max(j.judged_at) AS last_at
        FROM annotation_judgment j
        JOIN annotation_item i ON i.id = j.item_id
        JOIN annotation_answer a ON a.judgment_id = j.id AND a.criterion = %(criterion)s
        LEFT JOIN annotation_goldanswer g ON g.item_id = i.id AND g.criterion = a.criterion
        WHERE i.project_id = %(project)s AND j.live
        GROUP BY j.annotator_id
    ) s
    JOIN accounts_user u ON u.id = s.annotator_id
    ORDER BY s.judgments DESC, u.id
"""

_BY_DAY = """
    SELECT (j.judged_at AT TIME ZONE %(zone)s)::date AS day, count(*)
    FROM annotation_judgment j JOIN annotation_item i ON i.id = j.item_id
    WHERE i.project_id = %(project)s AND j.live
    GROUP BY day ORDER BY day
"""

_STATE = """
    SELECT count(*), coalesce(max(j.id), 0)
    FROM annotation_judgment j JOIN annotation_item i ON i.id = j.item_id
    WHERE i.project_id = %(project)s AND j.live
"""


@dataclass(frozen=True)
class AnnotatorRow:
    """One annotator in figures. Choices leave gold out; shares are None with nothing to divide by."""

    id: int
    name: str
    origin: str
    active: bool
    judgments: int
    gold: int
    gold_right: int
    timed: int
    median_seconds: float | None
    sided: int  # answers for one side whose place on the screen is known
    chose_left: int
    a: int
    tie: int
    both_bad: int
    b: int
    last_at: datetime

    @property
    def gold_accuracy(self) -> float | None:
        return self.gold_right / self.gold if self.gold else None

    @property
    def left_share(self) -> float | None:
        return self.chose_left / self.sided if self.sided else None

    @property
    def ties(self) -> int:
        return self.tie + self.both_bad

    @property
    def tie_share(self) -> float | None:
        return self.ties / self.judgments if self.judgments else None


@dataclass(frozen=True)
class DayVolume:
    day: date
    judgments: int


@dataclass(frozen=True)
class Totals:
    """All annotators together. `a` to `b` count answers on work items in canonical terms."""

    judgments: int
    gold: int
    simulated: int  # judgments by simulated annotators, gold left out
    sided: int
    chose_left: int
    a: int
    tie: int
    both_bad: int
    b: int


def annotators(project: Project) -> list[AnnotatorRow]:
    """Everybody who judged in the project, most active first; one aggregating query."""
    values: dict[str, Any] = {"project": project.pk, "criterion": project.main_criterion}
    with connection.cursor() as cursor:
        cursor.execute(_ANNOTATORS, values)
        return [AnnotatorRow(*row) for row in cursor.fetchall()]


def totals(rows: Iterable[AnnotatorRow]) -> Totals:
    rows = list(rows)
    return Totals(
        judgments=sum(row.judgments for row in rows),
        gold=sum(row.gold for row in rows),
        simulated=sum(row.judgments for row in rows if row.origin == "simulated"),
        sided=sum(row.sided for row in rows),
        chose_left=sum(row.chose_left for row in rows),
        a=sum(row.a for row in rows),
        tie=sum(row.tie for row in rows),
        both_bad=sum(row.both_bad for row in rows),
        b=sum(row.b for row in rows),
    )


def volume_by_day(project: Project) -> list[DayVolume]:
    """Live judgments per day, days without one left out."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_DAY, {"project": project.pk, "zone": timezone.get_current_timezone_name()})
        return [DayVolume(*row) for row in cursor.fetchall()]


def fingerprint(project: Project, *also: int) -> str:
    """Changes whenever a judgment comes, is replaced or undone, or one of `also` changes."""
    with connection.cursor() as cursor:
        cursor.execute(_STATE, {"project": project.pk})
        return "-".join(str(int(part)) for part in (*cursor.fetchone(), *also))


def workers() -> list[WorkerHeartbeat]:
    """Every worker that gave a sign of life within a day, the latest of each queue first."""
    return list(WorkerHeartbeat.objects.order_by("queue", "-seen_at"))
