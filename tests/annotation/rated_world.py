"""A random project of any kind, with everything in it that does not count, and a loop over what does."""

import itertools
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.models import Membership, Role
from annotation.models.project import Project
from annotation.models.standing import Standing
from annotation.models.work import Answer, Item, Judgment
from tests import factories

CRITERIA = ("overall", "tone")
CATEGORIES = ("", "law", "poems")
GROUPS = ("", "crowd", "experts")
START = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
Said = dict[tuple[str, str, int, Any], dict[int, float]]


def rated_world(
    kind: str, seed: int = 0, *, items: int = 14, people: int = 7, days: int = 30, fewest: int = 2
) -> Project:
    """Votes of `people` in three groups on items in three categories; the last person is paused.
    Rankings and ratings are of `fewest` to four responses.

    Among the live ones stand gold, answers that were replaced, silent repeats and experts' decisions.
    """
    rng = random.Random(seed)
    criteria = [{"name": name, "description": ""} for name in CRITERIA]
    project = factories.project(kind=kind, overlap=people, criteria=criteria, rating_points=5)
    annotators = [factories.user() for _ in range(people)]
    for number, user in enumerate(annotators):
        Membership.objects.create(
            user=user, project=project, role=Role.ANNOTATOR, group=GROUPS[number % len(GROUPS)]
        )
    Standing.objects.create(project=project, annotator=annotators[0], state="active", changed_at=START)
    Standing.objects.create(project=project, annotator=annotators[-1], state="paused", changed_at=START)
    other = factories.project(kind=kind)
    Standing.objects.create(project=other, annotator=annotators[1], state="excluded", changed_at=START)
    expert = factories.user()
    for number in range(items):
        item = _item(project, rng, fewest, gold=number % 7 == 6)
        for user in rng.sample(annotators, rng.randint(0, people)):
            at = START + timedelta(days=rng.random() * days)
            first = _judge(item, user, rng, at, live=rng.random() < 0.7)
            if not first.live and rng.random() < 0.7:
                _judge(item, user, rng, at + timedelta(hours=1), supersedes=first)
            if rng.random() < 0.2:
                _judge(item, user, rng, at + timedelta(hours=2), live=False, repeat=True)
        if rng.random() < 0.4:
            _judge(item, expert, rng, START, source=Judgment.Source.EXPERT)
    return project


def said(project: Project, criterion: str) -> Said:
    """{(what the unit is, its category, its item, its place): {person: what they said}}, one by one."""
    found: Said = defaultdict(dict)
    for answer in counted(project, criterion):
        judgment = answer.judgment
        item = judgment.item
        category = item.metadata.get("category") or item.prompt.metadata.get("category", "")
        for unit, place, value in _units(answer):
            found[unit, category, item.pk, place][judgment.annotator_id] = value
    return found


def counted(project: Project, criterion: str) -> Iterator[Answer]:
    paused = {one.annotator_id for one in project.standings.exclude(state="active")}
    for answer in Answer.objects.filter(criterion=criterion).select_related("judgment__item__prompt"):
        judgment = answer.judgment
        item = judgment.item
        if item.project_id != project.pk or item.origin == Item.Origin.GOLD or judgment.repeat:
            continue
        if judgment.live and judgment.annotator_id not in paused and judgment.source != "expert":
            yield answer


def votes_of(found: Said, unit: str) -> list[Counter[float]]:
    return [Counter(by.values()) for (of, *_), by in found.items() if of == unit]


def _units(answer: Answer) -> Iterator[tuple[str, Any, float]]:
    if answer.choice:
        yield "pair", (0, 1), {"a": 1, "b": 3}.get(answer.choice, 2)
        return
    worth = answer.ratings or [-rank for rank in answer.ranks or []]
    for i, j in itertools.combinations(range(len(worth)), 2):
        yield "pair", (i, j), 1 if worth[i] > worth[j] else 3 if worth[i] < worth[j] else 2
    own = "rated response" if answer.ratings else "ranked response"
    values = answer.ratings or _mid(answer.ranks or [])
    for place, value in enumerate(values):
        yield own, place, value


def _mid(ranks: list[int]) -> list[float]:
    order = sorted(ranks)
    return [order.index(one) + (order.count(one) + 1) / 2 for one in ranks]


def _item(project: Project, rng: random.Random, fewest: int, *, gold: bool) -> Item:
    responses = 2 if project.kind == Project.Kind.PAIRWISE else rng.randint(fewest, 4)
    on = factories.prompt(project, metadata={"category": rng.choice(CATEGORIES)})
    own = {"category": "law"} if rng.random() < 0.2 else {}
    origin = Item.Origin.GOLD if gold else Item.Origin.IMPORTED
    return factories.pair_item(project, texts=("",) * responses, on=on, origin=origin, metadata=own)


def _judge(item: Item, user: Any, rng: random.Random, at: datetime, **fields: Any) -> Judgment:
    size = item.item_responses.count()
    told: dict[str, dict[str, Any]] = {}
    for criterion in CRITERIA:
        if item.project.kind == Project.Kind.PAIRWISE:
            told[criterion] = {"choice": rng.choice(["a", "a", "tie", "both_bad", "b"])}
        elif item.project.kind == Project.Kind.RANKING:
            told[criterion] = {"ranks": [rng.randint(1, size) for _ in range(size)]}
        else:
            told[criterion] = {"ratings": [rng.randint(1, 5) for _ in range(size)]}
    return judged(item, user, at, told, **fields)


def judged(item: Item, user: Any, at: datetime, told: dict[str, dict[str, Any]], **fields: Any) -> Judgment:
    """One judgment at any time, past the service, which has all of them come now."""
    judgment = Judgment.objects.create(
        item=item,
        annotator=user,
        idempotency_key=str(uuid.uuid4()),
        body_hash="",
        judged_at=at,
        **{"source": Judgment.Source.BROWSER, **fields},
    )
    Answer.objects.bulk_create(
        Answer(judgment=judgment, criterion=criterion, **answer) for criterion, answer in told.items()
    )
    return judgment
