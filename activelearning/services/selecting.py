"""Queue what people should judge next: the pairs that were chosen become items ahead of everything else."""

import dataclasses
import secrets

from django.db import transaction
from django.db.models import Max

from accounts.models import User
from accounts.services import audit
from activelearning.acquisition.quotas import recipe_named
from activelearning.acquisition.selection import SelectedPair as Chosen
from activelearning.models import LoopPolicy, SelectedPair, SelectionBatch
from activelearning.services import auditing, choosing
from activelearning.services.choosing import Choice
from annotation.models.project import Project
from annotation.models.work import Item
from annotation.services import items

COLD_START = "cold start: random"
BY_CHANCE = ("audit", "random")


class InvalidSelection(ValueError):
    """The selection cannot be made as asked; the message says what to change."""


def select(
    *, project: Project, n: int, actor: User | None = None, seed: int | None = None
) -> SelectionBatch | None:
    """Queue up to `n` pairs nobody has judged, each with the reason it was chosen; None if there is none.

    Scores every candidate pair with the active ensemble; without one the pairs are drawn at random.
    Raises `InvalidSelection`, `scoring.ScoringFailed`.
    """
    return queue(project=project, choice=choose(project=project, n=n, seed=seed), actor=actor)


def choose(*, project: Project, n: int, seed: int | None = None) -> Choice:
    """The first half of `select`, which takes long and queues nothing. Raises as `select` does."""
    if n < 1:
        raise InvalidSelection(f"{n} pairs: ask for at least one.")
    if project.kind != Project.Kind.PAIRWISE:
        raise InvalidSelection(
            f"Only pairwise projects can be selected from; {project.slug} is {project.kind}."
        )
    policy = LoopPolicy.objects.filter(project=project).first() or LoopPolicy(project=project)
    recipe = dataclasses.replace(recipe_named(policy.recipe), random_share=policy.random_share)
    seed = secrets.randbits(48) if seed is None else seed
    return choosing.choose(project=project, n=n, seed=seed, recipe=recipe, policy=policy)


@transaction.atomic
def queue(*, project: Project, choice: Choice, actor: User | None = None) -> SelectionBatch | None:
    """Write the batch and make its pairs the first items people get; the newest batch comes first.

    A pair that was judged or queued since it was chosen is left out, but for one of the audit set that still
    wants votes; so is a pair that a score picked of a prompt that measures by now. None when no pair remains.
    """
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)  # two selections take turns
    policy = LoopPolicy.objects.filter(project=project).first() or LoopPolicy(project=project)
    taken = choosing.taken_pairs(project)
    awaited = auditing.awaited(project=project, policy=policy)
    measuring = set(project.prompts.filter(audit=True).values_list("pk", flat=True))
    chosen = [
        pair
        for pair in choice.selection.pairs
        if _key(pair) in awaited
        or (_key(pair) not in taken and (pair.reason == "audit" or int(pair.prompt_id) not in measuring))
    ]
    if not chosen:
        return None
    number = (project.selection_batches.aggregate(last=Max("number"))["last"] or 0) + 1
    batch = SelectionBatch.objects.create(
        project=project,
        number=number,
        ensemble=choice.ensemble,
        strategy=COLD_START if choice.ensemble is None else choice.recipe.name,
        config=dataclasses.asdict(choice.recipe),
        seed=choice.seed,
        candidates=choice.selection.candidates,
        notes=list(choice.selection.notes),
        survey=None if choice.survey is None else dataclasses.asdict(choice.survey),
    )
    queued = items.queue_pairs(
        project=project,
        pairs=[(int(pair.response_a), int(pair.response_b)) for pair in chosen],
        priority=number,
        origins=[Item.Origin.RANDOM if pair.reason in BY_CHANCE else Item.Origin.SELECTED for pair in chosen],
        overlaps=[
            auditing.votes_wanted(project, policy) if _key(pair) in awaited else None for pair in chosen
        ],
    )
    auditing.note_queued(project=project, items=dict(zip(map(_key, chosen), queued, strict=True)))
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
            neighbours=[dataclasses.asdict(one) for one in pair.neighbours],
        )
        for pair, item in zip(chosen, queued, strict=True)
    )
    audit.record(
        actor=actor, project=project, action="selection", detail={"batch": number, "pairs": len(chosen)}
    )
    return batch


def _key(pair: Chosen) -> auditing.Pair:
    a, b = int(pair.response_a), int(pair.response_b)
    return (a, b) if a < b else (b, a)
