"""Agreement of a project, criterion by criterion."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection

from annotation.agreement.estimate import Estimate
from annotation.agreement.report import AgreementReport, agreement
from annotation.agreement.units import from_matrix
from annotation.models.project import Project

CATEGORIES = ("a", "tie", "b")  # "both are bad" counts as a tie: it says that neither is better
POSITIONS = (1.0, 2.0, 3.0)
SEED = 20_260_101  # intervals are the same each time the page is opened

_COUNTS = """
    SELECT count(*) FILTER (WHERE a.choice = 'a'),
           count(*) FILTER (WHERE a.choice IN ('tie', 'both_bad')),
           count(*) FILTER (WHERE a.choice = 'b')
    FROM annotation_answer a
    JOIN annotation_judgment j ON j.id = a.judgment_id AND j.live
    JOIN annotation_item i ON i.id = j.item_id
    WHERE i.project_id = %(project)s AND NOT i.is_gold AND a.criterion = %(criterion)s AND a.choice <> ''
    GROUP BY j.item_id ORDER BY j.item_id
"""

_ANNOTATORS = """
    SELECT count(DISTINCT j.annotator_id)
    FROM annotation_judgment j JOIN annotation_item i ON i.id = j.item_id
    JOIN annotation_answer a ON a.judgment_id = j.id
    WHERE i.project_id = %(project)s AND NOT i.is_gold AND j.live AND a.criterion = %(criterion)s
"""


@dataclass(frozen=True)
class CriterionAgreement:
    criterion: str
    annotators: int
    report: AgreementReport

    def as_json(self) -> dict[str, Any]:
        report = self.report
        return {
            "units": report.units,
            "ratings": report.ratings,
            "annotators": self.annotators,
            "krippendorff": {level: _estimate(found) for level, found in report.krippendorff.items()},
            "fleiss": _estimate(report.fleiss),
            "percent": _estimate(report.percent),
            "gwet_ac1": _estimate(report.gwet_ac1),
            "brennan_prediger": _estimate(report.brennan_prediger),
        }


def agreement_of(*, project: Project, draws: int = 1000) -> list[CriterionAgreement]:
    """Chance-corrected agreement on live judgments of work items, with item-bootstrap intervals.

    Gold is left out: it measures people against the expert, not against one another. Each criterion costs
    one aggregating query.
    """
    return [_one(project, criterion, draws) for criterion in project.criterion_names]


def _one(project: Project, criterion: str, draws: int) -> CriterionAgreement:
    values: dict[str, Any] = {"project": project.pk, "criterion": criterion}
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, values)
        table = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, len(CATEGORIES))
        cursor.execute(_ANNOTATORS, values)
        (annotators,) = cursor.fetchone()
    counts = from_matrix(table, categories=CATEGORIES, numeric=POSITIONS)
    report = agreement(
        counts, rng=np.random.default_rng(SEED), draws=draws, levels=("nominal", "ordinal", "interval")
    )
    return CriterionAgreement(criterion, annotators, report)


def _estimate(found: Estimate) -> dict[str, Any]:
    if found.value is None:
        return {"value": None, "reason": found.reason}
    kept = dataclasses.asdict(found)
    return {name: kept[name] for name in ("value", "low", "high", "units", "dropped_units")} | (
        {"reason": found.reason} if found.reason else {}
    )
