"""What a selection leaves in the database, of pairs and of groups alike: the batch and a row a pick."""

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from django.db.models import Max

from activelearning.acquisition.repeat import overlap_sample
from activelearning.acquisition.selection import SelectedPair as Chosen
from activelearning.acquisition.wording import Said, plain
from activelearning.models import LoopPolicy, SelectedPair, SelectionBatch
from activelearning.services.choosing import Choice
from annotation.models.project import MOST_VOTES, Project
from annotation.models.work import Item

BY_CHANCE = ("audit", "random")


def drawn_twice(project: Project, policy: LoopPolicy, seed: int, ranks: Sequence[int]) -> set[int]:
    """Which of the new picks get a vote more than others, so that quality can be measured: drawn uniformly,
    all with the same chance."""
    if project.overlap >= MOST_VOTES:
        return set()
    drawn = overlap_sample(len(ranks), policy.overlap_share, np.random.default_rng([seed, 4]))
    return {ranks[position] for position in drawn.positions}


def write_batch(
    *, project: Project, choice: Choice, policy: LoopPolicy, twice: Collection[int], refill: bool
) -> SelectionBatch:
    """The next batch of the project, without its picks. The caller holds the project's lock."""
    return SelectionBatch.objects.create(
        project=project,
        number=(project.selection_batches.aggregate(last=Max("number"))["last"] or 0) + 1,
        ensemble=choice.ensemble,
        strategy=choice.strategy,
        config={
            **dataclasses.asdict(choice.recipe),
            "overlap": {"propensity": policy.overlap_share, "ranks": sorted(twice)},
            "refill": refill,
        },
        seed=choice.seed,
        candidates=choice.selection.candidates,
        notes=list(map(str, choice.selection.notes)),
        said=_parts(choice.selection.notes),
        survey=None if choice.survey is None else dataclasses.asdict(choice.survey),
    )


def origins(chosen: Iterable[Chosen]) -> list[Item.Origin]:
    """Whether chance or a score brought each pick."""
    return [Item.Origin.RANDOM if pair.reason in BY_CHANCE else Item.Origin.SELECTED for pair in chosen]


def explained(why: Sequence[Said]) -> dict[str, Any]:
    """Of a pick's row: why it was chosen, in English and in parts that can be translated."""
    return {"explanation": plain(why), "said": _parts(why)}


def _parts(sentences: Iterable[Said]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(one) for one in sentences]


def write_picks(batch: SelectionBatch, chosen: Iterable[Chosen], queued: Iterable[Item]) -> None:
    """A row for each pick: its item and why it was chosen."""
    SelectedPair.objects.bulk_create(
        SelectedPair(
            batch=batch,
            rank=pair.rank,
            item=item,
            response_a_id=int(pair.response_a),
            response_b_id=int(pair.response_b),
            reason=pair.reason,
            **explained(pair.explanation),
            scores=dataclasses.asdict(pair.scores),
            propensity=pair.propensity,
            cluster=pair.cluster,
            neighbours=[dataclasses.asdict(one) for one in pair.neighbours],
        )
        for pair, item in zip(chosen, queued, strict=True)
    )
