"""Very many items in a moment: rows written in bulk, all on one prompt with its pairs of responses."""

import hashlib
import itertools
import math
import random

from annotation.models.content import Response
from annotation.models.project import Project
from annotation.models.work import Item, ItemResponse
from annotation.services.import_staging import response_set
from tests import factories


def many_pair_items(of: Project, count: int, *, size: int = 2) -> list[Item]:
    """`count` items of `size` responses each, in random order of the queue."""
    prompt = factories.prompt(of)
    needed = next(n for n in itertools.count(size) if math.comb(n, size) >= count)
    texts = [f"Answer {number} of many." for number in range(needed)]
    responses = Response.objects.bulk_create(
        Response(prompt=prompt, key=hashlib.sha256(text.encode()).hexdigest(), text=text) for text in texts
    )
    groups = list(itertools.islice(itertools.combinations(responses, size), count))
    sets = [response_set([response.key for response in group]) for group in groups]
    items = Item.objects.bulk_create(
        Item(
            project=of,
            prompt=prompt,
            key=set_hash,
            response_set=set_hash,
            origin=Item.Origin.IMPORTED,
            shuffle=random.random(),
            slots_left=of.overlap,
        )
        for set_hash in sets
    )
    ItemResponse.objects.bulk_create(
        ItemResponse(item=item, response=response, position=position)
        for item, group in zip(items, groups, strict=True)
        for position, response in enumerate(group)
    )
    return items
