"""Marking places in a response by mouse, touch and keyboard; places hold whatever is drawn over a text."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from annotation.models.work import Draft, Judgment
from tests import factories
from tests.e2e.judging import JUDGE, annotator_of, choose, expect_item, expect_state, submit

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Formulas, code, a list and an emoji come before the word that is marked.
RICH = """Let $x_1 + x_2$ be **bold**, 👩‍👩‍👧 and

$$
\\frac{1}{2}
$$

```python
def answer(): return "a string"
```

- one `two`
- the needle is here, in $y$ too."""


@pytest.fixture
def project():
    return factories.project("harbour", name="Harbour", reasons=["factual error", "unsafe"])


@pytest.fixture
def annotator(project):
    return annotator_of(project)


@pytest.fixture
def items(project):
    return [
        factories.pair_item(
            project,
            texts=(RICH, f"{RICH}\n\nOther."),
            on=factories.prompt(project, f"Question number {n}?"),
            shuffle=n / 1000,
        )
        for n in range(2)
    ]


SELECT = """([side, words]) => {
  const text = document.querySelectorAll(".response > .prose")[side];
  const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const at = node.data.indexOf(words);
    if (at >= 0) { getSelection().setBaseAndExtent(node, at, node, at + words.length); return true; }
  }
  return false;
}"""
PAINTED = "() => [...CSS.highlights.get('laurel-mark')].map(range => range.toString())"


BESIDE_THE_WORDS = """() => {
  const bar = document.querySelector(".marker").getBoundingClientRect();
  const words = getSelection().getRangeAt(0).getBoundingClientRect();
  return Math.min(Math.abs(bar.top - words.bottom), Math.abs(words.top - bar.bottom)) < 40;
}"""


def select(page: Page, words: str, side: int = 0) -> None:
    assert page.evaluate(SELECT, [side, words]), f"{words!r} is not in one text node"
    expect(page.locator(".marker")).to_be_visible()


def drawn(page: Page) -> None:
    expect(page.locator(".responses .math__drawn")).to_have_count(6)
    expect(page.locator(".responses .hljs-keyword").first).to_be_attached()


def held(page: Page) -> list[dict[str, object]]:
    return json.loads(page.locator("[name=spans]").input_value() or "[]")


def served(page: Page, side: int = 0) -> str:
    """The text of a response as the server sends it, before any script."""
    return page.evaluate(
        """async side => {
          const sent = await (await fetch(location.href)).text();
          const page = new DOMParser().parseFromString(sent, "text/html");
          return page.querySelectorAll(".response > .prose")[side].textContent;
        }""",
        side,
    )


def utf16(text: str, start: int, end: int) -> str:
    return text.encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le")


def test_words_are_marked_with_a_reason_at_their_place_in_the_text_as_served(
    visit, project, annotator, items
):
    visitor = visit(annotator, JUDGE)
    page = visitor.page
    drawn(page)
    select(page, "needle")
    page.locator(".marker").get_by_role("button", name="factual error").click()
    [mark] = held(page)
    assert (mark["response"], mark["quote"], mark["reason"]) == (0, "needle", "factual error")
    assert utf16(served(page), mark["start"], mark["end"]) == "needle"
    assert page.evaluate(PAINTED) == ["needle"]
    row = page.locator(".marks__one")
    expect(row).to_contain_text("A: “needle”")
    expect(row).to_contain_text("factual error")
    expect(page.locator("#announce")).to_have_text("Marked in A")
    expect(page.locator(".marker")).to_have_count(0)
    assert Axe().run(page).response["violations"] == []
    visitor.assert_clean()


def test_half_a_formula_is_the_whole_of_it_and_counts_as_its_source(visit, project, annotator, items):
    page = visit(annotator, JUDGE).page
    drawn(page)
    page.evaluate(
        """() => {
          const text = document.querySelector(".response > .prose");
          const glyph = text.querySelector(".math--inline .katex-html .mord");
          const bold = text.querySelector("strong").firstChild;
          getSelection().setBaseAndExtent(glyph, 0, bold, 4);
        }"""
    )
    expect(page.locator(".marker")).to_be_visible()
    page.keyboard.press("m")
    [mark] = held(page)
    assert mark["quote"] == "$x_1 + x_2$ be bold"
    assert utf16(served(page), mark["start"], mark["end"]) == mark["quote"]


def test_marks_come_back_with_the_draft_and_are_stored_with_the_answer(visit, project, annotator, items):
    page = visit(annotator, JUDGE).page
    select(page, "needle", side=1)
    page.keyboard.press("m")
    expect_state(page, "saved")
    page.wait_for_function("() => Number(document.querySelector('[name=draft_version]').value) > 0")
    assert "needle" in json.dumps(Draft.objects.get().body)
    page.evaluate("localStorage.clear()")
    page.reload()
    expect(page.locator(".marks__one")).to_contain_text("B: “needle”")
    drawn(page)
    assert page.evaluate(PAINTED) == ["needle"]
    choose(page)
    submit(page)
    expect_item(page, 1)
    expect(page.locator(".marks__one")).to_have_count(0)
    assert page.evaluate(PAINTED) == []
    expect_state(page, "saved")
    page.wait_for_function("() => !document.querySelector('#undo button').disabled")
    judgment = Judgment.objects.get()
    [stored] = judgment.spans
    assert (stored["quote"], stored["response"]) == ("needle", judgment.display_order[1])
    page.keyboard.press("u")
    expect_item(page, 0)
    expect(page.locator(".marks__one")).to_contain_text("B: “needle”")


def test_a_mark_is_removed_and_the_form_hears_of_it(visit, project, annotator, items):
    page = visit(annotator, JUDGE).page
    for words, side in (("needle", 0), ("two", 1)):
        select(page, words, side)
        page.keyboard.press("m")
    page.evaluate(
        """() => { window.heard = 0;
          document.getElementById("item").addEventListener("input", (event) => {
            if (event.target.name === "spans") window.heard += 1; }); }"""
    )
    page.get_by_role("button", name="Remove the mark: needle").click()
    expect(page.locator(".marks__one")).to_have_count(1)
    expect(page.locator(".marks__remove")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".marks")).to_have_count(0)
    assert page.evaluate("window.heard") == 2
    assert page.locator("[name=spans]").input_value() == ""
    assert page.evaluate(PAINTED) == []


def test_marking_by_keyboard_alone(visit, project, annotator, items):
    page = visit(annotator, JUDGE).page
    drawn(page)
    page.keyboard.press("m")
    expect(page.locator(".toast")).to_contain_text("Select words in a response first")
    page.locator(".response--a > .prose").focus()
    page.keyboard.press("Shift+Control+ArrowRight")
    expect(page.locator(".marker")).to_be_visible()
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.dataset.reason") != "unsafe":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    [mark] = held(page)
    assert (mark["start"], mark["quote"], mark["reason"]) == (0, "Let", "unsafe")
    page.locator(".response--a > .prose").focus()
    for _ in range(6):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Alt+Shift+ArrowLeft")
    assert page.locator("[name=choice-0]:checked").count() == 0, "the arrows alone choose an answer"


@pytest.mark.parametrize("kind", ["pairwise", "ranking", "rating"])
def test_marking_by_touch(visit, project, annotator, items, kind):
    project.kind = kind
    project.save()
    page = visit(annotator, JUDGE, width=390, has_touch=True).page
    drawn(page)
    page.locator(".response li").last.scroll_into_view_if_needed()
    select(page, "needle")
    page.locator(".response--a li").last.scroll_into_view_if_needed()
    box = page.locator(".marker").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    bar = page.locator(".actions").bounding_box()
    assert bar is not None
    assert box["y"] + box["height"] <= bar["y"]
    page.wait_for_function(BESIDE_THE_WORDS)
    page.locator(".marker").get_by_role("button", name="unsafe").tap()
    assert [mark["reason"] for mark in held(page)] == ["unsafe"]


def test_where_highlights_are_unknown_marks_are_elements_and_places_hold(visit, project, annotator, items):
    page = visit(annotator, "/").page
    page.add_init_script("delete window.Highlight;")
    page.goto(page.url.rstrip("/") + JUDGE)
    drawn(page)
    select(page, "string")
    page.keyboard.press("m")
    select(page, "needle")
    page.keyboard.press("m")
    expect(page.locator(".prose mark")).to_have_text(["string", "needle"])
    assert [utf16(served(page), mark["start"], mark["end"]) for mark in held(page)] == ["string", "needle"]


def test_a_hostile_field_marks_nothing_and_runs_nothing(visit, project, annotator, items):
    visitor = visit(annotator, JUDGE)
    page = visitor.page
    attack = '<img src=x onerror=alert(1)>"><script>alert(1)</script>'
    page.evaluate(
        """value => {
          document.querySelector("[name=spans]").value = value;
          const restored = { bubbles: true, detail: { restored: true } };
          document.getElementById("item").dispatchEvent(new CustomEvent("laurel:item", restored));
        }""",
        json.dumps(
            [{"response": 0, "start": 0, "end": 3, "quote": attack, "reason": attack}, 7, None, {"a": 1}]
        ),
    )
    expect(page.locator(".marks__one")).to_have_count(1)
    expect(page.locator(".marks__reason")).to_have_text(attack)
    assert page.locator(".marks img, .marks script").count() == 0
    visitor.assert_clean()
