"""All that is said of a project's agreement, each criterion read once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from accounts.selectors import groups_of
from annotation.item_selectors import items_by_category
from annotation.models.project import Project
from annotation.rating_arrays import Readings, readings_of
from annotation.services.agreeing import CriterionAgreement, agreement_on
from annotation.services.agreement_pairs import PairsOfAnnotators, pairs_of_annotators
from annotation.services.agreement_slices import (
    ByCategory,
    ByGroup,
    OverTime,
    by_category,
    by_group,
    over_time,
)


@dataclass(frozen=True)
class AgreementInParts:
    overall: CriterionAgreement
    over_time: OverTime
    by_category: ByCategory
    by_group: ByGroup
    pairs_of_annotators: PairsOfAnnotators

    def as_json(self) -> dict[str, Any]:
        return {
            **self.overall.as_json(),
            "over_time": self.over_time.as_json(),
            "by_category": self.by_category.as_json(),
            "by_group": self.by_group.as_json(),
            "pairs_of_annotators": self.pairs_of_annotators.as_json(),
        }


def agreement_in_parts(
    *, project: Project, draws: int = 1000, main: Readings | None = None
) -> Iterator[AgreementInParts]:
    """One criterion after the other, in the project's order; the ratings of one at a time are read.

    main: those under the main criterion, which comes first, if they were read already.
    Slices are of ratings on their own scale where there are ratings, else of votes on pairs.
    """
    categories = items_by_category(project)
    groups = groups_of(project)
    for criterion in project.criterion_names:
        readings = main if main and main.criterion == criterion else readings_of(project, criterion)
        yield AgreementInParts(
            overall=agreement_on(readings, draws=draws),
            over_time=over_time(readings.main, draws=draws),
            by_category=by_category(readings.main, categories, draws=draws),
            by_group=by_group(readings.main, groups, draws=draws),
            pairs_of_annotators=pairs_of_annotators(readings.pairs),
        )
