"""A prompt and a response, as programs send them: checked, with the field named where something is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class MalformedError(ValueError):
    """What was sent is not of the shape asked for; `field` says where."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field, self.problem = field, problem


@dataclass(frozen=True, slots=True)
class Turn:
    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """What is scored: a response to a prompt of one or more turns."""

    prompt: tuple[Turn, ...]
    response: str

    @property
    def prompt_text(self) -> str:
        """The contents of the turns, as in a snapshot (`data.conversation`)."""
        return "\n".join(turn.content for turn in self.prompt)


def read_prompt(value: Any, field: str = "prompt") -> tuple[Turn, ...]:
    """A text, a list of turns {"role", "content"}, or such a list as JSON. Raises MalformedError."""
    if isinstance(value, str):
        turns = _json_turns(value)
        return (Turn("user", value),) if turns is None else turns
    if not isinstance(value, list) or not value:
        raise MalformedError(field, "must be a text or a list of turns with role and content.")
    return tuple(_read_turn(turn, f"{field}[{i}]") for i, turn in enumerate(value))


def read_response(value: Any, field: str = "response") -> str:
    """A text, or the turns of a completion, whose contents are joined. Raises MalformedError."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        return "\n".join(_read_turn(turn, f"{field}[{i}]").content for i, turn in enumerate(value))
    raise MalformedError(field, "must be a text or a list of turns with role and content.")


def read_exchange(value: Any, field: str) -> Exchange:
    """{"prompt", "response"} -> Exchange; an unknown key is an error, as in every format of Laurel."""
    if not isinstance(value, Mapping):
        raise MalformedError(field, "must be an object with prompt and response.")
    for name in ("prompt", "response"):
        if name not in value:
            raise MalformedError(f"{field}.{name}", "is missing.")
    for name in value:
        if name not in ("id", "prompt", "response"):
            raise MalformedError(f"{field}.{name}", "is not known; give id, prompt and response.")
    prompt = read_prompt(value["prompt"], f"{field}.prompt")
    return Exchange(prompt, read_response(value["response"], f"{field}.response"))


def _read_turn(value: Any, field: str) -> Turn:
    if not isinstance(value, Mapping):
        raise MalformedError(field, "must be an object with role and content.")
    for name in ("role", "content"):
        if not isinstance(value.get(name), str):
            raise MalformedError(f"{field}.{name}", "must be a text.")
    return Turn(value["role"], value["content"])


def _json_turns(text: str) -> tuple[Turn, ...] | None:
    """The turns a text spells, as a snapshot's prompts do; None when it spells none."""
    if not text.startswith("[{"):
        return None
    try:
        return tuple(_read_turn(turn, "") for turn in json.loads(text))
    except (ValueError, RecursionError):
        return None
