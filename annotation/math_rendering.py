r"""LaTeX in Markdown: $…$, $$…$$, \(…\), \[…\] and fenced ```math, as elements that hold the source.

The browser draws them (static/laurel/judge/math.js); without JavaScript the source is read as it stands. What
a dollar means is decided strictly, for prices are commoner than formulas: the next dollar has to close it.
"""

import re
from html import escape
from typing import Final

from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

from annotation.parsing_budget import spend

INLINE: Final = "math math--inline"
BLOCK: Final = "math math--block"
LONGEST_FORMULA: Final = 20_000  # characters between the delimiters; more is no formula

_CLOSER: Final = {"$$": "$$", "\\[": "\\]", "\\(": "\\)", "$": "$"}  # longer openers first
# A dollar that stands for itself; an escaped one is part of the formula.
_DOLLAR: Final = re.compile(r"(?<!\\)(?:\\\\)*\$")
# What no price has, and what no formula without any of these has: two words, or a number and a word.
_SIGNS: Final = re.compile(r"[\\^_=+<>{}]")
_WORDS: Final = re.compile(r"[A-Za-z]{2,}\s|\s[A-Za-z]{2,}|^\d.*[A-Za-z]{3,}")
_LIKE_A_FORMULA: Final = re.compile(r"[\\^_=+<>{}]|[A-Za-z]\(|[-*/|]")


def inline_math(state: StateInline, silent: bool) -> bool:
    """A formula in running text; `$$…$$` and `\\[…\\]` in the midst of a paragraph are displayed."""
    opener = next((each for each in _CLOSER if state.src.startswith(each, state.pos)), "")
    if not opener:
        return False
    start = state.pos + len(opener)
    end = _end_of_dollars(state.src, start, state.posMax) if opener == "$" else _end(state, opener, start)
    if end < 0 or not state.src[start:end].strip():
        return False
    if opener == "\\[" and not _LIKE_A_FORMULA.search(state.src, start, end):
        return False  # Markdown for a bracket that is no link: \[1\]
    after = end + len(opener)
    if not silent:
        token = state.push("math_inline", "span", 0)
        token.content = state.src[state.pos : after]
        token.meta = {"display": opener in ("$$", "\\[")}
    state.pos = after
    return True


def block_math(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    r"""A formula that has its lines to itself, from `$$` or `\[` to its closer at the end of a line."""
    first = _line(state, start)
    opener = first[:2]
    if opener not in ("$$", "\\[") or state.is_code_block(start):
        return False
    last = _closing_line(state, opener, start, end)
    if last is None:
        return False
    content = state.getLines(start, last + 1, state.sCount[start], False).strip()
    inside = content[2:-2]
    if not inside.strip() or len(inside) > LONGEST_FORMULA:
        return False
    if opener == "\\[" and last == start and not _LIKE_A_FORMULA.search(inside):
        return False
    if not silent:
        state.line = last + 1
        token = state.push("math_block", "div", 0)
        token.content = content
        token.map = [start, state.line]
    return True


def math_html(source: str, *, display: bool, inline: bool) -> str:
    """The element of a formula; formulas run from left to right in any text."""
    tag = "span" if inline else "div"
    return f'<{tag} class="{BLOCK if display else INLINE}" dir="ltr">{escape(source)}</{tag}>'


def _end(state: StateInline, opener: str, start: int) -> int:
    """Where the next closer is, or -1; what follows is searched once, however many openers there are."""
    seen = state.env["closers"]
    searched, end = seen.get((opener, state.src), (0, 0))
    if not searched <= start <= end:
        end = state.src.find(_CLOSER[opener], start)
        end = end if end >= 0 else len(state.src)
        seen[opener, state.src] = (start, end)
    return end if end + len(opener) <= min(state.posMax, start + LONGEST_FORMULA) else -1


def _end_of_dollars(text: str, start: int, limit: int) -> int:
    """Where the next dollar closes the one before `start`, or -1: most dollars are money."""
    found = _DOLLAR.search(text, start, min(limit, start + LONGEST_FORMULA))
    if found is None:
        return -1
    end = found.end() - 1
    formula, before, after = text[start:end], text[start - 2 : start - 1], text[end + 1 : end + 2]
    if not formula or formula != formula.strip() or "\n" in formula or "`" in formula or after == "$":
        return -1
    signs = _SIGNS.search(formula)
    if not signs and (_WORDS.search(formula) or (before.isascii() and before.isalnum())):
        return -1
    if after.isdigit() or (after.isascii() and after.isalpha() and not _closes_before_a_letter(formula)):
        return -1
    return end


def _closes_before_a_letter(formula: str) -> bool:
    """“the $n$th” is a formula, “$HOME/$USER” are two variables."""
    return formula[-1].isalnum() or formula[-1] in "})]'"


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].rstrip()


def _closing_line(state: StateBlock, opener: str, start: int, end: int) -> int | None:
    closer = _CLOSER[opener]
    for line in range(start, end):
        spend(state.env)
        text = _line(state, line)
        if line == start:
            text = text[2:]
        elif not text or state.sCount[line] < state.blkIndent:
            return None  # a paragraph, a quote or a list ends, and the formula with it
        at = text.find(closer)
        if at >= 0:
            return line if at == len(text) - 2 else None
    return None
