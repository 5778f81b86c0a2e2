"""What changed between two versions of a text: lines, and in lines that were rewritten the words."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

CONTEXT = 2  # unchanged lines shown around a change
MOST_WORDS = 3_000  # in a longer passage whole lines are compared

Mark = Literal["same", "added", "removed"]


@dataclass(frozen=True)
class Piece:
    mark: Mark
    text: str


@dataclass(frozen=True)
class Line:
    """`skipped` unchanged lines stand in its place, or its pieces do."""

    mark: Mark
    pieces: tuple[Piece, ...] = ()
    skipped: int = 0


def changes(old: str, new: str) -> list[Line]:
    """The changed lines with a little of what stands around them; empty when the texts are the same."""
    before, after = old.splitlines(), new.splitlines()
    groups = SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(CONTEXT)
    lines: list[Line] = []
    reached = 0
    for group in groups:
        if group[0][1] > reached:
            lines.append(Line("same", skipped=group[0][1] - reached))
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                lines += [Line("same", (Piece("same", text),)) for text in before[i1:i2]]
            else:
                lines += _rewritten(before[i1:i2], after[j1:j2])
        reached = group[-1][2]
    if lines and reached < len(before):
        lines.append(Line("same", skipped=len(before) - reached))
    return lines


def _rewritten(before: Sequence[str], after: Sequence[str]) -> Iterator[Line]:
    """The removed lines, then the added ones; what they share is not marked."""
    old, new = _words(before), _words(after)
    kept_old, kept_new = [False] * len(old), [False] * len(new)
    if len(old) + len(new) <= MOST_WORDS:
        for i, j, size in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
            kept_old[i : i + size] = kept_new[j : j + size] = [True] * size
    yield from _lines(old, kept_old, "removed")
    yield from _lines(new, kept_new, "added")


def _words(lines: Sequence[str]) -> list[str]:
    return [word for line in lines for word in [*re.findall(r"\s+|\w+|[^\w\s]", line), "\n"]]


def _lines(words: Sequence[str], kept: Sequence[bool], mark: Mark) -> Iterator[Line]:
    pieces: list[Piece] = []
    for word, same in zip(words, kept, strict=True):
        if word == "\n":
            yield Line(mark, tuple(pieces))
            pieces = []
            continue
        as_marked: Mark = "same" if same else mark
        if pieces and pieces[-1].mark == as_marked:
            pieces[-1] = Piece(as_marked, pieces[-1].text + word)
        else:
            pieces.append(Piece(as_marked, word))
