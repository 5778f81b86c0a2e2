"""The audit set: pairs drawn by chance, once, from prompts that the model never learns from.

What the set says of a model is comparable from turn to turn because nothing about it moves: a prompt that
measures does so for ever, and no pair that was drawn is drawn again or replaced, judged or not.
"""

from dataclasses import dataclass

import numpy as np
from django.db import transaction
from django.db.models import Count, Max, Q, QuerySet

from activelearning.acquisition.candidates import candidate_pairs
from activelearning.acquisition.pool import CandidatePairs
from activelearning.models import AuditPair, LoopPolicy
from activelearning.services.policies import policy_of
from annotation.interchange.snapshot import read_splits
from annotation.interchange.split import assign_splits
from annotation.models.content import Prompt, Response
from annotation.models.project import MOST_VOTES, Project
from annotation.models.quality import SoftLabel
from annotation.models.work import Item, ItemResponse
from annotation.services import snapshotting
from rewardmodel.models import TrainingRun
from rewardmodel.services.running import ACTIVE

Pair = tuple[int, int]  # responses, lower id first


@transaction.atomic
def ensure(*, project: Project, policy: LoopPolicy, rng: np.random.Generator) -> int:
    """Draw what the audit set lacks of `policy.audit_pairs`; how many pairs it has now.

    Prompts: those which the split puts into the test, but none that a model has learned from. Pairs: drawn
    uniformly from all of those prompts which are not gold, not queued and not judged; a pair that already
    has as many votes as the audit wants may be drawn too, and counts at once. Propensity is the chance of
    the pair at the drawing that took it. A later call adds pairs only while the set is smaller than asked,
    as when prompts came in. Two calls at once take turns.
    """
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    _settle(project, policy)
    kept = project.audit_pairs.aggregate(pairs=Count("pk"), last=Max("rank"))
    if (lacking := policy.audit_pairs - kept["pairs"]) <= 0:
        return int(kept["pairs"])
    freeze_prompts(project)
    found = _candidates(project, policy, rng)
    drawn = rng.choice(len(found), min(lacking, len(found)), replace=False)
    first, second = found.response_a[drawn].astype(int), found.response_b[drawn].astype(int)
    chances = found.sampling_probability[drawn] * (len(drawn) / max(1, len(found)))
    AuditPair.objects.bulk_create(
        AuditPair(
            project=project,
            rank=(kept["last"] or 0) + turn,
            response_a_id=min(a, b),
            response_b_id=max(a, b),
            propensity=chance,
        )
        for turn, (a, b, chance) in enumerate(
            zip(first.tolist(), second.tolist(), chances.tolist(), strict=True), start=1
        )
    )
    _settle(project, policy)
    return int(kept["pairs"]) + len(drawn)


def due(*, project: Project, n: int | None = None) -> list[AuditPair]:
    """The next `n` pairs, or all, which are not queued yet, in the order of drawing."""
    return list(waiting(project).order_by("rank")[:n])


def awaited(*, project: Project, policy: LoopPolicy) -> set[Pair]:
    """The pairs that are not queued yet and want votes. The caller holds the project's lock."""
    _settle(project, policy)
    return set(waiting(project).values_list("response_a_id", "response_b_id"))


def votes_wanted(project: Project, policy: LoopPolicy) -> int:
    """How many people judge each pair of the audit set."""
    return min(MOST_VOTES, max(policy.audit_votes, project.overlap))


def note_queued(*, project: Project, items: dict[Pair, Item]) -> None:
    """Say of audit pairs which items they have become. The caller holds the project's lock."""
    queued = [pair for pair in waiting(project) if (pair.response_a_id, pair.response_b_id) in items]
    for pair in queued:
        pair.item = items[pair.response_a_id, pair.response_b_id]
    AuditPair.objects.bulk_update(queued, ["item"])


@dataclass(frozen=True)
class AuditedPair:
    """A judged pair of the audit set. Shares of its votes, of which p_a + p_tie + p_b = 1."""

    rank: int
    item_id: int
    prompt_id: int
    response_a: int  # the lower id
    response_b: int
    p_a: float
    p_tie: float
    p_b: float
    votes: int
    propensity: float


@dataclass(frozen=True)
class AuditSet:
    """What is judged of the audit set, and how far it is. asked: how large the policy wants it; queued: given
    to people, or judged before; judged: with as many votes as the policy wants."""

    labels: tuple[AuditedPair, ...]
    asked: int
    pairs: int
    prompts: int
    queued: int
    judged: int


def audit_set(project: Project, *, votes: int | None = None) -> AuditSet:
    """The pairs with at least `votes` votes (None: as many as the policy wants) on the main criterion, in
    the order of drawing, as the soft labels of now have it; and the counts."""
    policy = policy_of(project)
    rows = list(project.audit_pairs.select_related("response_a").order_by("rank"))
    labels = SoftLabel.objects.filter(
        project=project, criterion=project.main_criterion, item__audits__isnull=False
    )
    label_of = {_place(label): label for label in labels}  # an item of several responses has several
    judged = [(row, label_of[_place(row)]) for row in rows if _place(row) in label_of]
    least = policy.audit_votes if votes is None else votes
    return AuditSet(
        labels=tuple(_judged(row, label) for row, label in judged if label.votes >= least),
        asked=policy.audit_pairs,
        pairs=len(rows),
        prompts=len({row.response_a.prompt_id for row in rows}),
        queued=sum(row.item_id is not None for row in rows),
        judged=sum(label.votes >= policy.audit_votes for _, label in judged),
    )


def _place(one: AuditPair | SoftLabel) -> tuple[int | None, frozenset[int]]:
    return one.item_id, frozenset((one.response_a_id, one.response_b_id))


def _judged(row: AuditPair, label: SoftLabel) -> AuditedPair:
    shares = (label.p_a, label.p_tie, label.p_b)
    if label.response_a_id != row.response_a_id:
        shares = (label.p_b, label.p_tie, label.p_a)
    return AuditedPair(
        rank=row.rank,
        item_id=label.item_id,
        prompt_id=row.response_a.prompt_id,
        response_a=row.response_a_id,
        response_b=row.response_b_id,
        p_a=shares[0],
        p_tie=shares[1],
        p_b=shares[2],
        votes=label.votes,
        propensity=row.propensity,
    )


def waiting(project: Project) -> QuerySet[AuditPair]:
    """The pairs that are not queued yet."""
    return project.audit_pairs.filter(item__isnull=True)


def _settle(project: Project, policy: LoopPolicy) -> None:
    """A pair that got its votes without being queued, by an import, is queued no more."""
    first = list(waiting(project).values_list("response_a_id", flat=True))
    if first:
        named = Item.objects.filter(project=project, is_gold=False, responses__in=first)
        note_queued(project=project, items=_items(with_votes(named, policy.audit_votes)))


def with_votes(chosen: QuerySet[Item], votes: int) -> QuerySet[Item]:
    """Those with so many live votes."""
    counted = chosen.alias(live=Count("judgments", filter=Q(judgments__live=True), distinct=True))
    return counted.filter(live__gte=max(1, votes))


def _items(chosen: QuerySet[Item]) -> dict[Pair, Item]:
    """The items of two responses among these, by their pair."""
    sides: dict[int, list[int]] = {}
    places = ItemResponse.objects.filter(item__in=chosen.values("pk")).order_by("item_id", "response_id")
    for item_id, response_id in places.values_list("item_id", "response_id"):
        sides.setdefault(item_id, []).append(response_id)
    found = Item.objects.in_bulk([item_id for item_id, pair in sides.items() if len(pair) == 2])
    return {(sides[item_id][0], sides[item_id][1]): item for item_id, item in found.items()}


def freeze_prompts(project: Project) -> None:
    """From now on the test prompts measure, whatever comes in later."""
    ids = [str(pk) for pk in project.prompts.order_by("pk").values_list("pk", flat=True)]
    splits = assign_splits(ids, snapshotting.SPLIT_SEED)
    test = {int(prompt) for prompt, split in splits.items() if split == "test"}
    Prompt.objects.filter(project=project, pk__in=test - _learned_from(project), audit=False).update(
        audit=True
    )


def _learned_from(project: Project) -> set[int]:
    """Prompts that an ensemble has seen, also one in use before: a model may begin where it ended, and
    anybody may roll back to it. And those of a run under way."""
    runs = TrainingRun.objects.filter(project=project).filter(Q(ensemble__isnull=False) | Q(state__in=ACTIVE))
    seen: set[int] = set()
    for folder in {snapshotting.folder_of(run.snapshot) for run in runs.select_related("snapshot")}:
        try:
            splits = read_splits(folder)
        except FileNotFoundError:  # somebody made room on the disk: then nobody can say what it saw
            continue
        seen |= {int(prompt) for prompt, split in splits.items() if split != "test"}
    return seen


def _candidates(project: Project, policy: LoopPolicy, rng: np.random.Generator) -> CandidatePairs:
    """Pairs of audit prompts that may be drawn."""
    taken = sorted(_taken(project, policy))  # before the responses, so that these hold every one it names
    rows = list(
        Response.objects.filter(prompt__project=project, prompt__audit=True)
        .order_by("pk")
        .values_list("pk", "prompt_id")
    )
    return candidate_pairs(
        [str(pk) for pk, _ in rows],
        [str(prompt) for _, prompt in rows],
        taken_a=[str(a) for a, _ in taken],
        taken_b=[str(b) for _, b in taken],
        rng=rng,
    )


def _taken(project: Project, policy: LoopPolicy) -> set[Pair]:
    """Pairs in the set, gold pairs, and those queued or judged that lack votes which the audit wants."""
    drawn = set(
        project.audit_pairs.filter(response_a__prompt__audit=True).values_list(
            "response_a_id", "response_b_id"
        )
    )
    of_audit = Item.objects.filter(project=project, prompt__audit=True)
    work = of_audit.filter(is_gold=False)
    begun = _items(work.filter(Q(judgments__live=True) | Q(selections__isnull=False)))
    gold = _items(of_audit.filter(is_gold=True))
    return drawn | gold.keys() | (begun.keys() - _items(with_votes(work, policy.audit_votes)).keys())
