"""Turn pairs and groups of responses into work, and ask for more votes on what is work already."""

import hashlib
import json
import random
from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db import connection, transaction
from django.db.models import Case, When

from annotation.answering.answer import MOST
from annotation.models.content import Response
from annotation.models.project import MOST_VOTES, Project
from annotation.models.work import Assignment, Item, ItemResponse, Judgment
from annotation.services import import_merge, slots
from annotation.services.import_staging import response_set

IMPORTED, LAST_RESORT = 0, -1  # priorities: of what was imported, and of what nobody wants any more


class UnfitGroup(ValueError):
    """Responses that cannot be compared; the message says why."""


class UnfitPair(UnfitGroup):
    """Two responses that cannot be compared; the message says why."""


class UnfitVotes(ValueError):
    """A number of votes that no item can want; the message says which it can."""


@transaction.atomic
def queue_pairs(
    *,
    project: Project,
    pairs: Sequence[tuple[int, int]],
    priority: int,
    origins: Sequence[str],
    overlaps: Sequence[int | None] | None = None,
) -> list[Item]:
    """The items of these response pairs, at this priority, in the order given.

    A pair that is already an item (in either order) keeps its row and its origin and moves up; the others
    are created with the origin given. `overlaps` says how many votes each pair wants, None as many as the
    project says; an item that is there already may come to want more, never fewer. Raises `UnfitPair` for
    responses of different prompts or projects, `UnfitVotes` for votes that no item can want.
    """
    return _queue(project, pairs, priority, origins, overlaps)


@transaction.atomic
def queue_groups(
    *,
    project: Project,
    groups: Sequence[Sequence[int]],
    priority: int,
    origins: Sequence[str],
    overlaps: Sequence[int | None] | None = None,
) -> list[Item]:
    """The same for groups of responses that are ranked or rated together, at least two in each.

    A group is known whatever the order of its responses. Raises `UnfitGroup`, also for one with more
    responses than a question of this kind shows; `UnfitVotes`.
    """
    most = MOST[project.kind]
    for group in groups:
        if not 2 <= len(group) <= most:
            raise UnfitGroup(f"A group of {len(group)} responses: a {project.kind} compares 2 to {most}.")
    return _queue(project, groups, priority, origins, overlaps)


def _queue(
    project: Project,
    groups: Sequence[Sequence[int]],
    priority: int,
    origins: Sequence[str],
    overlaps: Sequence[int | None] | None,
) -> list[Item]:
    overlaps = overlaps if overlaps is not None else [None] * len(groups)
    for votes in overlaps:
        if votes is not None:
            _check_votes(votes)
    with connection.cursor() as cursor:
        import_merge.lock(cursor, project.pk)  # an import that brings the same responses waits
    project.refresh_from_db(fields=["overlap"])  # it changes under this lock only
    responses = _responses(project, groups)
    sets = [_set_of(responses, group) for group in groups]
    known = {
        item.response_set: item
        for item in Item.objects.select_for_update(no_key=True)
        .filter(project=project, response_set__in=sets, is_gold=False)
        .order_by("pk")
    }
    old = list(known.values())
    fresh: list[Item] = []
    for group, set_hash, origin in zip(groups, sets, origins, strict=True):
        if set_hash not in known:
            known[set_hash] = _new_item(project, responses[group[0]].prompt_id, set_hash, origin, priority)
            fresh.append(known[set_hash])
    wanted = _most_wanted(sets, overlaps)
    for item in fresh:
        item.overlap = wanted.get(item.response_set)
        item.slots_left = item.overlap or project.overlap
    Item.objects.filter(pk__in=[item.pk for item in old]).update(priority=priority)
    _raise_overlap(project, old, wanted)
    Item.objects.bulk_create(fresh)
    group_of = dict(zip(sets, groups, strict=True))
    _place(fresh, [group_of[item.response_set] for item in fresh])
    return [known[set_hash] for set_hash in sets]


@transaction.atomic
def ask_again(
    *, project: Project, items: Collection[int], votes: int = 1, most: int, priority: int
) -> list[int]:
    """Each of these items is to get `votes` more votes than it has, at this priority, but not over `most`.

    What it has are its live judgments and what people hold of it now. The ids of the items that did not want
    as many before: one whose places are still free is left as it is, so asking twice is asking once. So are
    gold, retired items and those of other projects. Whoever has answered an item does not get it again.
    Raises `UnfitVotes`.
    """
    _check_votes(votes)
    _check_votes(most)
    with connection.cursor() as cursor:
        import_merge.lock(cursor, project.pk)  # no votes come in and the project's overlap stays, meanwhile
    return slots.want_more(project, items, votes=votes, most=most, priority=priority)


@transaction.atomic
def put_back(*, project: Project, items: Collection[int]) -> list[int]:
    """Items that nobody has begun go behind what waits ahead of them; the ids of those that did.

    What was imported goes back to where imports are; what was made only to be asked about comes last of all.
    Begun is an item that somebody holds, answered, skipped or flagged; an expired hold is forgotten. They are
    locked before that is asked, so nobody takes one meanwhile.
    """
    mine = Item.objects.filter(project=project, pk__in=items, is_gold=False)
    locked = list(mine.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
    held = Assignment.objects.filter(item__in=locked).exclude(state=Assignment.State.EXPIRED)
    voted = Judgment.objects.filter(item__in=locked, live=True)
    begun = {*held.values_list("item_id", flat=True), *voted.values_list("item_id", flat=True)}
    back = [pk for pk in locked if pk not in begun]
    Item.objects.filter(pk__in=back).update(
        priority=Case(When(origin=Item.Origin.SELECTED, then=LAST_RESORT), default=IMPORTED)
    )
    return back


def _check_votes(votes: int) -> None:
    if not 1 <= votes <= MOST_VOTES:
        raise UnfitVotes(f"An item can want 1 to {MOST_VOTES} votes, not {votes}.")


def _most_wanted(sets: Sequence[str], overlaps: Sequence[int | None]) -> dict[str, int]:
    """A pair that is given twice wants the larger number."""
    wanted: dict[str, int] = {}
    for set_hash, votes in zip(sets, overlaps, strict=True):
        if votes is not None:
            wanted[set_hash] = max(votes, wanted.get(set_hash, 0))
    return wanted


def _raise_overlap(project: Project, items: Iterable[Item], wanted: Mapping[str, int]) -> None:
    """Items, locked, that are to want more votes than they do; places that are taken stay taken."""
    raised = []
    for item in items:
        votes = wanted.get(item.response_set, 0)
        if votes > (item.overlap or project.overlap):
            item.overlap = votes
            raised.append(item)
    Item.objects.bulk_update(raised, ["overlap"])
    slots.recount_slots([item.pk for item in raised])


def _responses(project: Project, groups: Iterable[Sequence[int]]) -> dict[int, Response]:
    wanted = {pk for group in groups for pk in group}
    found = {
        response.pk: response
        for response in Response.objects.filter(pk__in=wanted, prompt__project=project).only(
            "key", "prompt_id"
        )
    }
    if missing := wanted - found.keys():
        raise UnfitPair(f"Response {min(missing)} is not in project {project.slug}.")
    return found


def _set_of(responses: dict[int, Response], group: Sequence[int]) -> str:
    found = [responses[pk] for pk in group]
    if len({one.prompt_id for one in found}) > 1 or len(set(group)) < len(group):
        if len(group) == 2:
            raise UnfitPair(f"Responses {group[0]} and {group[1]} cannot be compared: two of one prompt can.")
        raise UnfitGroup(f"Responses {list(group)} cannot be compared: each once, and of one prompt.")
    return response_set([one.key for one in found])


def _new_item(project: Project, prompt_id: int, set_hash: str, origin: str, priority: int) -> Item:
    # Of a group, too: the set of responses tells them apart.
    key = json.dumps(["laurel.item.pair/1", origin == Item.Origin.GOLD, set_hash])
    return Item(
        project=project,
        prompt_id=prompt_id,
        key=hashlib.sha256(key.encode()).hexdigest(),
        response_set=set_hash,
        origin=origin,
        priority=priority,
        shuffle=random.random(),  # noqa: S311  an order, not a secret
        slots_left=project.overlap,
    )


def _place(items: Sequence[Item], groups: Sequence[Sequence[int]]) -> None:
    ItemResponse.objects.bulk_create(
        ItemResponse(item=item, response_id=pk, position=position)
        for item, group in zip(items, groups, strict=True)
        for position, pk in enumerate(group)
    )
