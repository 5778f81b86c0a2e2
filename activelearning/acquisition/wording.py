"""Sentences for people, each as a text beside the values that fill it: who shows them can translate the text.

`str` of a sentence is English. The texts are written out where the sentence arises, for there it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Value = str | int | float


@dataclass(frozen=True)
class Said:
    """text: a format string. plural: the same for other counts than one; the count is then the value n."""

    text: str
    values: Mapping[str, Value] = field(default_factory=dict)
    plural: str | None = None

    def __str__(self) -> str:
        text = self.text if self.plural is None or self.values["n"] == 1 else self.plural
        return text.format(**self.values)


def said(text: str, **values: Value) -> Said:
    """A sentence that is the same for every count."""
    return Said(text, values)


def counted(n: int, text: str, plural: str, **values: Value) -> Said:
    """A sentence that counts: both forms may name {n}."""
    return Said(text, {"n": n, **values}, plural)


def plain(sentences: Iterable[Said]) -> str:
    """One after the other, in English."""
    return " ".join(map(str, sentences))
