"""Turn pairs of responses into work."""

import hashlib
import json
import random
from collections.abc import Iterable, Sequence

from django.db import connection, transaction

from annotation.models.content import Response
from annotation.models.project import Project
from annotation.models.work import Item, ItemResponse
from annotation.services import import_merge
from annotation.services.import_staging import response_set


class UnfitPair(ValueError):
    """Two responses that cannot be compared; the message says why."""


@transaction.atomic
def queue_pairs(
    *, project: Project, pairs: Sequence[tuple[int, int]], priority: int, origins: Sequence[str]
) -> list[Item]:
    """The items of these response pairs, at this priority, in the order given.

    A pair that is already an item (in either order) keeps its row and its origin and moves up; the others
    are created with the origin given. Raises `UnfitPair` for responses of different prompts or projects.
    """
    with connection.cursor() as cursor:
        import_merge.lock(cursor, project.pk)  # an import that brings the same pairs waits
    project.refresh_from_db(fields=["overlap"])  # it changes under this lock only
    responses = _responses(project, pairs)
    sets = [_set_of(responses, pair) for pair in pairs]
    known = {
        item.response_set: item
        for item in Item.objects.select_for_update(no_key=True)
        .filter(project=project, response_set__in=sets, is_gold=False)
        .order_by("pk")
    }
    fresh: list[Item] = []
    for pair, set_hash, origin in zip(pairs, sets, origins, strict=True):
        if set_hash not in known:
            known[set_hash] = _new_item(project, responses[pair[0]].prompt_id, set_hash, origin, priority)
            fresh.append(known[set_hash])
    Item.objects.filter(pk__in=[item.pk for item in known.values() if item.pk]).update(priority=priority)
    Item.objects.bulk_create(fresh)
    pair_of = dict(zip(sets, pairs, strict=True))
    _place(fresh, [pair_of[item.response_set] for item in fresh])
    return [known[set_hash] for set_hash in sets]


def _responses(project: Project, pairs: Iterable[tuple[int, int]]) -> dict[int, Response]:
    wanted = {pk for pair in pairs for pk in pair}
    found = {
        response.pk: response
        for response in Response.objects.filter(pk__in=wanted, prompt__project=project).only(
            "key", "prompt_id"
        )
    }
    if missing := wanted - found.keys():
        raise UnfitPair(f"Response {min(missing)} is not in project {project.slug}.")
    return found


def _set_of(responses: dict[int, Response], pair: tuple[int, int]) -> str:
    first, second = (responses[pk] for pk in pair)
    if first.prompt_id != second.prompt_id or first.pk == second.pk:
        raise UnfitPair(f"Responses {first.pk} and {second.pk} cannot be compared: two of one prompt can.")
    return response_set([first.key, second.key])


def _new_item(project: Project, prompt_id: int, set_hash: str, origin: str, priority: int) -> Item:
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


def _place(items: Sequence[Item], pairs: Sequence[tuple[int, int]]) -> None:
    ItemResponse.objects.bulk_create(
        ItemResponse(item=item, response_id=pk, position=position)
        for item, pair in zip(items, pairs, strict=True)
        for position, pk in enumerate(pair)
    )
