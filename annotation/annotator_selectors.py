"""Reads about annotators for the monitoring page: their answers in figures, one line each."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from annotation.gold_selectors import Checks, checks_by_annotator
from annotation.models.project import Project
from annotation.repeat_selectors import Consistency, consistency

# What an answer says of its responses. best: position of the one that is better than all others; NULL for a
# tie and where several share the top.
_TOP = """
    CROSS JOIN LATERAL (SELECT CASE WHEN a.ranks IS NULL
        THEN array_positions(a.ratings, (SELECT max(r) FROM unnest(a.ratings) r))
        ELSE array_positions(a.ranks, (SELECT min(r) FROM unnest(a.ranks) r)) END AS top) top
    CROSS JOIN LATERAL (SELECT CASE WHEN cardinality(top) = 1 THEN top[1] - 1 END AS best,
                               cardinality(coalesce(a.ranks, a.ratings)) AS n) shape
"""
_CHOICE = """
    CROSS JOIN LATERAL (SELECT CASE a.choice WHEN 'a' THEN 0 WHEN 'b' THEN 1 END AS best, 2 AS n) shape
"""
_ANNOTATORS = """
    SELECT u.id, coalesce(nullif(u.display_name, ''), u.username), u.origin, u.is_active,
           s.judgments, s.timed, s.median_seconds, s.sided, s.chose_left, s.expected_left,
           s.a, s.tie, s.both_bad, s.b, s.last_at
    FROM (
        SELECT j.annotator_id,
               count(*) FILTER (WHERE NOT i.is_gold) AS judgments,
               count(j.seconds) AS timed,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY j.seconds) AS median_seconds,
               count(*) FILTER (WHERE placed) AS sided,
               count(*) FILTER (WHERE placed AND best = j.display_order[1]) AS chose_left,
               coalesce(sum(1.0 / n) FILTER (WHERE placed), 0)::float AS expected_left,
               count(*) FILTER (WHERE NOT i.is_gold AND a.choice = 'a') AS a,
               count(*) FILTER (WHERE NOT i.is_gold AND n > 1 AND best IS NULL
                                      AND a.choice <> 'both_bad') AS tie,
               count(*) FILTER (WHERE NOT i.is_gold AND a.choice = 'both_bad') AS both_bad,
               count(*) FILTER (WHERE NOT i.is_gold AND a.choice = 'b') AS b,
               max(j.judged_at) AS last_at
        FROM annotation_judgment j
        JOIN annotation_item i ON i.id = j.item_id
        JOIN annotation_answer a ON a.judgment_id = j.id AND a.criterion = %(criterion)s
        {shape}
        CROSS JOIN LATERAL (
            SELECT n > 1 AND best IS NOT NULL AND j.display_order IS NOT NULL AS placed) screen
        WHERE i.project_id = %(project)s AND j.live AND j.source <> 'expert'
        GROUP BY j.annotator_id
    ) s
    JOIN accounts_user u ON u.id = s.annotator_id
    ORDER BY s.judgments DESC, u.id
"""

# How often each person gave each answer, told as their screen told it, or as stored where no screen is known.
_ALIKE = """
    SELECT annotator_id, array_agg(n ORDER BY n DESC)
    FROM (
        SELECT j.annotator_id, count(*) AS n
        FROM annotation_judgment j
        JOIN annotation_item i ON i.id = j.item_id
        JOIN annotation_answer a ON a.judgment_id = j.id AND a.criterion = %(criterion)s
        CROSS JOIN LATERAL (SELECT coalesce(a.ranks, a.ratings) AS stored) given
        CROSS JOIN LATERAL (SELECT CASE WHEN j.display_order IS NULL THEN stored ELSE ARRAY(
            SELECT stored[o + 1] FROM unnest(j.display_order) WITH ORDINALITY AS d(o, k) ORDER BY k
        ) END AS shown) screen
        WHERE i.project_id = %(project)s AND NOT i.is_gold AND j.live AND j.source <> 'expert'
          AND a.choice = ''
        GROUP BY j.annotator_id, shown
    ) counted
    GROUP BY annotator_id
"""

_ON_TOP = f"""
    SELECT best, count(*)
    FROM annotation_judgment j
    JOIN annotation_item i ON i.id = j.item_id
    JOIN annotation_answer a ON a.judgment_id = j.id AND a.criterion = %(criterion)s
    {_TOP}
    WHERE i.project_id = %(project)s AND NOT i.is_gold AND j.live AND j.source <> 'expert' AND a.choice = ''
    GROUP BY best ORDER BY best
"""  # noqa: S608

_POINTS = """
    SELECT r.rating, count(*)
    FROM annotation_judgment j
    JOIN annotation_item i ON i.id = j.item_id
    JOIN annotation_answer a ON a.judgment_id = j.id AND a.criterion = %(criterion)s
    CROSS JOIN LATERAL unnest(a.ratings) AS r(rating)
    WHERE i.project_id = %(project)s AND NOT i.is_gold AND j.live AND j.source <> 'expert'
    GROUP BY r.rating ORDER BY r.rating
"""


@dataclass(frozen=True)
class AnnotatorRow:
    """One annotator in figures. Choices leave gold out; shares are None with nothing to divide by.

    sided: answers with one best response whose place on the screen is known; chose_left: those in which it
    was shown first, on the left of two; expected_left: how many chance alone would put there, Σ 1/n.
    """

    id: int
    name: str
    origin: str
    active: bool
    judgments: int
    timed: int
    median_seconds: float | None
    sided: int
    chose_left: int
    expected_left: float
    a: int
    tie: int  # of rankings and ratings: several share the top
    both_bad: int
    b: int
    last_at: datetime
    checks: Checks
    itself: Consistency
    alike: tuple[int, ...]  # how often each ranking or rating was given, as the screen told it

    @property
    def gold(self) -> int:
        return self.checks.answered

    @property
    def gold_right(self) -> int:
        return self.checks.right

    @property
    def gold_accuracy(self) -> float | None:
        return self.checks.share

    @property
    def left_share(self) -> float | None:
        return self.chose_left / self.sided if self.sided else None

    @property
    def left_chance(self) -> float:
        return self.expected_left / self.sided if self.sided else 0.5

    @property
    def ties(self) -> int:
        return self.tie + self.both_bad

    @property
    def tie_share(self) -> float | None:
        return self.ties / self.judgments if self.judgments else None

    @property
    def choices(self) -> tuple[int, ...]:
        """How often each answer was given."""
        return self.alike or (self.a, self.tie, self.both_bad, self.b)


@dataclass(frozen=True)
class Totals:
    """All annotators together. `a` to `b` count answers on work items in canonical terms."""

    judgments: int
    gold: int
    simulated: int  # judgments by simulated annotators, gold left out
    sided: int
    chose_left: int
    left_chance: float
    a: int
    tie: int
    both_bad: int
    b: int


def annotators(project: Project) -> list[AnnotatorRow]:
    """Everybody who judged in the project, most active first; a few aggregating queries.

    Reviewers' decisions are left out: they are given with the votes in sight.
    """
    values: dict[str, Any] = {"project": project.pk, "criterion": project.main_criterion}
    pairwise = project.kind == Project.Kind.PAIRWISE
    checks, itself = checks_by_annotator(project), consistency(project)
    alike: dict[int, list[int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_ANNOTATORS.format(shape=_CHOICE if pairwise else _TOP), values)
        rows = cursor.fetchall()
        if not pairwise:
            cursor.execute(_ALIKE, values)
            alike = dict(cursor.fetchall())
    return [
        AnnotatorRow(
            *(
                *row,
                checks.get(row[0], Checks()),
                itself.get(row[0], Consistency()),
                tuple(alike.get(row[0], ())),
            )
        )
        for row in rows
    ]


def on_top(project: Project) -> list[tuple[int | None, int]]:
    """Of rankings: (position in the data, how often it alone came first); None: several did."""
    return _pairs(_ON_TOP, project)


def points(project: Project) -> list[tuple[int, int]]:
    """Of ratings: (points, how many responses were given them)."""
    return _pairs(_POINTS, project)


def _pairs(statement: str, project: Project) -> list[tuple[Any, int]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"project": project.pk, "criterion": project.main_criterion})
        return list(cursor.fetchall())


def totals(rows: Iterable[AnnotatorRow]) -> Totals:
    rows = list(rows)
    sided = sum(row.sided for row in rows)
    return Totals(
        judgments=sum(row.judgments for row in rows),
        gold=sum(row.gold for row in rows),
        simulated=sum(row.judgments for row in rows if row.origin == "simulated"),
        sided=sided,
        chose_left=sum(row.chose_left for row in rows),
        left_chance=sum(row.expected_left for row in rows) / sided if sided else 0.5,
        a=sum(row.a for row in rows),
        tie=sum(row.tie for row in rows),
        both_bad=sum(row.both_bad for row in rows),
        b=sum(row.b for row in rows),
    )
