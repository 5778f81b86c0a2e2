"""Calibration sessions read afterwards: everybody's answers to each item, and how far they agree."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from accounts.models import AuditEntry, Membership, Role, User
from annotation.agreement.krippendorff import krippendorff_alpha
from annotation.agreement.percent import percent_agreement
from annotation.agreement.units import from_ratings
from annotation.answer_words import LETTERS, one_in_words
from annotation.answering.answer import Answer
from annotation.learning_selectors import expert_answers, given_answers
from annotation.models.learning import Attempt, Exercise, PracticeAnswer
from annotation.models.work import Item

GAP = "guideline gap"  # the audit log's name for a note about what the guidelines leave open
MOST_GAPS = 100


@dataclass(frozen=True)
class Voice:
    """One participant. `number` stays theirs however often the page is opened."""

    number: int
    user: User
    answered: int
    finished: bool


@dataclass(frozen=True)
class Said:
    voice: Voice
    answers: tuple[str, ...]  # in words, one per criterion, by the item's own order of responses
    comment: str


@dataclass(frozen=True)
class Spread:
    """What was answered under one criterion, and by how many; `expert` is empty where there is none."""

    criterion: str
    answers: tuple[tuple[str, int], ...]
    expert: str


@dataclass(frozen=True)
class Compared:
    """One item. disagreement: the share of pairs of people who differ, 0 to 1; None with fewer than two."""

    number: int
    item: Item
    said: tuple[Said, ...]
    spreads: tuple[Spread, ...]
    disagreement: float | None

    @property
    def responses(self) -> list[tuple[str, str]]:
        """(letter, text) in the item's own order."""
        rows = sorted(self.item.item_responses.all(), key=lambda row: row.position)
        return [(letter, row.response.text) for letter, row in zip(LETTERS, rows, strict=False)]


@dataclass(frozen=True)
class Agreement:
    """Of all who took part, under one criterion; both-are-bad counts as a tie. alpha is nominal."""

    criterion: str
    percent: float | None
    alpha: float | None


@dataclass(frozen=True)
class Comparison:
    voices: tuple[Voice, ...]
    items: tuple[Compared, ...]  # most disputed first
    agreement: tuple[Agreement, ...]


def is_ready(exercise: Exercise) -> bool:
    """Whether those who took part may see each other's answers: it is closed, or every annotator finished."""
    if exercise.state == Exercise.State.CLOSED:
        return True
    attempts = Attempt.objects.filter(exercise=exercise)
    finished = attempts.filter(finished_at__isnull=False).values("annotator")
    waiting = Membership.objects.filter(
        project=exercise.project, role=Role.ANNOTATOR, user__is_active=True
    ).exclude(user__in=finished)
    return attempts.exists() and not (waiting.exists() or attempts.filter(finished_at__isnull=True).exists())


def comparison(exercise: Exercise) -> Comparison:
    """Six queries, however many people and items there are."""
    rows = list(
        PracticeAnswer.objects.filter(attempt__exercise=exercise, answered_at__isnull=False)
        .select_related("attempt", "annotator")
        .order_by("attempt_id", "pk")
    )
    places = list(
        exercise.exercise_items.select_related("item__prompt")
        .prefetch_related("item__gold_answers", "item__item_responses__response")
        .order_by("position")
    )
    criteria = exercise.project.criterion_names
    voices = _voices(exercise, rows)
    by_item: dict[int, list[PracticeAnswer]] = {}
    for row in rows:
        by_item.setdefault(row.item_id, []).append(row)
    items = [
        _compared(number, place.item, by_item.get(place.item_id, []), criteria, voices)
        for number, place in enumerate(places, start=1)
    ]
    items.sort(key=lambda one: (-(one.disagreement or 0.0), one.number))
    return Comparison(
        voices=tuple(voices.values()),
        items=tuple(items),
        agreement=tuple(_agreement(name, by_item) for name in criteria),
    )


def gaps(exercise: Exercise) -> list[AuditEntry]:
    """What was written down about the guidelines, newest first."""
    found = AuditEntry.objects.filter(project=exercise.project, action=GAP, detail__exercise=exercise.pk)
    return list(found.select_related("actor").order_by("-at", "-pk")[:MOST_GAPS])


def _voices(exercise: Exercise, rows: Sequence[PracticeAnswer]) -> dict[int, Voice]:
    answered = Counter(row.attempt_id for row in rows)
    attempts = Attempt.objects.filter(exercise=exercise).select_related("annotator").order_by("pk")
    return {
        one.pk: Voice(number, one.annotator, answered[one.pk], one.finished_at is not None)
        for number, one in enumerate(attempts, start=1)
    }


def _compared(
    number: int,
    item: Item,
    rows: Sequence[PracticeAnswer],
    criteria: Sequence[str],
    voices: dict[int, Voice],
) -> Compared:
    given = [given_answers(row) for row in rows]
    expert = expert_answers(item)
    words = [tuple(one_in_words(each[name]) if name in each else "–" for name in criteria) for each in given]
    return Compared(
        number=number,
        item=item,
        said=tuple(
            Said(voices[row.attempt_id], told, row.comment) for row, told in zip(rows, words, strict=True)
        ),
        spreads=tuple(
            Spread(
                name,
                tuple(Counter(told[place] for told in words).most_common()),
                one_in_words(expert[name]) if name in expert else "",
            )
            for place, name in enumerate(criteria)
        ),
        disagreement=_disagreement([[each[name] for each in given if name in each] for name in criteria]),
    )


def _disagreement(by_criterion: Sequence[Sequence[Answer]]) -> float | None:
    """The share of differing pairs of people over everything that was told apart on the item."""
    differing, pairs = 0, 0
    for answers in by_criterion:
        told = [_parts(answer) for answer in answers]
        for one, other in combinations(told, 2):
            pairs += len(one)
            differing += sum(mine != theirs for mine, theirs in zip(one, other, strict=False))
    return differing / pairs if pairs else None


def _agreement(criterion: str, by_item: dict[int, list[PracticeAnswer]]) -> Agreement:
    units: list[int] = []
    values: list[str] = []
    unit = 0
    for rows in by_item.values():
        told = [_parts(given[criterion]) for given in map(given_answers, rows) if criterion in given]
        width = max(map(len, told), default=0)
        for parts in told:
            units += range(unit, unit + len(parts))
            values += parts
        unit += width
    if not values:
        return Agreement(criterion, None, None)
    counts = from_ratings(np.array(units), np.array(values))
    return Agreement(criterion, percent_agreement(counts).value, krippendorff_alpha(counts).value)


def _parts(answer: Answer) -> list[str]:
    """What an answer says, piece by piece: the choice, the order of each pair, the points of a response."""
    if answer.choice:
        return ["tie" if answer.choice == "both_bad" else answer.choice]
    if answer.ranks is not None:
        pairs = combinations(answer.ranks, 2)
        return ["first" if a < b else "second" if b < a else "tie" for a, b in pairs]
    return [str(points) for points in answer.ratings or ()]
