"""Untrusted Markdown (prompts, responses, guidelines) as HTML that cannot act: no script, request or styling.

Three layers, each enough alone against script: markdown-it with raw HTML off, so a tag in a response is shown
as text; an nh3 allow-list over what it wrote; the page's content security policy. Text too large or too
tangled to parse in reasonable time is shown escaped, in full, as it stands.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from html import escape
from typing import Any, Final

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.parser_inline import ParserInline
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block.table import table
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from annotation.code_languages import LANGUAGES, language_of
from annotation.math_rendering import BLOCK, INLINE, block_math, inline_math, math_html
from annotation.parsing_budget import LOOK_AGAIN, TooComplex, budget, spend
from annotation.text_direction import CONTAINERS, mark_direction

LONGEST_MARKDOWN: Final = 200_000  # characters; a longer text is shown as plain text
# The same text comes again, to the next person and in the next minute: each process remembers the last few
# hundred, some 20 MB at the very most.
LONGEST_REMEMBERED: Final = 8_000
REMEMBERED: Final = 512

_BLOCKS: Final = frozenset({"p", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "th", "td"})
_TAGS: Final = _BLOCKS | frozenset(
    {"a", "br", "hr", "strong", "em", "s", "code", "pre", "table", "thead", "tbody", "tr", "span", "div"}
)
_ATTRIBUTES: Final[dict[str, set[str]]] = {"a": {"href"}, "ol": {"start"}}
_VALUES: Final[dict[str, dict[str, set[str]]]] = {
    **{tag: {"dir": {"auto"}} for tag in _BLOCKS},
    **{tag: {"dir": {"auto", "rtl"}} for tag in CONTAINERS},
    **{cell: {"dir": {"auto"}, "align": {"left", "center", "right"}} for cell in ("th", "td")},
    "code": {"class": {f"language-{language}" for language in LANGUAGES}},
    "span": {"class": {INLINE, BLOCK}, "dir": {"ltr"}},
    "div": {"class": {BLOCK, "prose__table"}, "dir": {"ltr"}},
}
_ABSOLUTE: Final = re.compile(r"(?:https?://|mailto:)[^\s]", re.IGNORECASE)
_ALIGN: Final = re.compile(r"text-align:(left|center|right)\Z")
# Control characters and lone surrogates cannot be shown or sent.
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# Every block is isolated by dir="auto"; overrides reverse text inside one block, so they are shown by name,
# and in code so is every bidirectional control (it could hide what the code does).
_OVERRIDES: Final = re.compile("[\u202d\u202e]")
_BIDI_CONTROLS: Final = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")


def render_markdown(text: str, *, first_heading: int = 3) -> SafeString:
    """CommonMark with tables and strikethrough as safe HTML; single line breaks are kept.

    Headings become an unbroken outline from `first_heading` down; images are named, never loaded; links leave
    in a new tab. Never raises: what cannot be parsed within bounds is shown as escaped text.
    """
    if len(text) > LONGEST_REMEMBERED:
        return _rendered(text, first_heading)
    return _remembered(text, first_heading)


def _rendered(text: str, first_heading: int) -> SafeString:
    text = _OVERRIDES.sub(_by_name, _UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n")))
    if len(text) > LONGEST_MARKDOWN:
        return _plain(text)
    try:
        tokens = _PARSER.parse(text, budget(text))
        _outline(tokens, first_heading)
        mark_direction(tokens)
        html = _PARSER.renderer.render(tokens, _PARSER.options, {})
    except (TooComplex, RecursionError):
        return _plain(text)
    return mark_safe(_clean(html))  # noqa: S308  cleaned by the allow-list above


_remembered = lru_cache(maxsize=REMEMBERED)(_rendered)


def _clean(html: str) -> str:
    return nh3.clean(
        html,
        tags=set(_TAGS),
        clean_content_tags={"script", "style"},
        attributes=_ATTRIBUTES,
        tag_attribute_values=_VALUES,
        set_tag_attribute_values={"a": {"target": "_blank"}},
        attribute_filter=_absolute_links_only,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        generic_attribute_prefixes=set(),
        strip_comments=True,
    )


def _absolute_links_only(tag: str, attribute: str, value: str) -> str | None:
    """A relative link in a response would point into this site."""
    if (tag, attribute) == ("a", "href") and not _ABSOLUTE.match(value):
        return None
    return value


def _plain(text: str) -> SafeString:
    return mark_safe(f'<div class="prose-plain" dir="auto">{escape(text)}</div>')  # noqa: S308  escaped here


def _by_name(match: re.Match[str]) -> str:
    return f"⟨U+{ord(match[0]):04X}⟩"


def _outline(tokens: Sequence[Token], first: int) -> None:
    """Give headings levels without gaps, whatever the text used, so that assistive outlines stay in order."""
    open_levels: list[int] = []
    for token in tokens:
        if token.type == "heading_open":
            level = int(token.tag[1])
            while open_levels and open_levels[-1] >= level:
                open_levels.pop()
            open_levels.append(level)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(first - 1 + len(open_levels), 6)}"


class _Renderer(RendererHTML):
    """markdown-it's renderer, writing only what the allow-list keeps."""

    def image(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: Any) -> str:
        alt = self.renderInlineAsText(tokens[index].children or [], options, env).strip()
        return escape(f"[image: {alt}]" if alt else "[image]")

    def fence(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: Any) -> str:
        token = tokens[index]
        if token.info.strip().lower() == "math":
            return self._math(token.content.strip(), display=True, inline=False)
        language = language_of(token.info)
        attribute = f' class="language-{language}"' if language else ""
        return f"<pre><code{attribute}>{_code(token.content)}</code></pre>\n"

    def math_inline(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: Any) -> str:
        return self._math(tokens[index].content, display=tokens[index].meta["display"], inline=True)

    def math_block(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: Any) -> str:
        return self._math(tokens[index].content, display=True, inline=False)

    def _math(self, source: str, *, display: bool, inline: bool) -> str:
        return math_html(_by_names(source), display=display, inline=inline) + ("" if inline else "\n")

    def table_open(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: Any) -> str:
        """A wide table scrolls in a box of its own; the box, not the table, so that it stays a table."""
        direction = ' dir="rtl"' if tokens[index].attrGet("dir") else ""
        return f'<div class="prose__table"><table{direction}>\n'

    def table_close(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: Any) -> str:
        return "</table></div>\n"

    def code_block(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: Any) -> str:
        return self.fence(tokens, index, options, env)

    def code_inline(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: Any) -> str:
        return f"<code>{_code(tokens[index].content)}</code>"

    def renderToken(  # noqa: N802  the name is markdown-it's
        self, tokens: Sequence[Token], index: int, options: OptionsDict, env: Any
    ) -> str:
        token = tokens[index]
        if token.nesting == 1 and token.tag in _BLOCKS and not token.attrGet("dir"):
            token.attrSet("dir", "auto")
        if align := _ALIGN.match(str(token.attrs.pop("style", ""))):
            token.attrSet("align", align[1])
        return super().renderToken(tokens, index, options, env)


def _code(content: str) -> str:
    return escape(_by_names(content))


def _by_names(content: str) -> str:
    return _BIDI_CONTROLS.sub(_by_name, content)


def _count_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A rule that matches nothing and pays for one step; without it a bomb of brackets takes minutes."""
    spend(state.env, 1 + _unpaid(state))
    return False


def _count_inline(state: StateInline, silent: bool) -> bool:
    spend(state.env)
    return False


def _count_table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A table fills up short rows, so that few characters become very many cells: pay for them first."""
    if not silent and table(state, start, end, True):
        last = start
        while last < end and not state.isEmpty(last):
            last += 1
        columns = state.getLines(start, start + 1, 0, False).count("|") + 1
        spend(state.env, columns * (last - start))
    return table(state, start, end, silent)


def _count_tokens(state: StateCore) -> None:
    """Blocks are paid for before their text is parsed; empty ones have none."""
    spend(state.env, _unpaid(state))


def _unpaid(state: StateBlock | StateCore) -> int:
    """How many tokens came since the last count."""
    unpaid = len(state.tokens) - state.env["paid"]
    state.env["paid"] += unpaid
    return int(unpaid)


class _CountedInline(ParserInline):
    """Looking again for the end of a bracket is cheap, but a bomb of brackets looks a million times."""

    def skipToken(self, state: StateInline) -> None:  # noqa: N802  the name is markdown-it's
        spend(state.env, LOOK_AGAIN)
        super().skipToken(state)


def _parser() -> MarkdownIt:
    parser = MarkdownIt(renderer_cls=_Renderer)
    parser.inline = _CountedInline()
    parser.configure("commonmark", {"html": False, "breaks": True})
    parser.enable(["table", "strikethrough"])
    parser.disable(["html_block", "html_inline"])
    parser.block.ruler.before("table", "count", _count_block, {"alt": ["paragraph", "blockquote", "list"]})
    parser.block.ruler.at("table", _count_table, {"alt": ["paragraph", "reference"]})
    parser.block.ruler.before(
        "fence", "math", block_math, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )
    parser.inline.ruler.before("text", "count", _count_inline)
    parser.inline.ruler.before("escape", "math", inline_math)
    parser.core.ruler.after("block", "count", _count_tokens)
    return parser


_PARSER: Final = _parser()
