"""Reads about the votes on one item, for those who may see them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accounts.models import Role, User
from annotation import blind_selectors
from annotation.aggregation.consensus import majority
from annotation.answer_words import LETTERS, one_in_words
from annotation.answering.answer import Answer as Given
from annotation.answering.credit import RIGHT, credit
from annotation.gold_selectors import expert, expert_answers
from annotation.models.work import Answer, Item, Judgment


@dataclass(frozen=True)
class Said:
    """A vote under one criterion, in canonical terms. right: against gold; None without gold."""

    criterion: str
    words: str
    right: bool | None


@dataclass(frozen=True)
class Quoted:
    """A place in a response that the annotator points at."""

    letter: str
    quote: str
    reason: str


@dataclass(frozen=True)
class Vote:
    """One live judgment as a reviewer reads it. shown: the responses as they stood, "" where nobody knows."""

    annotator: str
    origin: str
    said: tuple[Said, ...]
    shown: str
    quoted: tuple[Quoted, ...]
    judgment: Judgment


def votes_on(item: Item) -> list[Vote]:
    """Live judgments, oldest first, with the credit they earn where the item is gold."""
    criteria = item.project.criterion_names
    gold = {name: expert(one) for name, one in expert_answers(item).items()} if item.is_gold else {}
    judgments = (
        Judgment.objects.filter(item=item, live=True)
        .select_related("annotator")
        .prefetch_related("answers")
        .order_by("judged_at", "pk")
    )
    return [
        Vote(
            annotator=str(judgment.annotator),
            origin=judgment.annotator.origin,
            said=_said(plain(judgment.answers.all()), gold, criteria),
            shown=" ".join(_letter(position) for position in judgment.display_order or ()),
            quoted=tuple(_quoted(span) for span in judgment.spans),
            judgment=judgment,
        )
        for judgment in judgments
    ]


def gold_in_words(item: Item) -> list[tuple[str, str]]:
    """(criterion, answer) of a gold item."""
    found = expert_answers(item)
    return [
        (name, one_in_words(expert(found[name]))) for name in item.project.criterion_names if name in found
    ]


def has_votes(item: Item) -> bool:
    return Judgment.objects.filter(item=item, live=True).exists()


def majority_on(item: Item) -> dict[str, Given]:
    """What most people answered, criterion by criterion; nothing where two answers are level."""
    answers: dict[str, list[Given]] = {}
    for row in Answer.objects.filter(judgment__item=item, judgment__live=True).order_by("judgment"):
        answers.setdefault(row.criterion, []).append(given(row))
    found = {name: majority(answers[name]) for name in item.project.criterion_names if name in answers}
    return {name: answer for name, answer in found.items() if answer is not None}


def why_blind(person: User, role: Role | None, item: Item) -> blind_selectors.Why | None:
    """Why this person must not see what others said on the item; None when they may."""
    if item.retired_at is not None:  # it is handed out no more
        return None
    return blind_selectors.hidden(person, role, item.project, [item.response_set]).get(item.response_set)


def plain(rows: Iterable[Answer]) -> dict[str, Given]:
    return {row.criterion: given(row) for row in rows}


def given(answer: Answer) -> Given:
    """A stored answer as a plain value."""
    return Given(
        answer.criterion,
        answer.choice,
        answer.strength,
        None if answer.ranks is None else tuple(answer.ranks),
        None if answer.ratings is None else tuple(answer.ratings),
    )


def _said(
    answers: Mapping[str, Given], gold: Mapping[str, Given], criteria: Sequence[str]
) -> tuple[Said, ...]:
    return tuple(
        Said(
            criterion=name,
            words=one_in_words(answers[name]),
            right=credit(answers[name], gold[name]) >= RIGHT if name in gold else None,
        )
        for name in criteria
        if name in answers
    )


def _quoted(span: Mapping[str, Any]) -> Quoted:
    return Quoted(_letter(span["response"]), span["quote"], span.get("reason", ""))


def _letter(position: int) -> str:
    return LETTERS[position] if position < len(LETTERS) else "?"
