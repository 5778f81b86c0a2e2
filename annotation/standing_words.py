"""Standings and what was said about them, in the reader's words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from annotation.aggregation.flags import Flag
from annotation.flag_words import BADGES, evidence
from annotation.models.standing import Message
from annotation.plain import from_plain

TITLES: dict[str, Promise] = {
    Message.Kind.NOTE: gettext_lazy("Message"),
    Message.Kind.PAUSED: gettext_lazy("Paused"),
    Message.Kind.EXCLUDED: gettext_lazy("Excluded"),
    Message.Kind.APPEAL: gettext_lazy("Appeal"),
    Message.Kind.RESTORED: gettext_lazy("Restored"),
}


@dataclass(frozen=True)
class Told:
    """One message of a thread. author: "" for the project's rules."""

    title: Promise
    author: str
    evidence: list[tuple[Promise, str]]
    message: Message


def told(messages: Iterable[Message]) -> list[Told]:
    return [Told(TITLES[one.kind], str(one.author or ""), evidence_of(one.evidence), one) for one in messages]


def evidence_of(stored: Sequence[Mapping[str, Any]]) -> list[tuple[Promise, str]]:
    """(badge, sentence) of each flag as it was when somebody was set apart."""
    flags = [from_plain(Flag, one) for one in stored]
    return [(BADGES[flag.kind], evidence(flag)) for flag in flags]
