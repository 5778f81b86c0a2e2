r"""LaTeX in Markdown: formulas are found, prices are not, the source stays, and no bomb is costly."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation import math_rendering
from annotation.math_rendering import LONGEST_FORMULA
from annotation.parsing_budget import budget
from annotation.rendering import render_markdown
from tests.annotation.test_rendering import Page, assert_inert, rendered


class Formulas(Page):
    """The formulas of a text: (inline or block, source)."""

    def __init__(self, html: str) -> None:
        self.found: list[tuple[str, str]] = []
        self.open = False
        super().__init__(html)

    def handle_starttag(self, tag, attrs):
        super().handle_starttag(tag, attrs)
        kind = (dict(attrs).get("class") or "").partition("math--")[2]
        if kind:
            self.found.append((kind, ""))
        self.open = bool(kind)

    def handle_endtag(self, tag):
        self.open = False

    def handle_data(self, data):
        super().handle_data(data)
        if self.open:
            self.found[-1] = (self.found[-1][0], self.found[-1][1] + data)


def formulas(text: str) -> list[tuple[str, str]]:
    return Formulas(render_markdown(text)).found


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $10.",
        "between $5-$10, US$5 or CA$6, 10$-20$ and 5$",
        "$5 and 6$ or 7$",
        "$1,000/user, not 20$ each",
        "$5,\nor rather 6$",
        r"\$x$ and $ y $",
        "$HOME/bin:$PATH and $HOME/$USER",
        "`$x$` and ``$y$``",
        "$a `b$` c",
        "    $$x$$",
        "```\n$x$\n$$y$$\n```",
        r"\[1\] and \[a note\](https://ok.example)",
        "$$ $$",
        r"\( \) and \(",
        "$$\nno end",
        "$$\nx\n\ny\n$$",
    ],
)
def test_what_is_no_formula_stays_text(text):
    assert formulas(text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$x$, $3x$, $5$", ["$x$", "$3x$", "$5$"]),
        (r"Euler: $e^{i\pi} + 1 = 0$.", [r"$e^{i\pi} + 1 = 0$"]),
        ("the $n$th of $f(x)$s", ["$n$", "$f(x)$"]),
        ("$5, so $x_1$ then $y$", ["$x_1$", "$y$"]),
        (r"costs $5 \(a*b*c\) and *$x*y$*", [r"\(a*b*c\)", "$x*y$"]),
        (r"$a\$b$ and $\$5$", [r"$a\$b$", r"$\$5$"]),
        ("设$x$为", ["$x$"]),
        ("| a |\n|---|\n| $x_i$ |", ["$x_i$"]),
        (r"\(a\) \(b\) [\(c\)](https://ok.example)", [r"\(a\)", r"\(b\)", r"\(c\)"]),
        (r"# $a_b$" + "\n\n> $c$\n\n- $d$", ["$a_b$", "$c$", "$d$"]),
    ],
)
def test_formulas_in_running_text(text, found):
    assert formulas(text) == [("inline", source) for source in found]


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("$$x$$", "$$x$$"),
        ("before\n$$\nx = 1\n$$\nafter", "$$\nx = 1\n$$"),
        ("\\[\n  x\n\\]", "\\[\n  x\n\\]"),
        ("1. a\n\n   $$\n   x\n   $$\n2. b", "$$\nx\n$$"),
        ("> \\[ x^2\n> \\]", "\\[ x^2\n\\]"),
        ("so \\[x^2\\] and", "\\[x^2\\]"),
        ("so $$x$$, and", "$$x$$"),
        ("```math\n\\frac12\n```", "\\frac12"),
    ],
)
def test_displayed_formulas(text, source):
    assert formulas(text) == [("block", source)]


def test_the_page_reads_as_it_was_written():
    text = r"Let $x<y$ & \(z\) be <b>so</b>."
    page = Page(render_markdown(text))
    assert page.text.strip() == text
    assert ("span", {"class": "math math--inline", "dir": "ltr"}) in page.elements


def test_a_formula_runs_from_left_to_right_and_hides_no_direction():
    html = render_markdown("صيغة $a\u2067b$\n\n```math\n\u200fx\n```")
    assert "⟨U+2067⟩" in html
    assert "⟨U+200F⟩" in html
    assert html.count('dir="ltr"') == 2


@pytest.mark.parametrize(
    "attack",
    [
        '$"><img src=x onerror=alert(1)>_$',
        "$$\n<script>alert(1)</script>\n$$",
        "\\[<svg onload=alert(1)>^\\]",
        "\\(</span><script>alert(1)</script>\\)",
        '```math"><img src=x onerror=alert(1)>\nx\n```',
        "```math\n</div><iframe srcdoc='<script>alert(1)</script>'></iframe>\n```",
        r"$\href{javascript:alert(1)}{x}$ $\htmlStyle{position:fixed}{x}$",
    ],
)
def test_an_attack_in_a_formula_is_inert(attack):
    html = render_markdown(attack)
    assert_inert(html)
    assert not {"img", "script", "svg", "iframe"} & set(Page(html).tags())


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("$\\()[]{}_^ \n`<>\"'x1|>-"), max_size=80))
def test_any_soup_of_dollars_is_inert(text):
    assert_inert(render_markdown(text))


N = 100_000
BOMBS = {
    "dollars": "$" * N,
    "spaced dollars": "$ " * (N // 2),
    "open dollars": "$a " * (N // 3),
    "formulas": "$x$ " * (N // 4),
    "open brackets": "\\[" * (N // 2),
    "open parentheses": "\\(x " * (N // 4),
    "brackets in images": "![\\[](a)" * (N // 8),
    "lines that open": "\\[\n" * (N // 3),
    "lines of dollars": "$$\n" * (N // 3),
    "never closed": "$$a\n" * (N // 4),
    "braces": "$" + "{" * 10_000 + "}" * 10_000 + "$",
    "backslashes": "$" + "\\" * N + "$",
}


SHORT_FUSES = {"spaced dollars", "braces", "lines that open"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name not in SHORT_FUSES)) for name in BOMBS]
)
def test_a_bomb_of_formulas_is_defused_within_two_seconds(name):
    html, seconds = rendered(BOMBS[name])
    assert seconds < 2
    assert_inert(html)


class Searched(str):
    searches = 0

    def find(self, *where):  # type: ignore[override]
        self.searches += 1
        return super().find(*where)


@pytest.mark.parametrize(("text", "searches"), [("\\[" * 500, 1), ("\\[a\\] " * 500, 500)])
def test_a_closer_is_searched_once_however_many_openers_there_are(text, searches):
    src = Searched(text)
    state = SimpleNamespace(src=src, posMax=len(src), env=budget(text))
    openers = [at + 2 for at in range(len(text)) if text.startswith("\\[", at)]
    ends = [math_rendering._end(state, "\\[", start) for start in openers]
    assert ends == [text.find("\\]", start) for start in openers]
    assert src.searches == searches


def test_a_formula_that_is_too_long_is_text():
    assert formulas("$$" + "x" * LONGEST_FORMULA + "x$$") == []
    assert formulas("$$" + "x" * LONGEST_FORMULA + "$$") != []
