"""The audit set of a ranking or rating project: the pairs within groups that are drawn by chance, once.

As in `auditing` nothing about it moves: prompts that measure do so for ever, and no pair is drawn again. A
prompt has at most one group that is not queued yet, so the pairs of a prompt which wait are those of a group.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from django.db import transaction
from django.db.models import Count, Max, Q

from activelearning.acquisition.group_pool import DrawnGroup, OpenGroups, draw_one, open_groups
from activelearning.acquisition.pool import as_ids
from activelearning.models import AuditPair, LoopPolicy
from activelearning.services import auditing
from annotation.models.content import Response
from annotation.models.project import Project
from annotation.models.work import Item, ItemResponse
from annotation.services.import_staging import response_set

Group = frozenset[int]  # responses


@dataclass(frozen=True)
class AuditGroup:
    """A group that is not queued yet. pair: the first of it; propensity: chance of its drawing."""

    prompt: int
    responses: Group
    pair: tuple[int, int]
    propensity: float


@transaction.atomic
def ensure(*, project: Project, policy: LoopPolicy, size: int, rng: np.random.Generator) -> int:
    """Draw what the audit set lacks of `policy.audit_pairs`; how many pairs it has now.

    Prompts as in `auditing.ensure`; one group of each, uniformly among its items that nobody has begun, those
    with as many votes as the audit wants, which count at once, and `size` of the responses that are in none.
    The last group may bring a few pairs more than were lacking. Two calls at once take turns.
    """
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    _settle(project, policy)
    kept = project.audit_pairs.aggregate(pairs=Count("pk"), last=Max("rank"))
    have = int(kept["pairs"])
    if have >= policy.audit_pairs:
        return have
    auditing.freeze_prompts(project)
    known = {frozenset(pair) for pair in project.audit_pairs.values_list("response_a_id", "response_b_id")}
    rows: list[tuple[int, int, float]] = []
    for group, chance in _drawn(project, policy, known, policy.audit_pairs - have, size, rng):
        fresh = [(a, b) for a in group for b in group if a < b and frozenset((a, b)) not in known]
        rows += [(a, b, chance) for a, b in sorted(fresh)]
    AuditPair.objects.bulk_create(
        AuditPair(
            project=project,
            rank=(kept["last"] or 0) + turn,
            response_a_id=a,
            response_b_id=b,
            propensity=chance,
        )
        for turn, (a, b, chance) in enumerate(rows, start=1)
    )
    _settle(project, policy)
    return have + len(rows)


def due(project: Project) -> list[AuditGroup]:
    """The groups that are not queued yet, in the order of drawing."""
    pairs: dict[int, list[AuditPair]] = {}
    for pair in auditing.waiting(project).select_related("response_a").order_by("rank"):
        pairs.setdefault(pair.response_a.prompt_id, []).append(pair)
    return [
        AuditGroup(
            prompt=prompt,
            responses=frozenset(pk for one in group for pk in (one.response_a_id, one.response_b_id)),
            pair=(group[0].response_a_id, group[0].response_b_id),
            propensity=group[0].propensity,
        )
        for prompt, group in pairs.items()
    ]


def awaited(*, project: Project, policy: LoopPolicy) -> set[Group]:
    """The groups that are not queued yet and want votes. The caller holds the project's lock."""
    _settle(project, policy)
    return {one.responses for one in due(project)}


def note_queued(*, project: Project, items: Mapping[Group, Item]) -> None:
    """Say of the groups that wait which items they have become. The caller holds the project's lock."""
    become = {one.prompt: items[one.responses] for one in due(project) if one.responses in items}
    waiting = auditing.waiting(project).filter(response_a__prompt__in=become).select_related("response_a")
    queued = list(waiting)
    for pair in queued:
        pair.item = become[pair.response_a.prompt_id]
    AuditPair.objects.bulk_update(queued, ["item"])


def _settle(project: Project, policy: LoopPolicy) -> None:
    """A group that got its votes without being queued is queued no more."""
    groups = {one.responses for one in due(project)}
    if not groups:
        return
    ids = {pk for group in groups for pk in group}
    key = dict(Response.objects.filter(pk__in=ids).values_list("pk", "key"))
    named = {response_set([key[pk] for pk in group]): group for group in groups}
    judged = auditing.with_votes(
        Item.objects.filter(project=project, is_gold=False, response_set__in=named), policy.audit_votes
    )
    note_queued(project=project, items={named[item.response_set]: item for item in judged})


def _drawn(
    project: Project,
    policy: LoopPolicy,
    known: set[frozenset[int]],
    lacking: int,
    size: int,
    rng: np.random.Generator,
) -> list[tuple[Group, float]]:
    """Groups of different prompts with their chances: as few as bring so many pairs."""
    ids, found = _open(project, policy, known)
    places: dict[int, list[int]] = {}
    for place, rows in enumerate((*found.waiting, *found.free)):
        places.setdefault(int(found.prompt[rows[0]]), []).append(place)
    drawn: list[DrawnGroup] = []
    pairs = 0
    for prompt in rng.permutation(sorted(places)).tolist():
        if pairs >= lacking:
            break
        place = int(rng.choice(places[prompt]))
        drawn.append(draw_one(found, place, size, rng, 1 / len(places[prompt])))
        pairs += len(drawn[-1].rows) * (len(drawn[-1].rows) - 1) // 2
    part = len(drawn) / max(1, len(places))
    return [(frozenset(ids[one.rows].tolist()), one.chance * part) for one in drawn]


def _open(project: Project, policy: LoopPolicy, known: set[frozenset[int]]) -> tuple[np.ndarray, OpenGroups]:
    """Response ids of the audit prompts that have no group waiting, and what may be drawn there."""
    asked: list[list[str]] = [sorted(str(pk) for pk in pair) for pair in known]
    busy = auditing.waiting(project).values("response_a__prompt")
    items = Item.objects.filter(project=project, prompt__audit=True).exclude(prompt__in=busy)
    groups: dict[int, list[int]] = {}
    places = ItemResponse.objects.filter(item__in=items.values("pk")).order_by("item_id", "response_id")
    for item, response in places.values_list("item_id", "response_id"):
        groups.setdefault(item, []).append(response)
    work = items.filter(is_gold=False, retired_at=None)
    begun = work.filter(Q(judgments__live=True) | Q(selections__isnull=False)).values_list("pk", flat=True)
    judged = auditing.with_votes(work, policy.audit_votes).values_list("pk", flat=True)
    able = (set(work.values_list("pk", flat=True)) - set(begun)) | set(judged)
    waiting: list[list[str]] = []
    for item, group in groups.items():
        inside = {frozenset((a, b)) for a in group for b in group if a < b}
        (waiting if item in able and not inside & known else asked).append([str(pk) for pk in group])
    rows = list(
        Response.objects.filter(prompt__project=project, prompt__audit=True)
        .exclude(prompt__in=busy)
        .order_by("pk")
        .values_list("pk", "prompt_id")
    )
    here = {str(pk) for pk, _ in rows}
    found = open_groups(
        as_ids([str(pk) for pk, _ in rows]),
        as_ids([str(prompt) for _, prompt in rows]),
        waiting=waiting,
        taken=[group for group in asked if set(group) <= here],
    )
    return np.array([pk for pk, _ in rows], dtype=np.int64), found
