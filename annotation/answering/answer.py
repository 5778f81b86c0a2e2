"""What somebody answers under one criterion, and the two orders it can be told in.

Canonical: by the item's own order of responses; it is what is stored. Display: by what stood where on the
annotator's screen. A display order lists canonical positions as they are shown: `display_order[2] == 0` says
that the third response on the screen is the item's first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

Kind = Literal["pairwise", "ranking", "rating"]

CHOICES: Final = ("a", "b", "tie", "both_bad")
STRENGTHS: Final = (1, 2, 3)  # slightly, clearly, much better
FEWEST: Final[dict[str, int]] = {"pairwise": 2, "ranking": 2, "rating": 1}
MOST: Final[dict[str, int]] = {"pairwise": 2, "ranking": 8, "rating": 8}


class InvalidAnswer(ValueError):
    """The answer cannot be stored as it is; the message says what to change."""


@dataclass(frozen=True)
class Question:
    """What a project asks about each item. `points`: a rating is 1 to this, the best."""

    kind: Kind
    criteria: tuple[str, ...]
    ties: bool = True
    both_bad: bool = True
    strength: bool = False
    points: int = 5


@dataclass(frozen=True)
class Answer:
    """One criterion's answer; exactly one of choice, ranks and ratings is given.

    strength: 1 to 3 on the chosen side, or None. ranks: 1 is best, equal ranks tie, dense or not. ratings: 1
    to the question's points. Ranks and ratings have one entry per response, in the order it is told in.
    """

    criterion: str
    choice: str = ""
    strength: int | None = None
    ranks: tuple[int, ...] | None = None
    ratings: tuple[int, ...] | None = None

    def as_json(self) -> dict[str, Any]:
        """Only what is given, with plain lists."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if value not in ("", None)
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Answer":
        return cls(
            criterion=body["criterion"],
            choice=body.get("choice", ""),
            strength=body.get("strength"),
            ranks=tuple(body["ranks"]) if body.get("ranks") is not None else None,
            ratings=tuple(body["ratings"]) if body.get("ratings") is not None else None,
        )


def to_canonical(answer: Answer, display_order: Sequence[int]) -> Answer:
    """The same answer in the item's own order."""
    back = [0] * len(display_order)
    for shown, position in enumerate(display_order):
        back[position] = shown
    return _reordered(answer, back)


def to_display(answer: Answer, display_order: Sequence[int]) -> Answer:
    """The same answer as the annotator's screen tells it."""
    return _reordered(answer, display_order)


def checked(answers: Sequence[Answer], question: Question, responses: int) -> tuple[Answer, ...]:
    """One valid answer per criterion, in the question's order of criteria. Raises `InvalidAnswer`.

    Ranks are made dense: (2, 5, 5) is stored as (1, 2, 2).
    """
    given: dict[str, Answer] = {}
    for answer in answers:
        if answer.criterion not in question.criteria:
            raise InvalidAnswer(f"“{answer.criterion[:60]}” is not one of this project's criteria.")
        if answer.criterion in given:
            raise InvalidAnswer(f"{answer.criterion} is answered twice.")
        given[answer.criterion] = _checked(answer, question, responses)
    missing = [criterion for criterion in question.criteria if criterion not in given]
    if missing:
        raise InvalidAnswer(f"No answer yet for {', '.join(missing)}.")
    return tuple(given[criterion] for criterion in question.criteria)


def _checked(answer: Answer, question: Question, responses: int) -> Answer:
    if question.kind == "pairwise":
        return _checked_choice(answer, question)
    if question.kind == "ranking":
        return _checked_ranks(answer, question, responses)
    return _checked_ratings(answer, question, responses)


def _checked_choice(answer: Answer, question: Question) -> Answer:
    allowed = [
        choice
        for choice in CHOICES
        if (choice != "tie" or question.ties) and (choice != "both_bad" or question.both_bad)
    ]
    if answer.choice not in allowed or answer.ranks is not None or answer.ratings is not None:
        raise InvalidAnswer(f"“{answer.choice[:40]}” is not a choice; send one of {', '.join(allowed)}.")
    sided = answer.choice in ("a", "b")
    if answer.strength is not None and (not question.strength or not sided):
        raise InvalidAnswer("A strength goes with a better side, in a project that asks for it.")
    if question.strength and sided and answer.strength not in STRENGTHS:
        raise InvalidAnswer("Say how much better it is: 1 slightly, 2 clearly, 3 much.")
    return answer


def _checked_ranks(answer: Answer, question: Question, responses: int) -> Answer:
    ranks = answer.ranks
    if ranks is None or answer.choice or answer.strength is not None or answer.ratings is not None:
        raise InvalidAnswer("A ranking has one rank for every response.")
    if len(ranks) != responses:
        raise InvalidAnswer(f"There are {responses} responses and {len(ranks)} ranks: rank each one.")
    if not all(1 <= rank <= responses for rank in ranks):
        raise InvalidAnswer(f"A rank is a number from 1, the best, to {responses}.")
    if not question.ties and len(set(ranks)) < len(ranks):
        raise InvalidAnswer("This project asks for an order without ties: give each response its own rank.")
    dense = {rank: place for place, rank in enumerate(sorted(set(ranks)), start=1)}
    return Answer(answer.criterion, ranks=tuple(dense[rank] for rank in ranks))


def _checked_ratings(answer: Answer, question: Question, responses: int) -> Answer:
    ratings = answer.ratings
    if ratings is None or answer.choice or answer.strength is not None or answer.ranks is not None:
        raise InvalidAnswer("A rating has one number for every response.")
    if len(ratings) != responses:
        raise InvalidAnswer(f"There are {responses} responses and {len(ratings)} ratings: rate each one.")
    if not all(1 <= rating <= question.points for rating in ratings):
        raise InvalidAnswer(f"A rating is a number from 1 to {question.points}, the best.")
    return answer


def _reordered(answer: Answer, order: Sequence[int]) -> Answer:
    """Entry k of the new answer is entry order[k] of the old; a pair's sides change when that is (1, 0)."""
    swapped = list(order) == [1, 0]
    return Answer(
        criterion=answer.criterion,
        choice={"a": "b", "b": "a"}.get(answer.choice, answer.choice) if swapped else answer.choice,
        strength=answer.strength,
        ranks=None if answer.ranks is None else tuple(answer.ranks[k] for k in order),
        ratings=None if answer.ratings is None else tuple(answer.ratings[k] for k in order),
    )
