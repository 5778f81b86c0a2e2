"""What tests of the monitoring pages share: items with votes, and the words of a page."""

import random
import re
from datetime import UTC, datetime

from accounts.models import User
from annotation.models.project import Project
from annotation.models.work import Item
from tests import factories

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def judged(project: Project, votes: str, *, seconds: float | None = 30.0, start: int = 0) -> Item:
    """An item with one vote a letter (a, b, t), by the project's first voters, the sides drawn."""
    item = factories.pair_item(project, slots_left=len(votes))
    seen = project.items.count()  # not the key: the sides are the same in every run
    choices = {"a": "a", "b": "b", "t": "tie"}
    for number, letter in enumerate(votes, start=start):
        voter, _ = User.objects.get_or_create(username=f"voter-{number}")
        order = (0, 1) if random.Random(100 * seen + number).random() < 0.5 else (1, 0)
        factories.judgment(
            item,
            voter,
            choices[letter],
            seconds=seconds,
            source="simulated",
            judged_at=NOON,
            display_order=order,
        )
    return item


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())
