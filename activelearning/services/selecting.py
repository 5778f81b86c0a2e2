"""Choose what people should judge next: score every candidate pair, pick by the recipe, queue."""

import dataclasses
import secrets
from collections.abc import Iterable

import numpy as np
from django.db import transaction
from django.db.models import Max

from accounts.models import User
from accounts.services import audit
from activelearning.acquisition.candidates import candidate_pairs
from activelearning.acquisition.pool import LabelledPairs, ResponsePool, as_ids
from activelearning.acquisition.quotas import RecipeConfig
from activelearning.acquisition.recipe import select_batch
from activelearning.acquisition.selection import Selection
from activelearning.models import SelectedPair, SelectionBatch
from annotation.interchange.snapshot import read_preferences
from annotation.models.content import Response
from annotation.models.project import Project
from annotation.models.quality import SoftLabel
from annotation.models.work import Item, ItemResponse
from annotation.services import aggregating, items, snapshotting
from rewardmodel.models import Ensemble
from rewardmodel.services import scoring

STRATEGY = "recipe 50/30/20 + audit"
COLD_START = "cold start: random"


class InvalidSelection(ValueError):
    """The selection cannot be made as asked; the message says what to change."""


def select(
    *, project: Project, n: int, actor: User | None = None, seed: int | None = None
) -> SelectionBatch | None:
    """Queue up to `n` pairs nobody has judged, each with the reason it was chosen; None if there is none.

    Scores every candidate pair with the active ensemble; without one the pairs are drawn at random. The
    chosen pairs become items ahead of everything else. Raises `InvalidSelection`, `scoring.ScoringFailed`.
    """
    if n < 1:
        raise InvalidSelection(f"{n} pairs: ask for at least one.")
    if project.kind != Project.Kind.PAIRWISE:
        raise InvalidSelection(
            f"Only pairwise projects can be selected from; {project.slug} is {project.kind}."
        )
    seed = secrets.randbits(48) if seed is None else seed
    rng = np.random.default_rng(seed)
    aggregating.rebuild(project=project)
    ensemble = Ensemble.objects.filter(project=project, active=True).select_related("run__snapshot").first()
    config = RecipeConfig()
    pool = _pool(project, ensemble)
    taken = _taken_pairs(project)
    candidates = candidate_pairs(
        pool.response_id,
        pool.prompt_id,
        taken_a=[a for a, _ in taken],
        taken_b=[b for _, b in taken],
        rng=rng,
    )
    labelled = _labelled(project, ensemble)
    selection = select_batch(pool, candidates, labelled, n=n, rng=rng, config=config)
    if not selection.pairs:
        return None
    return _queue(project, selection, ensemble, config, seed, actor)


def _pool(project: Project, ensemble: Ensemble | None) -> ResponsePool:
    rows = list(
        Response.objects.filter(prompt__project=project).order_by("pk").values_list("pk", "prompt_id")
    )
    ids = as_ids([str(pk) for pk, _ in rows])
    prompts = as_ids([str(prompt) for _, prompt in rows])
    if ensemble is None:
        return ResponsePool(response_id=ids, prompt_id=prompts)
    scored = scoring.score(ensemble=ensemble, response_ids=[pk for pk, _ in rows])
    return ResponsePool(
        response_id=ids,
        prompt_id=prompts,
        features=scored.features,
        rewards=scored.rewards,
        temperature=scored.temperature,
        tau=scored.tau,
    )


def _taken_pairs(project: Project) -> list[tuple[str, str]]:
    """Pairs that were judged, gold pairs, and pairs already waiting in an earlier batch."""
    taken: set[tuple[int, int]] = set()
    judged = Item.objects.filter(project=project, judgments__live=True)
    gold = Item.objects.filter(project=project, is_gold=True)
    queued = Item.objects.filter(project=project, selections__isnull=False)
    for chosen in (judged, gold, queued):
        taken |= _pairs_of(chosen.values_list("pk", flat=True))
    return [(str(a), str(b)) for a, b in sorted(taken)]


def _pairs_of(item_ids: Iterable[int]) -> set[tuple[int, int]]:
    by_item: dict[int, list[int]] = {}
    rows = ItemResponse.objects.filter(item__in=item_ids).values_list("item_id", "response_id")
    for item_id, response_id in rows:
        by_item.setdefault(item_id, []).append(response_id)
    return {(min(pair), max(pair)) for pair in by_item.values() if len(pair) == 2}


def _labelled(project: Project, ensemble: Ensemble | None) -> LabelledPairs | None:
    labels = list(
        SoftLabel.objects.filter(project=project, criterion=project.main_criterion)
        .order_by("pk")
        .values_list(
            "response_a_id", "response_b_id", "p_a", "p_tie", "p_b", "effective_votes", "item__prompt_id"
        )
    )
    if not labels:
        return None
    trained_on = _prompts_trained_on(ensemble) if ensemble is not None else set()
    return LabelledPairs(
        response_a=as_ids([str(row[0]) for row in labels]),
        response_b=as_ids([str(row[1]) for row in labels]),
        shares=np.array([row[2:5] for row in labels]),
        votes=np.array([row[5] for row in labels]),
        held_out=np.array([str(row[6]) not in trained_on for row in labels]),
    )


def _prompts_trained_on(ensemble: Ensemble) -> set[str]:
    folder = snapshotting.folder_of(ensemble.run.snapshot)
    return {row.preference.prompt_id for row in read_preferences(folder) if row.split == "train"}


@transaction.atomic
def _queue(
    project: Project,
    selection: Selection,
    ensemble: Ensemble | None,
    config: RecipeConfig,
    seed: int,
    actor: User | None,
) -> SelectionBatch:
    """Write the batch and make its pairs the first items people get; the newest batch comes first."""
    Project.objects.select_for_update().get(pk=project.pk)  # two selections take turns
    number = (project.selection_batches.aggregate(last=Max("number"))["last"] or 0) + 1
    batch = SelectionBatch.objects.create(
        project=project,
        number=number,
        ensemble=ensemble,
        strategy=COLD_START if ensemble is None else STRATEGY,
        config=dataclasses.asdict(config),
        seed=seed,
        candidates=selection.candidates,
        notes=list(selection.notes),
    )
    chosen = selection.pairs
    queued = items.queue_pairs(
        project=project,
        pairs=[(int(pair.response_a), int(pair.response_b)) for pair in chosen],
        priority=number,
        origins=[Item.Origin.RANDOM if pair.reason == "audit" else Item.Origin.SELECTED for pair in chosen],
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
        )
        for pair, item in zip(chosen, queued, strict=True)
    )
    audit.record(
        actor=actor, project=project, action="selection", detail={"batch": number, "pairs": len(chosen)}
    )
    return batch
