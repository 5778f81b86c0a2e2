"""The one record type that every reader fills and every writer empties, and the identity of what it holds.

Identity is the given id where there is one, else the content. Keys are SHA-256 over canonical JSON whose
first element names the domain, so an id that happens to spell a text never collides with it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Kind = Literal["pairwise", "ranking", "rating"]
Choice = Literal["a", "b", "tie", "both_bad"]

KINDS: tuple[Kind, ...] = ("pairwise", "ranking", "rating")
CHOICES: tuple[Choice, ...] = ("a", "b", "tie", "both_bad")
DEFAULT_CRITERION = "overall"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class ResponseRecord:
    text: str
    id: str | None = None
    model: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VoteRecord:
    """One person's answer to one item: exactly one of `choice`, `ranks`, `ratings` is set.

    choice    which of the two responses, in the order of the item's responses
    strength  1 (slightly) to 3 (much better), only beside choice a or b
    ranks     one whole number per response, 1 = best, ties equal
    ratings   per criterion one number per response; `criterion` then says nothing
    seconds   time spent, seconds
    at        when, always in UTC
    """

    annotator: str
    criterion: str = DEFAULT_CRITERION
    choice: Choice | None = None
    strength: int | None = None
    ranks: tuple[int, ...] | None = None
    ratings: Mapping[str, tuple[float, ...]] | None = None
    reason: str | None = None
    seconds: float | None = None
    at: datetime | None = None

    @property
    def kind(self) -> Kind:
        if self.choice is not None:
            return "pairwise"
        return "ranking" if self.ranks is not None else "rating"

    @property
    def criteria(self) -> tuple[str, ...]:
        """Every criterion this vote answers."""
        return (self.criterion,) if self.ratings is None else tuple(self.ratings)


@dataclass(frozen=True, slots=True)
class GoldRecord:
    """The expert's answer, shaped like a vote without a voter; an item has one for each criterion, or one
    with the ratings of all."""

    criterion: str = DEFAULT_CRITERION
    choice: Choice | None = None
    ranks: tuple[int, ...] | None = None
    ratings: Mapping[str, tuple[float, ...]] | None = None
    reason: str | None = None

    @property
    def criteria(self) -> tuple[str, ...]:
        """Every criterion this answers."""
        return (self.criterion,) if self.ratings is None else tuple(self.ratings)


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """One prompt with the responses to judge. `line` is where it stood; equality ignores it."""

    prompt: tuple[Message, ...]
    responses: tuple[ResponseRecord, ...]
    id: str | None = None
    kind: Kind | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    gold: tuple[GoldRecord, ...] = ()
    votes: tuple[VoteRecord, ...] = ()
    line: int = field(default=0, compare=False)


def prompt_json(prompt: Sequence[Message]) -> str:
    """The conversation as the JSON list that snapshots and exports carry; equal prompts give equal text."""
    turns = [{"role": message.role, "content": message.content} for message in prompt]
    return json.dumps(turns, ensure_ascii=False, separators=(",", ":"))


def prompt_key(prompt: Sequence[Message]) -> str:
    """Identity of a conversation: its roles and contents. A plain-text prompt equals one user message."""
    return _digest("laurel.prompt.content/1", *([message.role, message.content] for message in prompt))


def response_key(of_prompt: str, response: ResponseRecord) -> str:
    """Identity of an answer within the prompt whose key is `of_prompt`: its id, else its text and its model.

    Two responses with one text and different ids stay two; so do, without ids, one text from two models.
    """
    if response.id is not None:
        return _digest("laurel.response.id/1", of_prompt, response.id)
    return _digest("laurel.response.content/1", of_prompt, response.text, response.model)


def response_keys(item: ItemRecord) -> tuple[str, ...]:
    """The keys of an item's responses, in the item's order."""
    of_prompt = prompt_key(item.prompt)
    return tuple(response_key(of_prompt, response) for response in item.responses)


def item_key(item: ItemRecord) -> str:
    """Identity of an item: its id, else its prompt and the set of its responses (in any order)."""
    if item.id is not None:
        return _digest("laurel.item.id/1", item.id)
    of_prompt = prompt_key(item.prompt)
    keys = sorted(response_key(of_prompt, response) for response in item.responses)
    return _digest("laurel.item.content/1", of_prompt, *keys)


def _digest(domain: str, *parts: object) -> str:
    canonical = json.dumps([domain, *parts], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
