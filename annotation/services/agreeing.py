"""Agreement of a project, criterion by criterion.

The unit is a pair of responses with the votes on it: an item of a pairwise project, each of the n(n−1)/2
pairs of a ranked or rated item. Ratings are also compared as they are: the unit is then one rated response.
So are ranks, and Kendall's W says how far whole rankings are alike.

Gold is left out: it measures people against the expert, not against one another. So are silent repeats,
reviewers' decisions, and the votes of whoever is paused or excluded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from annotation.agreement import kendall
from annotation.agreement.annotators import estimates_over_people, ratings_of
from annotation.agreement.bootstrap import estimates
from annotation.agreement.clusters import Clusters, clusters_of
from annotation.agreement.estimate import Coefficient, Estimate
from annotation.agreement.krippendorff import Level, alpha
from annotation.agreement.report import AgreementReport, agreement
from annotation.agreement.units import IntArray, UnitCounts
from annotation.models.project import Project
from annotation.rating_arrays import RatingArrays, Readings, SmallArray, rankings, readings_of

LEVELS: tuple[Level, ...] = ("nominal", "ordinal", "interval")
FEWEST_DRAWS, MOST_WORK = 200, 100_000_000  # draws of items of several units cost draws × units
SEED = 20_260_101  # intervals are the same each time the page is opened


@dataclass(frozen=True)
class RankAgreement:
    """Of whole rankings: W and Spearman's ρ, means over items; of single ranks: ordinal α.

    alpha, over_annotators: the same α, with its interval over items and over people.
    """

    kendall_w: Estimate
    spearman: Estimate
    alpha: Estimate
    over_annotators: Estimate

    def as_json(self) -> dict[str, Any]:
        alpha = self.alpha.as_json()
        if self.alpha.value is not None:
            alpha["over_annotators"] = self.over_annotators.ends_as_json()
        return {
            "kendall_w": self.kendall_w.as_json(),
            "spearman": self.spearman.as_json(),
            "unit": "ranked response",
            "krippendorff": {"ordinal": alpha},
        }


@dataclass(frozen=True)
class CriterionAgreement:
    """`report` is on pairs of responses; `ratings`, in a rating project, on single rated responses."""

    criterion: str
    annotators: int
    report: AgreementReport
    ratings: AgreementReport | None = None
    rankings: RankAgreement | None = None

    @property
    def main(self) -> AgreementReport:
        """What is said first: ratings on their own scale where there are ratings, else votes on pairs."""
        return self.report if self.ratings is None else self.ratings

    def as_json(self) -> dict[str, Any]:
        found = {"unit": "pair", **self.report.as_json(), "annotators": self.annotators}
        if self.ratings is not None:
            found["rated_responses"] = {"unit": "rated response", **self.ratings.as_json()}
        if self.rankings is not None:
            found["rankings"] = self.rankings.as_json()
        return found


def agreement_of(*, project: Project, draws: int = 1000) -> list[CriterionAgreement]:
    """Chance-corrected agreement on live judgments of work items, with intervals over items and over people.

    Each criterion costs one read of its votes, in a ranking or rating project two.
    """
    return [agreement_on(readings_of(project, name), draws=draws) for name in project.criterion_names]


def agreement_on(readings: Readings, *, draws: int = 1000) -> CriterionAgreement:
    """The same of one criterion whose ratings were read already."""
    pairs, responses = readings.pairs, readings.responses
    ranked = responses is not None and responses.kind == "ranked response"
    return CriterionAgreement(
        criterion=readings.criterion,
        annotators=len((responses or pairs).people),
        report=_report(pairs, draws),
        ratings=_report(responses, draws) if responses is not None and not ranked else None,
        rankings=_of_rankings(responses, draws) if responses is not None and ranked else None,
    )


def alphas(
    ratings: RatingArrays, levels: Sequence[Level], *, draws: int, rows: IntArray | None = None
) -> dict[Level, Estimate]:
    """α of all units, or of some of them, with intervals over items."""
    table = ratings.table if rows is None else ratings.table[rows]
    item = ratings.item if rows is None else ratings.item[rows]
    counts = ratings.counts(table)
    clusters, draws = _whole_items(counts, table, item, draws)
    wanted: dict[str, Coefficient] = {level: alpha(level) for level in levels}
    found = estimates(counts, wanted, rng=new_rng(), draws=draws, clusters=clusters)
    return {level: found[level] for level in levels}


def over_people(ratings: RatingArrays, levels: Sequence[Level], *, draws: int) -> dict[Level, Estimate]:
    """α of all units with intervals over people."""
    of = ratings_of(
        ratings.unit,
        ratings.annotator,
        ratings.code,
        annotators=len(ratings.people),
        categories=len(ratings.categories),
    )
    return estimates_over_people(of, levels=levels, numeric=ratings.numeric, rng=new_rng(), draws=draws)


def _report(ratings: RatingArrays, draws: int) -> AgreementReport:
    counts = ratings.counts()
    clusters, drawn = _whole_items(counts, ratings.table, ratings.item, draws)
    found = agreement(counts, rng=new_rng(), draws=drawn, levels=LEVELS, clusters=clusters)
    return replace(found, over_annotators=over_people(ratings, LEVELS, draws=draws))


def _of_rankings(ranked: RatingArrays, draws: int) -> RankAgreement:
    found = kendall.concordances(*rankings(ranked))
    return RankAgreement(
        kendall_w=kendall.mean_concordance(found, rng=new_rng(), draws=draws),
        spearman=kendall.mean_spearman(found, rng=new_rng(), draws=draws),
        alpha=alphas(ranked, ["ordinal"], draws=draws)["ordinal"],
        over_annotators=over_people(ranked, ["ordinal"], draws=draws)["ordinal"],
    )


def drawn_whole(item: SmallArray, draws: int) -> tuple[bool, int]:
    """With items of several units, whole items are drawn: their units rest on the same judgments. (whether,
    how often: such draws cost more.)"""
    items = len(np.unique(item))
    if items == len(item):
        return False, draws
    return True, min(draws, max(FEWEST_DRAWS, MOST_WORK // items))


def new_rng() -> np.random.Generator:
    return np.random.default_rng(SEED)


def _whole_items(
    counts: UnitCounts, table: IntArray, item: SmallArray, draws: int
) -> tuple[Clusters | None, int]:
    whole, draws = drawn_whole(item, draws)
    return clusters_of(counts, table, item) if whole else None, draws
