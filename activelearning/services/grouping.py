"""Choose what people should rank or rate next: groups of responses, as `choosing` chooses pairs.

The rules are the same: prompts that measure the model are chosen by chance alone, a part of every batch goes
to the audit set until that is queued, and without an ensemble the recipe goes by the texts, else by chance.
Second opinions are not asked for: what one more vote is worth is reckoned for single pairs only.
"""

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import Count, QuerySet

from activelearning.acquisition.candidates import candidate_pairs
from activelearning.acquisition.group_pool import OpenGroups, open_groups
from activelearning.acquisition.group_recipe import NO_OPEN, GroupSelection, only_open, select_groups
from activelearning.acquisition.groups import pair_weights
from activelearning.acquisition.pool import LabelledPairs, ResponsePool, as_ids
from activelearning.acquisition.quotas import Recipe, recipe_named
from activelearning.acquisition.selection import PairScores, SelectedPair
from activelearning.acquisition.wording import Said
from activelearning.models import LoopPolicy
from activelearning.models import SelectedPair as Queued
from activelearning.services import choosing, featuring, group_audit, on_device, surveying, withdrawing
from activelearning.services.choosing import AUDIT, AUDIT_SHARE, Choice
from activelearning.services.group_audit import AuditGroup, Group
from annotation.answering.answer import MOST
from annotation.interchange.split import assign_splits
from annotation.models.project import Project
from annotation.models.quality import SoftLabel
from annotation.models.work import Item, ItemResponse
from annotation.services import aggregating, snapshotting
from rewardmodel.models import Ensemble

USUAL = 4  # responses in a group, where no item says how many: six pairs, and still read at a glance


@dataclass(frozen=True)
class GroupChoice(Choice):
    """groups: the responses of each chosen group, in the order of the selection's pairs; asked: pairs that
    were asked about when it was made."""

    groups: tuple[Group, ...] = ()
    asked: frozenset[frozenset[int]] = frozenset()


def group_size(project: Project) -> int:
    """How many responses a new group has: as many as most items of the project compare, the larger number
    where two are as frequent; 2 where all show a single response, 4 where there is no item."""
    sizes = Item.objects.filter(project=project, is_gold=False).annotate(shown=Count("item_responses"))
    counted = Counter(sizes.exclude(origin=Item.Origin.SELECTED).values_list("shown", flat=True))
    if not counted:
        return USUAL
    comparing = {size: count for size, count in counted.items() if size > 1}
    usual = max(comparing, key=lambda size: (comparing[size], size), default=2)
    return min(usual, MOST[project.kind])


def choose(
    *,
    project: Project,
    n: int,
    seed: int,
    recipe: Recipe,
    policy: LoopPolicy,
    patience: float | None = choosing.PATIENCE,
) -> GroupChoice:
    """Score the responses with the active ensemble and pick up to `n` groups by the recipe.

    Without an ensemble as `choosing.choose`. Takes as long as scoring does and holds no lock of the database
    meanwhile. Raises `scoring.ScoringFailed`.
    """
    rng = np.random.default_rng(seed)
    aggregating.refresh(project=project)
    size = group_size(project)
    drawing = np.random.default_rng([seed, 1])  # its own, so that drawing the set changes no other draw
    drawn = group_audit.ensure(project=project, policy=policy, size=size, rng=drawing)
    due = group_audit.due(project)
    ensemble = Ensemble.objects.filter(project=project, active=True).select_related("run__snapshot").first()
    splits = choosing.splits_of(project, ensemble)
    asked = asked_groups(project, ensemble)
    kept = {one.responses for one in due}
    waiting = [group for group in waiting_groups(project, ensemble) if group not in kept]
    labelled = labels_of(project, {prompt for prompt, split in splits.items() if split == "train"})
    pool, lacking = choosing.pool_of(project, ensemble, patience)  # last: it knows all that the others name
    measured = {prompt for prompt, split in splits.items() if split == "test"}
    measured |= {str(pk) for pk in project.prompts.filter(audit=True).values_list("pk", flat=True)}
    found = open_groups(
        pool.response_id, pool.prompt_id, waiting=_named(waiting), taken=_named([*asked, *kept])
    )
    candidates = candidate_pairs(
        pool.response_id,
        pool.prompt_id,
        taken_a=[str(min(pair)) for pair in pairs_within(asked)],
        taken_b=[str(max(pair)) for pair in pairs_within(asked)],
        rng=rng,
    )
    drawing = np.random.default_rng([seed, 3])
    aimed = choosing.aim_at(project, ensemble, pool, candidates, drawing, patience)
    ahead = assign_splits(pool.prompt_id.tolist(), snapshotting.SPLIT_SEED)  # once all of them are judged
    apart = {prompt for prompt, split in ahead.items() if split == "test"} | measured
    learning, measuring = _parted(pool, found, apart)
    share = min(round(AUDIT_SHARE * n), len(due))
    chosen: GroupSelection
    chosen, unused = on_device.select(
        "groups",
        *(pool, learning, labelled),
        candidates=len(candidates),
        n=n - share,
        size=size,
        rng=rng,
        recipe=recipe,
        target=aimed.pairs,
    )
    audit = due[: n - len(chosen.groups)]
    more = n - len(chosen.groups) - len(audit)
    by_chance = select_groups(pool, measuring, n=more, size=size, rng=rng, recipe=recipe_named("random"))
    joined = _spread([*map(_as_pick, audit), *map(_measuring, _picks(by_chance))], _picks(chosen))
    selection = dataclasses.replace(
        chosen.selection,
        pairs=tuple(pair for pair, _ in joined),
        quotas=dict(Counter(pair.reason for pair, _ in joined)),
        candidates=len(found) + len(due),
        notes=tuple(_notes(chosen, len(joined), n, (lacking, aimed.note, unused), drawn, policy)),
    )
    by_texts = ensemble is None and pool.features is not None
    if by_texts:
        selection = featuring.without_a_model(selection)
    seen = surveying.surveyed(
        project=project, pool=pool, candidates=candidates, labelled=labelled, selection=selection, seed=seed
    )
    return GroupChoice(
        seen.selection,
        ensemble,
        recipe,
        seed,
        seen.survey,
        by_texts=by_texts,
        groups=tuple(group for _, group in joined),
        asked=frozenset(pairs_within(asked)),
    )


def asked_groups(project: Project, ensemble: Ensemble | None = None) -> list[Group]:
    """Groups that were judged, gold groups, and those waiting in an earlier batch.

    For an ensemble that is to choose, what an older one picked and nobody has begun is no longer waiting.
    """
    judged = Item.objects.filter(project=project, judgments__live=True)
    gold = Item.objects.filter(project=project, is_gold=True)
    stale = withdrawing.withdrawable(project, ensemble)
    queued = Queued.objects.filter(batch__project=project, withdrawn_at=None).exclude(
        pk__in=stale.values("pk")
    )
    items = Item.objects.filter(pk__in=queued.values("item"))
    return list({group for chosen in (judged, gold, items) for group in groups_of(chosen)})


def waiting_groups(project: Project, ensemble: Ensemble | None = None) -> list[Group]:
    """Groups that somebody put together and nobody has answered: they are asked about as they are. What an
    older model formed and was withdrawn is not among them."""
    stale = withdrawing.withdrawable(project, ensemble)
    queued = Queued.objects.filter(batch__project=project, withdrawn_at=None).exclude(
        pk__in=stale.values("pk")
    )
    untouched = Item.objects.filter(project=project, is_gold=False, retired_at=None).exclude(
        origin=Item.Origin.SELECTED
    )
    left = untouched.exclude(judgments__live=True).exclude(pk__in=queued.values("item"))
    return list(groups_of(left))


def groups_of(items: QuerySet[Item]) -> set[Group]:
    """The responses of items, where they are two or more."""
    by_item: dict[int, list[int]] = {}
    rows = ItemResponse.objects.filter(item__in=items.values("pk")).order_by("item", "response")
    for item, response in rows.values_list("item_id", "response_id"):
        by_item.setdefault(item, []).append(response)
    return {frozenset(group) for group in by_item.values() if len(group) > 1}


def pairs_within(groups: Iterable[Group]) -> set[frozenset[int]]:
    return {frozenset((a, b)) for group in groups for a in group for b in group if a < b}


def labels_of(project: Project, trained_on: Collection[str]) -> LabelledPairs | None:
    """The pairs within judged groups, each for 2/k of the votes on its group of k."""
    labels = list(
        SoftLabel.objects.filter(project=project, criterion=project.main_criterion, effective_votes__gt=0)
        .order_by("pk")
        .values_list("response_a_id", "response_b_id", "p_a", "p_tie", "p_b", "effective_votes", "item_id",
                     "item__prompt_id")
    )  # fmt: skip
    if not labels:
        return None
    weight = pair_weights([row[6] for row in labels])
    return LabelledPairs(
        response_a=as_ids([str(row[0]) for row in labels]),
        response_b=as_ids([str(row[1]) for row in labels]),
        shares=np.array([row[2:5] for row in labels]),
        votes=np.array([row[5] for row in labels]) * weight,
        held_out=np.array([str(row[7]) not in trained_on for row in labels]),
    )


Pick = tuple[SelectedPair, Group]


def _picks(found: GroupSelection) -> list[Pick]:
    groups = (frozenset(map(int, group)) for group in found.groups)
    return list(zip(found.selection.pairs, groups, strict=True))


def _as_pick(one: AuditGroup) -> Pick:
    pair = SelectedPair(
        prompt_id=str(one.prompt),
        response_a=str(one.pair[0]),
        response_b=str(one.pair[1]),
        reason="audit",
        rank=0,
        scores=PairScores(),
        propensity=one.propensity,
        explanation=AUDIT,
    )
    return pair, one.responses


def _measuring(pick: Pick) -> Pick:
    return dataclasses.replace(pick[0], reason="audit", explanation=AUDIT), pick[1]


def _spread(*parts: Sequence[Pick]) -> list[Pick]:
    """Every part evenly spread over the batch, its own order kept; ranks from 1."""
    places = [
        ((turn + 0.5) / len(part), which, turn, pick)
        for which, part in enumerate(parts)
        for turn, pick in enumerate(part)
    ]
    ordered = [place[3] for place in sorted(places, key=lambda place: place[:3])]
    return [(dataclasses.replace(pair, rank=rank), group) for rank, (pair, group) in enumerate(ordered, 1)]


def _notes(
    chosen: GroupSelection, found: int, n: int, others: Iterable[Said | None], drawn: int, policy: LoopPolicy
) -> list[Said]:
    about_size = (NO_OPEN.text, only_open(0, 0).text)  # of a part of the batch
    notes = [note for note in chosen.selection.notes if note.text not in about_size]
    if found < n:
        notes.append(only_open(found, n))
    notes += filter(None, others)
    if drawn < policy.audit_pairs:
        notes.append(choosing.small_audit_set(drawn, policy.audit_pairs))
    return notes


def _named(groups: Iterable[Group]) -> list[list[str]]:
    """As ids, in an order that does not change."""
    return [[str(pk) for pk in group] for group in sorted(sorted(group) for group in groups)]


def _parted(pool: ResponsePool, found: OpenGroups, apart: Collection[str]) -> tuple[OpenGroups, OpenGroups]:
    """Groups of the prompts that the model may learn from, and of those that measure it."""
    names = np.unique(pool.prompt_id)
    measures = np.isin(names, np.array(sorted(apart), dtype=np.str_))
    return found.of(~measures), found.of(measures)
