"""Reading responses: formulas, code, tables, scripts, ten thousand words; and texts meant to do harm."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from annotation.models.project import Project
from tests import factories
from tests.annotation.xss_corpus import CORPUS
from tests.e2e.judging import JUDGE, annotator_of, choose, expect_item, submit
from tests.e2e.long_texts import CODE, FORMULAS, SCRIPTS, TABLE, long_text

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def project():
    return factories.project("harbour", name="Harbour", reasons=["factual error"])


@pytest.fixture
def annotator(project):
    return annotator_of(project)


def item(project: Project, text: str, other: str = "Another answer.", number: int = 0) -> None:
    """Both sides are drawn by lot: what is asserted holds wherever `text` stands."""
    on = factories.prompt(project, f"Question number {number}?")
    factories.pair_item(project, texts=(text, other), on=on, shuffle=number / 1000)


def overflow(page: Page) -> int:
    return page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")


def asked_for(page: Page) -> list[str]:
    return page.evaluate("() => performance.getEntriesByType('resource').map(entry => entry.name)")


def test_formulas_are_drawn_prices_stay_and_what_is_wrong_stays_as_written(visit, project, annotator):
    item(project, FORMULAS)
    visitor = visit(annotator, JUDGE)
    page = visitor.page
    expect(page.locator(".math__drawn .katex")).to_have_count(4)
    expect(page.locator(".response .prose", has_text="it costs $5 and $10.")).to_have_count(1)
    expect(page.get_by_text(r"$\frac{1$")).to_be_visible()
    expect(page.get_by_text(r"$\nosuchcommand{x}$")).to_be_visible()
    expect(page.locator(".math__drawn math annotation").first).to_have_text(re.compile("frac"))
    page.wait_for_function("() => document.fonts.check('16px KaTeX_Main')")
    page.wait_for_function(
        """() => [...document.querySelectorAll(".math--block")].every(
          (box) => box.tabIndex === 0 || box.scrollWidth <= box.clientWidth)"""
    )
    assert Axe().run(page).response["violations"] == []
    visitor.assert_clean()


def test_what_a_text_does_not_need_is_not_loaded(visit, project, annotator):
    item(project, "Plain words at $5.")
    page = visit(annotator, JUDGE).page
    expect(page.locator(".response__count").first).to_be_visible()
    assert not [url for url in asked_for(page) if "/vendor/" in url and "htmx" not in url]


BOMBS = {
    "recursion": r"$\def\a{\a\a}\a$ and $\def\x#1{#1#1}\x{\x{\x{\x{\x{\x{\x{\x{y}}}}}}}}$",
    "a rule": r"$\rule{99999em}{99999em}$ and $\rule{1e9pt}{1e9pt}$ and $\kern99999em x$",
    "braces": "$" + "{" * 9_000 + "x" + "}" * 9_000 + "$",
    "fractions": "$" + r"\frac{1}{" * 190 + "x" + "}" * 190 + "$",
    "formulas": " ".join(f"$x_{{{n}}}$" for n in range(5_000)),
    "matrices": "$$" + r"\begin{matrix}" * 60 + "x" + r"\end{matrix}" * 60 + "$$",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_of_formulas_leaves_the_page_usable(visit, project, annotator, bomb):
    item(project, BOMBS[bomb] + "\n\nAfter the bomb $e_1$.")
    visitor = visit(annotator, JUDGE)
    page = visitor.page
    page.wait_for_function(
        "() => document.querySelectorAll('.math:not([data-drawn])').length in {0: 1, 4501: 1}"
    )
    choose(page)
    expect(page.get_by_text("After the bomb")).to_be_visible()
    assert page.locator(".math__drawn").count() <= 500
    assert overflow(page) <= 0
    submit(page)
    expect(page.get_by_text("1 today")).to_be_visible()
    visitor.assert_clean()


ATTACKS = [
    r"$\href{javascript:alert(1)}{click}$ $\url{javascript:alert(1)}$",
    r"$\includegraphics{https://evil.example/x.png}$",
    r"$\htmlStyle{background:url(https://evil.example/x)}{x}$",
    r'$\htmlData{x="><img src=x onerror=alert(1)>}{y}$',
    r"$\text{<img src=x onerror=alert(1)>}$ $$\text{<script>alert(1)</script>}$$",
    r'$\color{red;background:url(https://evil.example/y)}{x}$ $\textcolor{"><svg onload=alert(1)>}{x}$',
    r"$\pmb{x} \fcolorbox{red}{blue}{y} \boxed{z} \cancel{w} \htmlId{judge}{x}$",
    "```html\n<img src=x onerror=alert(1)><script>alert(1)</script>\n```",
    '```"><img src=x onerror=alert(1)>\nx\n```',
    "```xml\n<svg onload=alert(1)>&lt;img src=x onerror=alert(1)&gt;\n```",
    "```math\n</span><img src=x onerror=alert(1)>\n```",
]


def test_no_attack_is_run_by_what_draws_over_the_texts(visit, project, annotator):
    attacks = [each.replace("\0", "") for each in CORPUS[:150]]
    both = [f"```html\n{each}\n```\n\n${each.replace('$', '')}_1$" for each in attacks]
    text = "\n\n".join([*ATTACKS, *both])
    item(project, text, text.replace("img", "image"))
    visitor = visit(annotator, JUDGE, height=20_000)
    page = visitor.page
    expect(page.locator(".math__drawn").first).to_be_attached()
    expect(page.locator("code[data-coloured]").first).to_be_attached()
    page.wait_for_function(
        "() => !document.querySelector('.response code[class^=language-]:not([data-coloured])')"
    )
    page.wait_for_function("() => !document.querySelector('.math:not([data-drawn])')")
    page.evaluate("() => document.querySelector('[data-does=compare]').click()")
    expect(page.locator(".compare__said")).not_to_be_empty()
    page.evaluate("() => getSelection().selectAllChildren(document.querySelector('.response > .prose > p'))")
    expect(page.locator(".marker")).to_be_attached()
    page.keyboard.press("m")
    expect(page.locator(".marks__one")).to_have_count(1)
    assert page.locator(".response").locator("img, script, iframe, a[href^=javascript]").count() == 0
    assert page.evaluate("() => document.querySelectorAll('#judge').length") == 1
    visitor.assert_clean()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_code_is_coloured_readable_and_the_same_to_the_letter(visit, project, annotator, scheme):
    item(project, CODE)
    visitor = visit(annotator, JUDGE, color_scheme=scheme, permissions=["clipboard-read", "clipboard-write"])
    page = visitor.page
    expect(page.locator(".hljs-keyword").first).to_be_visible()
    expect(page.locator("code[data-coloured]")).to_have_count(2)
    first = page.locator(".codeblock").first
    assert (first.locator("pre").text_content() or "").startswith("# Count the words of a text, and say")
    first.hover()
    first.get_by_role("button", name="Copy").click()
    expect(page.locator(".toast")).to_have_text("Copied")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert copied == CODE.partition("```python\n")[2].partition("```")[0]
    expect(first.locator("pre")).to_have_attribute("tabindex", "0")
    expect(first.locator("pre")).to_have_attribute("aria-label", "Scrolls sideways")
    assert overflow(page) <= 0
    assert Axe().run(page).response["violations"] == []
    visitor.assert_clean()


def test_wide_things_scroll_in_their_own_boxes_on_a_phone(visit, project, annotator):
    item(project, f"{TABLE}\n\n{FORMULAS}\n\n{CODE}\n\n{'word' * 200}")
    page = visit(annotator, JUDGE, width=390, has_touch=True).page
    expect(page.locator(".math__drawn").first).to_be_visible()
    table = page.locator(".prose__table")
    expect(table).to_have_attribute("tabindex", "0")
    expect(table).to_have_attribute("role", "group")
    assert table.evaluate("box => box.scrollWidth > box.clientWidth")
    assert overflow(page) <= 0
    assert Axe().run(page).response["violations"] == []


def test_lists_run_as_their_script_does(visit, project, annotator):
    item(project, SCRIPTS)
    page = visit(annotator, JUDGE).page
    inside = """list => {
      const box = list.closest(".prose").getBoundingClientRect();
      const text = new Range(); text.selectNodeContents(list.querySelector("li"));
      return box.right - text.getBoundingClientRect().right;
    }"""
    assert page.locator(".response ol").evaluate(inside) > 15, "there is room for the numbers on the right"
    assert page.locator("p code").first.evaluate("code => getComputedStyle(code).direction") == "ltr"


def test_a_long_response_is_folded_and_opens_by_button_key_and_search(visit, project, annotator):
    item(project, long_text(10_234))
    item(project, "Short.", number=1)
    visitor = visit(annotator, JUDGE)
    page = visitor.page
    more = page.get_by_role("button", name="Show all (10,234 words)")
    text = page.locator(".response:has(.fold) > .prose")
    expect(page.locator(".response__count", has_text="10,234 words")).to_be_visible()
    expect(more).to_have_attribute("aria-expanded", "false")
    assert text.evaluate("text => text.clientHeight") == 1600, "two screens"
    assert "The very end." in (text.text_content() or "")
    assert Axe().run(page).response["violations"] == []
    more.click()
    assert text.evaluate("text => text.clientHeight > 10_000 && text.clientHeight === text.scrollHeight")
    page.get_by_role("button", name="Show less").click()
    expect(more).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("e")
    expect(page.get_by_role("button", name="Show less")).to_be_attached()
    page.keyboard.press("e")
    page.get_by_role("button", name="To the end").click()
    expect(page.get_by_text("The very end.")).to_be_in_viewport()
    page.keyboard.press("e")
    text.evaluate("text => { text.scrollTop = 400; }")  # as the browser's search does
    expect(page.get_by_role("button", name="Show less")).to_be_attached()
    choose(page)
    submit(page)
    expect_item(page, 1)
    page.wait_for_function("() => !document.querySelector('#undo button').disabled")
    page.keyboard.press("u")
    expect_item(page, 0)
    expect(page.get_by_role("button", name="Show less")).to_be_attached()
    visitor.assert_clean()


def test_a_text_too_long_for_markdown_is_there_in_full(visit, project, annotator):
    item(project, long_text(36_000))
    page = visit(annotator, JUDGE).page
    expect(page.get_by_role("button", name="Show all (36,000 words)")).to_be_visible()
    page.keyboard.press("e")
    expect(page.locator(".prose-plain")).to_contain_text("The very end.")


def test_chinese_words_are_counted(visit, project, annotator):
    item(project, "我们今天去公园散步。", "One")
    page = visit(annotator, JUDGE).page
    expect(page.locator(".response__count", has_text="1 word")).to_have_count(1)
    count = page.locator(".response:has-text('公园') .response__count")
    expect(count).to_have_text(re.compile(r"^[4-8] words$"))


def test_without_scripts_everything_can_be_read(visit, project, annotator):
    item(project, f"{FORMULAS}\n\n{long_text(3_000)}")
    page = visit(annotator, JUDGE, java_script_enabled=False).page
    text = page.locator(".response", has_text="The roots are").inner_text()
    assert r"$x_{1,2} = \frac{-b \pm \sqrt{b^2-4ac}}{2a}$" in text
    assert "The very end." in text
    expect(page.locator("#view")).to_be_hidden()
