"""Queue the groups that people should rank or rate next: they become items ahead of everything else."""

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np
from django.db import transaction
from django.db.models import Max

from accounts.models import User
from accounts.services import audit
from activelearning.acquisition.repeat import overlap_sample
from activelearning.acquisition.selection import SelectedPair as Chosen
from activelearning.models import LoopPolicy, SelectedPair, SelectionBatch
from activelearning.services import auditing, group_audit, grouping, withdrawing
from activelearning.services.group_audit import Group
from activelearning.services.grouping import GroupChoice
from activelearning.services.policies import policy_of
from annotation.models.project import MOST_VOTES, Project
from annotation.models.work import Item
from annotation.services import items

Pick = tuple[Chosen, Group]


@transaction.atomic
def queue(
    *, project: Project, choice: GroupChoice, strategy: str, actor: User | None, refill: bool
) -> SelectionBatch | None:
    """Write the batch and make its groups the first items people get; None when no group remains.

    What an older model picked and nobody has begun is withdrawn first. A group of which a pair was asked
    about since it was chosen is left out, but for one of the audit set that still wants votes; so is one that
    a score picked of a prompt that measures by now.
    """
    project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    policy = policy_of(project)
    withdrawing.withdraw(project, choice.ensemble)
    awaited = group_audit.awaited(project=project, policy=policy)
    chosen = _still_open(project, choice, awaited)
    if not chosen:
        return None
    number = (project.selection_batches.aggregate(last=Max("number"))["last"] or 0) + 1
    twice = _twice(project, policy, choice, chosen, awaited)
    batch = SelectionBatch.objects.create(
        project=project,
        number=number,
        ensemble=choice.ensemble,
        strategy=strategy,
        config={
            **dataclasses.asdict(choice.recipe),
            "overlap": {"propensity": policy.overlap_share, "ranks": sorted(twice)},
            "refill": refill,
        },
        seed=choice.seed,
        candidates=choice.selection.candidates,
        notes=list(choice.selection.notes),
        survey=None if choice.survey is None else dataclasses.asdict(choice.survey),
    )
    _queue(batch, policy, chosen, awaited, twice)
    detail = {"batch": number, "groups": len(chosen)}
    audit.record(actor=actor, project=project, action="selection", detail=detail)
    return batch


def _still_open(project: Project, choice: GroupChoice, awaited: Collection[Group]) -> list[Pick]:
    since = grouping.pairs_within(grouping.asked_groups(project)) - choice.asked
    measuring = set(project.prompts.filter(audit=True).values_list("pk", flat=True))
    return [
        (pair, group)
        for pair, group in zip(choice.selection.pairs, choice.groups, strict=True)
        if group in awaited
        or (
            not grouping.pairs_within([group]) & since
            and (pair.reason == "audit" or int(pair.prompt_id) not in measuring)
        )
    ]


def _twice(
    project: Project,
    policy: LoopPolicy,
    choice: GroupChoice,
    chosen: Sequence[Pick],
    awaited: Collection[Group],
) -> set[int]:
    """Ranks of the groups that get a vote more than others: drawn uniformly, all with the same chance."""
    new = [pair.rank for pair, group in chosen if pair.reason != "audit" and group not in awaited]
    if project.overlap >= MOST_VOTES:
        return set()
    drawn = overlap_sample(len(new), policy.overlap_share, np.random.default_rng([choice.seed, 4]))
    return {new[position] for position in drawn.positions}


def _queue(
    batch: SelectionBatch,
    policy: LoopPolicy,
    chosen: Sequence[Pick],
    awaited: Collection[Group],
    twice: Collection[int],
) -> None:
    project = batch.project
    measured, more = auditing.votes_wanted(project, policy), project.overlap + 1
    queued = items.queue_groups(
        project=project,
        groups=[sorted(group) for _, group in chosen],
        priority=batch.number,
        origins=[
            Item.Origin.RANDOM if pair.reason in ("audit", "random") else Item.Origin.SELECTED
            for pair, _ in chosen
        ],
        overlaps=[
            measured if group in awaited else more if pair.rank in twice else None for pair, group in chosen
        ],
    )
    group_audit.note_queued(
        project=project, items=dict(zip((group for _, group in chosen), queued, strict=True))
    )
    SelectedPair.objects.bulk_create(
        SelectedPair(
            batch=batch,
            rank=pair.rank,
            item=item,
            response_a_id=int(pair.response_a),
            response_b_id=int(pair.response_b),
            reason=pair.reason,
            explanation=pair.explanation,
            scores=dataclasses.asdict(pair.scores),
            propensity=pair.propensity,
            cluster=pair.cluster,
        )
        for (pair, _), item in zip(chosen, queued, strict=True)
    )
