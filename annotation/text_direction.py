"""Which way lists, quotes and tables run.

A browser finds the direction of a paragraph by itself (dir="auto"), but in doing so for a list it skips the
paragraphs in it; the numbers of an Arabic list would stand on the wrong side. So a container that begins
in a right-to-left script says so itself.
"""

import unicodedata
from collections.abc import Sequence
from typing import Final

from markdown_it.token import Token

CONTAINERS: Final = frozenset({"ul", "ol", "li", "blockquote", "table"})
LONGEST_LOOK: Final = 1_000  # characters of a line that are looked at


def mark_direction(tokens: Sequence[Token]) -> None:
    """Put dir="rtl" on the containers whose first letter is of a right-to-left script."""
    undecided: list[Token] = []
    for token in tokens:
        if token.tag in CONTAINERS and token.nesting == 1:
            undecided.append(token)
        elif token.type == "inline" and undecided and (direction := first_direction(token.content)):
            if direction == "rtl":
                for container in undecided:
                    container.attrSet("dir", "rtl")
            undecided.clear()
        elif token.tag in CONTAINERS and token.nesting == -1 and undecided:
            undecided.pop()


def first_direction(text: str) -> str:
    """The direction of the first letter: "ltr", "rtl", or "" for a text without letters."""
    for letter in text[:LONGEST_LOOK]:
        kind = unicodedata.bidirectional(letter)
        if kind in ("R", "AL"):
            return "rtl"
        if kind == "L":
            return "ltr"
    return ""
