"""Queue what people should judge next: the pairs that were chosen become items ahead of everything else."""

import secrets
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager

from django.db import transaction
from django.db.models import Max

from accounts.models import User
from accounts.services import audit
from activelearning.acquisition.selection import SelectedPair as Chosen
from activelearning.models import LoopPolicy, SelectedPair, SelectionBatch
from activelearning.services import (
    auditing,
    choosing,
    group_queue,
    grouping,
    recording,
    steering,
    withdrawing,
)
from activelearning.services.choosing import Choice
from activelearning.services.holding import held
from activelearning.services.policies import policy_of
from activelearning.services.repeating import Plan
from annotation.models.project import Project
from annotation.services import items


class InvalidSelection(ValueError):
    """The selection cannot be made as asked; the message says what to change."""


class SelectionUnderWay(InvalidSelection):
    """Another selection for the project was still being made when the waiting ended."""


def select(
    *,
    project: Project,
    n: int,
    actor: User | None = None,
    seed: int | None = None,
    wait: float = 60.0,
    patience: float | None = choosing.PATIENCE,
) -> SelectionBatch | None:
    """Queue up to `n` pairs nobody has judged, each with the reason it was chosen; None if there is none.

    Scores every candidate pair with the active ensemble; without one the pairs are drawn at random. In
    projects that rank or rate these are groups of responses, see `grouping`.
    wait: seconds for another selection to end. patience: seconds for texts to be embedded where there is no
    ensemble, None: as long as it takes. Raises `InvalidSelection`, `scoring.ScoringFailed`.
    """
    with alone(project, wait=wait) as mine:
        if not mine:
            raise SelectionUnderWay(
                f"Another selection for {project.slug} is being made: try again when its batch is there."
            )
        choice = choose(project=project, n=n, seed=seed, patience=patience)
        return queue(project=project, choice=choice, actor=actor)


def alone(project: Project, *, wait: float = 0.0) -> AbstractContextManager[bool]:
    """Whether it is our turn to choose and queue; false while another selection is being made.

    Around both: whoever chooses before another has queued gets the same pairs, and queues what is left.
    """
    return held(f"selection/{project.pk}", wait=wait)


def choose(
    *, project: Project, n: int, seed: int | None = None, patience: float | None = choosing.PATIENCE
) -> Choice:
    """The first half of `select`, which takes long and queues nothing. Raises as `select` does."""
    if n < 1:
        raise InvalidSelection(f"{n} pairs: ask for at least one.")
    seed = secrets.randbits(48) if seed is None else seed
    way = choosing.choose if project.kind == Project.Kind.PAIRWISE else grouping.choose
    return way(
        project=project,
        n=n,
        seed=seed,
        recipe=steering.recipe_for(project),
        policy=policy_of(project),
        patience=patience,
    )


@transaction.atomic
def queue(
    *, project: Project, choice: Choice, actor: User | None = None, refill: bool = False
) -> SelectionBatch | None:
    """Write the batch and make its pairs the first items people get; the newest batch comes first.

    What an older model picked and nobody has begun is withdrawn first. A pair that was judged or queued since
    it was chosen is left out, but for one of the audit set that still wants votes; so is a pair that a score
    picked of a prompt that measures by now. None when no pair remains. refill: it came between two turns.
    """
    if isinstance(choice, grouping.GroupChoice):
        return group_queue.queue(project=project, choice=choice, actor=actor, refill=refill)
    project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)  # numbers are given in turn
    policy = policy_of(project)
    withdrawing.withdraw(project, choice.ensemble)
    awaited = auditing.awaited(project=project, policy=policy)
    chosen = _still_open(project, choice, awaited)
    if not chosen and not choice.again.repeats:
        return None
    new = [pair.rank for pair in chosen if pair.reason != "audit" and _key(pair) not in awaited]
    twice = recording.drawn_twice(project, policy, choice.seed, new)
    batch = recording.write_batch(project=project, choice=choice, policy=policy, twice=twice, refill=refill)
    _queue_new(batch, policy, chosen, awaited, twice)
    repeated = _queue_again(batch, choice.again)
    if not chosen and not repeated:
        batch.delete()
        return None
    detail = {"batch": batch.number, "pairs": len(chosen) + repeated}
    audit.record(actor=actor, project=project, action="selection", detail=detail)
    return batch


def _still_open(project: Project, choice: Choice, awaited: Collection[auditing.Pair]) -> list[Chosen]:
    taken = choosing.taken_pairs(project)
    measuring = set(project.prompts.filter(audit=True).values_list("pk", flat=True))
    return [
        pair
        for pair in choice.selection.pairs
        if _key(pair) in awaited
        or (_key(pair) not in taken and (pair.reason == "audit" or int(pair.prompt_id) not in measuring))
    ]


def _queue_new(
    batch: SelectionBatch,
    policy: LoopPolicy,
    chosen: Sequence[Chosen],
    awaited: Collection[auditing.Pair],
    twice: Collection[int],
) -> None:
    project = batch.project
    measured, more = auditing.votes_wanted(project, policy), project.overlap + 1
    queued = items.queue_pairs(
        project=project,
        pairs=[(int(pair.response_a), int(pair.response_b)) for pair in chosen],
        priority=batch.number,
        origins=recording.origins(chosen),
        overlaps=[
            measured if _key(pair) in awaited else more if pair.rank in twice else None for pair in chosen
        ],
    )
    auditing.note_queued(project=project, items=dict(zip(map(_key, chosen), queued, strict=True)))
    recording.write_picks(batch, chosen, queued)


def _queue_again(batch: SelectionBatch, again: Plan) -> int:
    """Ask about judged pairs once more; how many still can be. They come last by rank, not in the queue."""
    asked = items.ask_again(
        project=batch.project,
        items=[one.item for one in again.repeats],
        most=again.most_votes,
        priority=batch.number,
    )
    last = batch.pairs.aggregate(last=Max("rank"))["last"] or 0
    standing = [one for one in again.repeats if one.item in set(asked)]
    SelectedPair.objects.bulk_create(
        SelectedPair(
            batch=batch,
            rank=rank,
            item_id=one.item,
            response_a_id=one.response_a,
            response_b_id=one.response_b,
            reason=SelectedPair.Reason.REPEAT,
            **recording.explained(one.explanation),
            scores=dict(one.scores),
        )
        for rank, one in enumerate(standing, start=last + 1)
    )
    return len(standing)


def _key(pair: Chosen) -> auditing.Pair:
    a, b = int(pair.response_a), int(pair.response_b)
    return (a, b) if a < b else (b, a)
