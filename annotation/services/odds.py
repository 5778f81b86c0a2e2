"""What a model makes of the labels, kept beside them: the queue of reviews finds where the two part."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
from django.db import transaction
from django.db.models import Max

from annotation.aggregation.odds import divergence
from annotation.aggregation.shares import SoftLabels, shrunk
from annotation.models.project import Project
from annotation.models.quality import SoftLabel
from annotation.models.review import ModelOdds
from annotation.review_selectors import outcomes_of

AT_ONCE = 5_000


@dataclass(frozen=True, eq=False)
class LabelledPairs:
    """n pairs with a label under the main criterion: (item, response a, response b), and p (n, 3)."""

    keys: list[tuple[int, int, int]]
    people: npt.NDArray[np.float64]  # the posterior mean of a, tie, b


def labelled_pairs(project: Project, *, most: int) -> LabelledPairs:
    """The labels that changed last."""
    columns = ("item_id", "response_a_id", "response_b_id", "p_a", "p_tie", "p_b", "votes", "effective_votes")
    labels = SoftLabel.objects.filter(project=project, criterion=project.main_criterion)
    rows = list(labels.order_by("-updated_at", "-pk").values_list(*columns)[:most])
    table = np.array([row[3:] for row in rows], dtype=np.float64).reshape(len(rows), 5).T
    soft = SoftLabels(table[0], table[1], table[2], table[3].astype(np.int64), table[4])
    mean = shrunk(soft, ties=outcomes_of(project) == 3)
    return LabelledPairs(
        [(row[0], row[1], row[2]) for row in rows], np.stack([mean.p_a, mean.p_tie, mean.p_b], axis=1)
    )


@transaction.atomic
def store(*, project: Project, pairs: LabelledPairs, model: npt.NDArray[np.float64], source: str) -> int:
    """What the model `source` says of these pairs (n, 3), in place of what one said before; on how many it
    parts with the people.
    """
    odds = divergence(pairs.people, model)
    ModelOdds.objects.filter(project=project).delete()
    ModelOdds.objects.bulk_create(
        (
            ModelOdds(
                project=project,
                item_id=key[0],
                response_a_id=key[1],
                response_b_id=key[2],
                p_a=share[0],
                p_tie=share[1],
                p_b=share[2],
                odds=bits,
                source=source,
            )
            for key, share, bits in zip(pairs.keys, model.tolist(), odds.tolist(), strict=True)
        ),
        batch_size=AT_ONCE,
    )
    return int((odds > 0).sum())


def forget(*, project: Project) -> None:
    """What was said is no longer the word of the model in use."""
    ModelOdds.objects.filter(project=project).delete()


def weighed_at(project: Project) -> datetime | None:
    """When a model was last asked."""
    latest = ModelOdds.objects.filter(project=project).aggregate(at=Max("weighed_at"))
    return latest["at"]  # type: ignore[no-any-return]


def labels_changed_at(project: Project) -> datetime | None:
    latest = SoftLabel.objects.filter(project=project).aggregate(at=Max("updated_at"))
    return latest["at"]  # type: ignore[no-any-return]
