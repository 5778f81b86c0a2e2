"""Choose pairs for people to judge next; changes nothing but the soft labels, which it brings up to date, and
the audit set, which it draws where that lacks pairs.

What a score picks must not be what the model is measured on: pairs of test prompts are chosen by chance
alone, so that the test split stays a fair sample of the candidates. A part of every batch goes to the audit
set until all of that is queued.
"""

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from activelearning.acquisition.candidates import candidate_pairs
from activelearning.acquisition.pool import (
    CandidatePairs,
    LabelledPairs,
    Mask,
    Positions,
    ResponsePool,
    as_ids,
    pair_keys,
)
from activelearning.acquisition.quotas import Recipe, recipe_named
from activelearning.acquisition.recipe import only_open, select_batch
from activelearning.acquisition.selection import Reason, SelectedPair, Selection
from activelearning.acquisition.survey import Survey
from activelearning.acquisition.wording import Said, counted, said
from activelearning.models import AuditPair, LoopPolicy, SelectionBatch
from activelearning.models import SelectedPair as Queued
from activelearning.services import (
    aiming,
    auditing,
    featuring,
    on_device,
    repeating,
    surveying,
    withdrawing,
)
from annotation.interchange.snapshot import read_splits
from annotation.interchange.split import assign_splits
from annotation.models.content import Response
from annotation.models.project import Project
from annotation.models.quality import SoftLabel
from annotation.models.work import Item, ItemResponse
from annotation.services import aggregating, snapshotting
from rewardmodel.models import Ensemble
from rewardmodel.services import embedding, scoring


@dataclass(frozen=True)
class Choice:
    """A selection and what it was made with: enough to make it again."""

    selection: Selection
    ensemble: Ensemble | None
    recipe: Recipe
    seed: int
    survey: Survey | None = None
    again: repeating.Plan = field(default_factory=repeating.Plan)
    by_texts: bool = False  # there was no ensemble, and yet more to choose by than chance

    @property
    def strategy(self) -> str:
        """What the batch is named after."""
        if self.ensemble is not None:
            return self.recipe.name
        return f"cold start: {self.recipe.name}" if self.by_texts else SelectionBatch.BY_CHANCE


AUDIT = (said("Drawn at random among prompts that the model never learns from, to measure it."),)
AUDIT_SHARE = 0.1  # of a batch, as long as the audit set is not complete
PATIENCE = 20.0  # seconds of embedding before the first run: nobody waits longer at a page, or without work


def choose(
    *,
    project: Project,
    n: int,
    seed: int,
    recipe: Recipe,
    policy: LoopPolicy,
    patience: float | None = PATIENCE,
) -> Choice:
    """Score every candidate pair with the active ensemble and pick up to `n` by the recipe.

    Without an ensemble the recipe goes by the features that a first run would have; where there are none, or
    not within `patience` seconds (None: as long as it takes), by chance. Takes as long as scoring does and
    holds no lock of the database meanwhile. Raises `scoring.ScoringFailed`.
    """
    rng = np.random.default_rng(seed)
    aggregating.refresh(project=project)
    drawing = np.random.default_rng([seed, 1])  # its own, so that drawing the set changes no other draw
    drawn = auditing.ensure(project=project, policy=policy, rng=drawing)
    due = auditing.due(project=project)
    ensemble = Ensemble.objects.filter(project=project, active=True).select_related("run__snapshot").first()
    splits = splits_of(project, ensemble)
    taken = sorted(taken_pairs(project, ensemble))
    labelled = _labelled(project, {prompt for prompt, split in splits.items() if split == "train"})
    pool, lacking = pool_of(project, ensemble, patience)  # last: it knows every response the others name
    candidates = candidate_pairs(
        pool.response_id,
        pool.prompt_id,
        taken_a=[str(a) for a, _ in taken],
        taken_b=[str(b) for _, b in taken],
        rng=rng,
    )
    measured = {prompt for prompt, split in splits.items() if split == "test"}
    measured |= {str(pk) for pk in project.prompts.filter(audit=True).values_list("pk", flat=True)}
    placed = surveying.place(project=project, pool=pool, candidates=candidates, labelled=labelled, seed=seed)
    if placed is not None:
        pool = dataclasses.replace(pool, kind=placed.kind)
    again = repeating.plan(
        project=project,
        pool=pool,
        candidates=candidates,
        labelled=labelled,
        n=n,
        share=policy.repeat_share,
        rng=np.random.default_rng([seed, 2]),
        prompt_effect=recipe.prompt_effect,
    )
    new = n - len(again.repeats)
    aimed = aim_at(project, ensemble, pool, candidates, np.random.default_rng([seed, 3]), patience)
    selection = _select(pool, candidates, labelled, measured, due, new, rng, recipe, aimed.pairs)
    if ensemble is None and pool.features is not None:
        selection = featuring.without_a_model(selection)
    added = tuple(note for note in (lacking, aimed.note) if note)
    selection = dataclasses.replace(selection, notes=(*selection.notes, *added))
    if drawn < policy.audit_pairs:
        wanting = small_audit_set(drawn, policy.audit_pairs)
        selection = dataclasses.replace(selection, notes=(*selection.notes, wanting))
    seen = surveying.surveyed(
        project=project,
        pool=pool,
        candidates=candidates,
        labelled=labelled,
        selection=selection,
        seed=seed,
        placed=placed,
    )
    by_texts = ensemble is None and pool.features is not None
    return Choice(seen.selection, ensemble, recipe, seed, seen.survey, again=again, by_texts=by_texts)


def small_audit_set(drawn: int, wanted: int) -> Said:
    return counted(
        drawn,
        "The audit set has {n} pair, {wanted} are wanted; new prompts add to it.",
        "The audit set has {n} pairs, {wanted} are wanted; new prompts add to it.",
        wanted=wanted,
    )


def splits_of(project: Project, ensemble: Ensemble | None) -> dict[str, str]:
    """The split of each prompt the ensemble was trained and measured on; without one what is to come."""
    if ensemble is not None:
        return read_splits(snapshotting.folder_of(ensemble.run.snapshot))
    audited = dict(project.prompts.filter(responses__isnull=False).values_list("pk", "audit"))
    ahead = assign_splits([str(pk) for pk in audited], snapshotting.SPLIT_SEED)
    return ahead | {str(pk): "test" for pk, audit in audited.items() if audit}


def aim_at(
    project: Project,
    ensemble: Ensemble | None,
    pool: ResponsePool,
    candidates: CandidatePairs,
    rng: np.random.Generator,
    patience: float | None,
) -> aiming.Aim:
    """The target; before the first run every pair alike where the deployment prompts are not embedded yet."""
    if ensemble is not None:
        return aiming.aim(project=project, pool=pool, candidates=candidates, rng=rng)
    embed = partial(embedding.embed_texts, seconds=patience)
    try:
        return aiming.aim(project=project, pool=pool, candidates=candidates, rng=rng, embed=embed)
    except scoring.ScoringFailed as error:
        return aiming.Aim(
            None, note=said("Not aimed at the deployment prompts: {why}", why=featuring.brief(error))
        )


def pool_of(
    project: Project, ensemble: Ensemble | None, patience: float | None
) -> tuple[ResponsePool, Said | None]:
    """Every response, with what is known of it, and why that is nothing. Raises `scoring.ScoringFailed`."""
    rows = list(
        Response.objects.filter(prompt__project=project).order_by("pk").values_list("pk", "prompt_id")
    )
    ids = as_ids([str(pk) for pk, _ in rows])
    prompts = as_ids([str(prompt) for _, prompt in rows])
    if ensemble is None:
        features, lacking = featuring.features_of(project, [pk for pk, _ in rows], seconds=patience)
        return ResponsePool(response_id=ids, prompt_id=prompts, features=features), lacking
    scored = scoring.score(ensemble=ensemble, response_ids=[pk for pk, _ in rows])
    pool = ResponsePool(
        response_id=ids,
        prompt_id=prompts,
        features=scored.features,
        rewards=scored.rewards,
        temperature=scored.temperature,
        tau=scored.tau,
    )
    return pool, None


def taken_pairs(project: Project, ensemble: Ensemble | None = None) -> set[tuple[int, int]]:
    """Pairs that were judged, gold pairs, and pairs already waiting in an earlier batch; lower id first.

    For an ensemble that is to choose, what an older one picked and nobody has begun is no longer waiting.
    """
    taken: set[tuple[int, int]] = set()
    judged = Item.objects.filter(project=project, judgments__live=True)
    gold = Item.objects.filter(project=project, is_gold=True)
    stale = withdrawing.withdrawable(project, ensemble)
    waiting = Queued.objects.filter(batch__project=project, withdrawn_at=None)
    queued = Item.objects.filter(pk__in=waiting.exclude(pk__in=stale.values("pk")).values("item"))
    for chosen in (judged, gold, queued):
        taken |= _pairs_of(chosen.values_list("pk", flat=True))
    return taken


def _pairs_of(item_ids: Iterable[int]) -> set[tuple[int, int]]:
    by_item: dict[int, list[int]] = {}
    rows = ItemResponse.objects.filter(item__in=item_ids).values_list("item_id", "response_id")
    for item_id, response_id in rows:
        by_item.setdefault(item_id, []).append(response_id)
    return {(min(pair), max(pair)) for pair in by_item.values() if len(pair) == 2}


def _labelled(project: Project, trained_on: Collection[str]) -> LabelledPairs | None:
    labels = list(
        SoftLabel.objects.filter(project=project, criterion=project.main_criterion)
        .order_by("pk")
        .values_list(
            "response_a_id", "response_b_id", "p_a", "p_tie", "p_b", "effective_votes", "item__prompt_id"
        )
    )
    if not labels:
        return None
    return LabelledPairs(
        response_a=as_ids([str(row[0]) for row in labels]),
        response_b=as_ids([str(row[1]) for row in labels]),
        shares=np.array([row[2:5] for row in labels]),
        votes=np.array([row[5] for row in labels]),
        held_out=np.array([str(row[6]) not in trained_on for row in labels]),
    )


def _select(
    pool: ResponsePool,
    candidates: CandidatePairs,
    labelled: LabelledPairs | None,
    measured: Collection[str],
    due: Sequence[AuditPair],
    n: int,
    rng: np.random.Generator,
    recipe: Recipe,
    target: CandidatePairs | None,
) -> Selection:
    """A share of the audit set, as long as some of it is due, the rest by the recipe from prompts that do not
    measure. Where the recipe runs short the audit set goes on, then other test prompts, drawn by chance.
    """
    waiting = _as_candidates(candidates, due)  # also those that got a first vote since they were drawn
    others = _subset(candidates, ~np.isin(_keys(candidates), _keys(waiting)))
    size = min(n, len(waiting) + len(others))
    ahead = assign_splits(pool.prompt_id.tolist(), snapshotting.SPLIT_SEED)  # once all of them are judged
    test = np.array(sorted({prompt for prompt, split in ahead.items() if split == "test"} | set(measured)))
    on_test = np.isin(others.prompts, test)
    share = min(round(AUDIT_SHARE * size), len(waiting))
    eligible = _subset(others, ~on_test)
    wanted = min(size - share, len(eligible))
    picked: Selection
    picked, unused = on_device.select(
        "pairs",
        *(pool, eligible, labelled),
        candidates=len(eligible),
        n=wanted,
        rng=rng,
        recipe=recipe,
        target=target,
    )
    short = size - share - len(picked.pairs)
    share += min(short, len(waiting) - share)
    audit = _audit(pool, waiting, due[:share], rng)
    rest = size - len(audit) - len(picked.pairs)
    by_chance = select_batch(pool, _subset(others, on_test), n=rest, rng=rng, recipe=recipe_named("random"))
    notes = list(picked.notes) if eligible else []
    if short:
        notes.append(
            counted(
                short,
                "{n} pair more is random: other open pairs are of prompts that measure the model.",
                "{n} pairs more are random: other open pairs are of prompts that measure the model.",
            )
        )
    if size < n:
        notes.append(only_open(size, n))
    notes += [unused] if unused else []
    measuring = tuple(
        dataclasses.replace(pair, reason="audit", explanation=AUDIT) for pair in (*audit, *by_chance.pairs)
    )
    quotas: dict[Reason, int] = {**picked.quotas, "audit": len(measuring)}
    return dataclasses.replace(
        picked,
        pairs=_spread(measuring, picked.pairs),
        quotas={rule: count for rule, count in quotas.items() if count},
        candidates=len(waiting) + len(others),
        notes=tuple(notes),
    )


def _audit(
    pool: ResponsePool, waiting: CandidatePairs, due: Sequence[AuditPair], rng: np.random.Generator
) -> list[SelectedPair]:
    """These pairs, the first of those waiting, with their scores, in the order and with the chance in which
    they were drawn."""
    chosen = _subset(waiting, np.arange(len(waiting)) < len(due))
    described = select_batch(pool, chosen, n=len(due), rng=rng, recipe=recipe_named("random"))
    found = {(int(pair.response_a), int(pair.response_b)): pair for pair in described.pairs}
    return [
        dataclasses.replace(found[pair.response_a_id, pair.response_b_id], propensity=pair.propensity)
        for pair in due
    ]


def _as_candidates(candidates: CandidatePairs, due: Sequence[AuditPair]) -> CandidatePairs:
    return CandidatePairs.from_ids(
        candidates.response_id,
        candidates.prompt_id,
        [str(pair.response_a_id) for pair in due],
        [str(pair.response_b_id) for pair in due],
    )


def _subset(candidates: CandidatePairs, mask: Mask) -> CandidatePairs:
    return dataclasses.replace(
        candidates,
        first=candidates.first[mask],
        second=candidates.second[mask],
        sampling_probability=candidates.sampling_probability[mask],
    )


def _keys(pairs: CandidatePairs) -> Positions:
    return pair_keys(pairs.first, pairs.second, len(pairs.response_id))


def _spread(*groups: Iterable[SelectedPair]) -> tuple[SelectedPair, ...]:
    """Every group evenly spread over the batch, its own order kept; ranks from 1."""
    placed = []
    for which, group in enumerate(map(tuple, groups)):
        placed += [((turn + 0.5) / len(group), which, turn, pair) for turn, pair in enumerate(group)]
    ordered = sorted(placed, key=lambda entry: entry[:3])
    return tuple(dataclasses.replace(entry[3], rank=rank) for rank, entry in enumerate(ordered, start=1))
