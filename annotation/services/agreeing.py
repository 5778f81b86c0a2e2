"""Agreement of a project, criterion by criterion.

The unit is a pair of responses with the votes on it: an item of a pairwise project, each of the n(n−1)/2
pairs of a ranked or rated item. Ratings are also compared as they are: the unit is then one rated response.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from django.db import connection

from annotation.agreement.clusters import clusters_of
from annotation.agreement.estimate import Estimate
from annotation.agreement.krippendorff import Level
from annotation.agreement.report import AgreementReport, agreement
from annotation.agreement.units import IntArray, UnitCounts, from_matrix
from annotation.models.project import Project
from annotation.pair_votes import counts_sql

CATEGORIES = ("a", "tie", "b")  # "both are bad" counts as a tie: it says that neither is better
POSITIONS = (1.0, 2.0, 3.0)
LEVELS: tuple[Level, ...] = ("nominal", "ordinal", "interval")
FEWEST_DRAWS, MOST_WORK = 200, 100_000_000  # draws of items of several units cost draws × units
SEED = 20_260_101  # intervals are the same each time the page is opened

Unit = Literal["pair", "rated response"]

_ANNOTATORS = """
    SELECT count(DISTINCT j.annotator_id)
    FROM annotation_judgment j JOIN annotation_item i ON i.id = j.item_id
    JOIN annotation_answer a ON a.judgment_id = j.id
    WHERE i.project_id = %(project)s AND NOT i.is_gold AND j.live AND a.criterion = %(criterion)s
"""

_RATINGS = """
    SELECT j.item_id, r.position, r.rating, count(*)
    FROM annotation_answer a
    JOIN annotation_judgment j ON j.id = a.judgment_id AND j.live
    JOIN annotation_item i ON i.id = j.item_id
    CROSS JOIN LATERAL unnest(a.ratings) WITH ORDINALITY AS r(rating, position)
    WHERE i.project_id = %(project)s AND NOT i.is_gold AND a.criterion = %(criterion)s
    GROUP BY j.item_id, r.position, r.rating
"""


@dataclass(frozen=True)
class CriterionAgreement:
    """`report` is on pairs of responses; `ratings`, in a rating project, on single rated responses."""

    criterion: str
    annotators: int
    report: AgreementReport
    ratings: AgreementReport | None = None

    @property
    def main(self) -> AgreementReport:
        """What is said first: ratings on their own scale where there are ratings, else votes on pairs."""
        return self.report if self.ratings is None else self.ratings

    def as_json(self) -> dict[str, Any]:
        found = {**_report(self.report, "pair"), "annotators": self.annotators}
        if self.ratings is not None:
            found["rated_responses"] = _report(self.ratings, "rated response")
        return found


def agreement_of(*, project: Project, draws: int = 1000) -> list[CriterionAgreement]:
    """Chance-corrected agreement on live judgments of work items, with item-bootstrap intervals.

    Gold is left out: it measures people against the expert, not against one another; so are silent repeats.
    Each criterion costs two or three aggregating queries.
    """
    return [_one(project, criterion, draws) for criterion in project.criterion_names]


def _one(project: Project, criterion: str, draws: int) -> CriterionAgreement:
    values: dict[str, Any] = {"project": project.pk, "criterion": criterion}
    with connection.cursor() as cursor:
        cursor.execute(_ANNOTATORS, values)
        (annotators,) = cursor.fetchone()
    table, items = _pair_table(project, values)
    pairs = _agreement(from_matrix(table, categories=CATEGORIES, numeric=POSITIONS), table, items, draws)
    ratings = None
    if project.kind == Project.Kind.RATING:
        table, items, points = _rating_table(project, values)
        ratings = _agreement(from_matrix(table, categories=points), table, items, draws)
    return CriterionAgreement(criterion, annotators, pairs, ratings)


def _agreement(counts: UnitCounts, table: IntArray, items: IntArray, draws: int) -> AgreementReport:
    """With items of several units, whole items are drawn: their units rest on the same judgments."""
    several = len(np.unique(items)) < len(items)
    if several:
        draws = min(draws, max(FEWEST_DRAWS, MOST_WORK // len(items)))
    return agreement(
        counts,
        rng=np.random.default_rng(SEED),
        draws=draws,
        levels=LEVELS,
        clusters=clusters_of(counts, table, items) if several else None,
    )


def _pair_table(project: Project, values: dict[str, Any]) -> tuple[IntArray, IntArray]:
    """Votes for a, tie, b on each pair, and the item of each."""
    counted = counts_sql(project, where="v.criterion = %(criterion)s")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT item_id, a, tie, b FROM ({counted}) counted ORDER BY item_id, a_at, b_at",  # noqa: S608
            values,
        )
        rows = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 1 + len(CATEGORIES))
    return rows[:, 1:], rows[:, 0]


def _rating_table(project: Project, values: dict[str, Any]) -> tuple[IntArray, IntArray, list[int]]:
    """How often each response was given each number of points, its item, and the points.

    The scale's own points are the categories; an imported rating beyond them is one more.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RATINGS, values)
        rows = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 4)
    points = sorted({*range(1, project.rating_points + 1), *rows[:, 2].tolist()})
    units, which = np.unique(rows[:, :2], axis=0, return_inverse=True)
    table = np.zeros((len(units), len(points)), dtype=np.int64)
    table[which.ravel(), np.searchsorted(points, rows[:, 2])] = rows[:, 3]
    return table, units[:, 0], points


def _report(report: AgreementReport, unit: Unit) -> dict[str, Any]:
    return {
        "unit": unit,
        "units": report.units,
        "ratings": report.ratings,
        "krippendorff": {level: _estimate(found) for level, found in report.krippendorff.items()},
        "fleiss": _estimate(report.fleiss),
        "percent": _estimate(report.percent),
        "gwet_ac1": _estimate(report.gwet_ac1),
        "brennan_prediger": _estimate(report.brennan_prediger),
    }


def _estimate(found: Estimate) -> dict[str, Any]:
    if found.value is None:
        return {"value": None, "reason": found.reason}
    kept = dataclasses.asdict(found)
    return {name: kept[name] for name in ("value", "low", "high", "units", "dropped_units")} | (
        {"reason": found.reason} if found.reason else {}
    )
