"""Agreement of a project, criterion by criterion.

The unit is a pair of responses with the votes on it: an item of a pairwise project, each of the n(n−1)/2
pairs of a ranked or rated item. Ratings are also compared as they are: the unit is then one rated response.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from django.db import connection

from annotation.agreement.estimate import Estimate
from annotation.agreement.krippendorff import Level
from annotation.agreement.report import AgreementReport, agreement
from annotation.agreement.units import UnitCounts, from_matrix, from_ratings
from annotation.models.project import Project
from annotation.pair_votes import counts_sql

CATEGORIES = ("a", "tie", "b")  # "both are bad" counts as a tie: it says that neither is better
POSITIONS = (1.0, 2.0, 3.0)
LEVELS: tuple[Level, ...] = ("nominal", "ordinal", "interval")
SEED = 20_260_101  # intervals are the same each time the page is opened

Unit = Literal["pair", "rated response"]

_ANNOTATORS = """
    SELECT count(DISTINCT j.annotator_id)
    FROM annotation_judgment j JOIN annotation_item i ON i.id = j.item_id
    JOIN annotation_answer a ON a.judgment_id = j.id
    WHERE i.project_id = %(project)s AND NOT i.is_gold AND j.live AND a.criterion = %(criterion)s
"""

_RATINGS = """
    SELECT j.item_id, r.position, r.rating
    FROM annotation_answer a
    JOIN annotation_judgment j ON j.id = a.judgment_id AND j.live
    JOIN annotation_item i ON i.id = j.item_id
    CROSS JOIN LATERAL unnest(a.ratings) WITH ORDINALITY AS r(rating, position)
    WHERE i.project_id = %(project)s AND NOT i.is_gold AND a.criterion = %(criterion)s
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
    """Chance-corrected agreement on live judgments of work items, with bootstrap intervals over units.

    Gold is left out: it measures people against the expert, not against one another; so are silent repeats.
    The pairs of one item, and its rated responses, are drawn as if they were independent: with three or more
    responses the intervals are somewhat too narrow. Each criterion costs two or three aggregating queries.
    """
    return [_one(project, criterion, draws) for criterion in project.criterion_names]


def _one(project: Project, criterion: str, draws: int) -> CriterionAgreement:
    values: dict[str, Any] = {"project": project.pk, "criterion": criterion}
    with connection.cursor() as cursor:
        cursor.execute(_ANNOTATORS, values)
        (annotators,) = cursor.fetchone()
    pairs = _agreement(_pair_counts(project, values), draws)
    rated = project.kind == Project.Kind.RATING
    return CriterionAgreement(
        criterion, annotators, pairs, _agreement(_rating_counts(project, values), draws) if rated else None
    )


def _agreement(counts: UnitCounts, draws: int) -> AgreementReport:
    return agreement(counts, rng=np.random.default_rng(SEED), draws=draws, levels=LEVELS)


def _pair_counts(project: Project, values: dict[str, Any]) -> UnitCounts:
    counted = counts_sql(project, where="v.criterion = %(criterion)s")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT a, tie, b FROM ({counted}) counted ORDER BY item_id, a_at, b_at",  # noqa: S608
            values,
        )
        table = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, len(CATEGORIES))
    return from_matrix(table, categories=CATEGORIES, numeric=POSITIONS)


def _rating_counts(project: Project, values: dict[str, Any]) -> UnitCounts:
    """The scale's own points are the categories; an imported rating beyond them is one more."""
    with connection.cursor() as cursor:
        cursor.execute(_RATINGS, values)
        table = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 3)
    points = sorted({*range(1, project.rating_points + 1), *table[:, 2].tolist()})
    most = int(table[:, 1].max(initial=1)) + 1
    return from_ratings(table[:, 0] * most + table[:, 1], table[:, 2], categories=points)


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
