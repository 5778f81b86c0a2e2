"""How a person likes to read: words compared, the divider, size, columns; kept, and there at first paint."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests import factories
from tests.e2e.judging import JUDGE, annotator_of, choose, expect_item, submit
from tests.e2e.long_texts import long_text

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FIRST = "The quick brown fox jumps over $x_1$ lazy dogs.\n\n```python\nprint('fox')\n```"
SECOND = "The quick red fox leaps over $x_2$ lazy dogs.\n\n```python\nprint('cat')\n```"
DIFFERING = "() => [...(CSS.highlights.get('laurel-differs') ?? [])].map(range => range.toString())"
WIDTHS = """() => [...document.querySelectorAll(".response")].map(
  (each) => Math.round(each.getBoundingClientRect().width))"""
AREAS = """() => [...document.querySelectorAll(".response > .prose")].map(
  (text) => text.scrollHeight > text.clientHeight + 100)"""
WORDS_DIFFER = """(words) => [...CSS.highlights.get("laurel-differs")]
  .flatMap((each) => each.toString().split(" ")).sort().join() === words"""


@pytest.fixture
def project():
    return factories.project("harbour", name="Harbour")


@pytest.fixture
def annotator(project):
    return annotator_of(project)


@pytest.fixture
def items(project):
    return [
        factories.pair_item(
            project,
            texts=(FIRST, SECOND),
            on=factories.prompt(project, f"Question number {n}?"),
            shuffle=n / 1000,
        )
        for n in range(3)
    ]


def choose_in_view(page: Page, name: str) -> None:
    if not page.locator("#view[open]").count():
        page.locator("#view > summary").click()
    page.get_by_role("button", name=name).click()


def test_words_of_one_text_only_are_marked_in_both_and_the_texts_stay(visit, project, annotator, items):
    visitor = visit(annotator, JUDGE)
    page = visitor.page
    expect(page.locator(".response .math__drawn")).to_have_count(2)
    expect(page.locator(".response .hljs-string")).to_have_count(2)
    before = page.locator("#responses").inner_html()
    assert page.evaluate(DIFFERING) == []
    page.keyboard.press("d")
    expect(page.locator(".compare__said")).to_have_text("Words that only one of the two has are marked.")
    found = page.evaluate(DIFFERING)
    assert {"brown", "red", "jumps", "leaps", "fox", "cat"} <= set(found)
    assert not {"quick", "lazy", "The"} & set(found)
    assert page.locator("#responses").inner_html() == before
    assert Axe().run(page).response["violations"] == []
    page.reload()
    page.wait_for_function("() => CSS.highlights.get('laurel-differs')?.size > 0")
    choose(page)
    submit(page)
    expect_item(page, 1)
    page.wait_for_function("() => CSS.highlights.get('laurel-differs')?.size > 0")
    page.keyboard.press("d")
    expect(page.locator(".compare")).to_have_count(0)
    assert page.evaluate(DIFFERING) == []
    visitor.assert_clean()


def test_texts_without_much_in_common_say_so(visit, project, annotator):
    factories.pair_item(project, texts=("one two three four five six", "seven eight nine ten eleven twelve"))
    page = visit(annotator, JUDGE).page
    page.keyboard.press("d")
    expect(page.locator(".compare__said")).to_contain_text("too little in common")


def test_texts_too_long_to_compare_say_so(visit, project, annotator):
    factories.pair_item(project, texts=(long_text(25_000), long_text(24_000)))
    page = visit(annotator, JUDGE).page
    page.keyboard.press("d")
    expect(page.locator(".compare__said")).to_contain_text("too long")


def test_two_of_several_are_chosen(visit, project, annotator):
    project.kind = "ranking"
    project.save()
    on = factories.prompt(project)
    texts = ("same words here and there", "same words here and where", "same words now and then")
    factories.pair_item(project, pair=[factories.response(on, text) for text in texts])
    page = visit(annotator, JUDGE).page
    page.keyboard.press("d")
    expect(page.locator(".compare__said")).to_contain_text("Words that only one")
    page.get_by_label("Second response to compare").select_option("C")
    page.wait_for_function("() => CSS.highlights.get('laurel-differs')?.size > 0")
    shown = page.locator(".response > .prose").all_inner_texts()
    expected = {
        word for one, other in ((0, 2), (2, 0)) for word in shown[one].split() if word not in shown[other]
    }
    page.wait_for_function(
        WORDS_DIFFER,
        arg=",".join(sorted(expected)),
    )


def test_the_divider_moves_by_key_and_by_pointer_and_stays(visit, project, annotator, items):
    visitor = visit(annotator, JUDGE)
    page = visitor.page
    divider = page.get_by_role("separator")
    first, second = page.evaluate(WIDTHS)
    assert abs(first - second) <= 1
    divider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(divider).to_have_attribute("aria-valuenow", "60")
    first, second = page.evaluate(WIDTHS)
    assert first / second == pytest.approx(1.5, abs=0.02)
    assert page.locator("[name=choice-0]:checked").count() == 0
    page.keyboard.press("End")
    expect(divider).to_have_attribute("aria-valuenow", "80")
    box = divider.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(480, box["y"] + 20, steps=4)
    page.mouse.up()
    share = int(divider.get_attribute("aria-valuenow") or 0)
    assert 33 <= share <= 41
    assert Axe().run(page).response["violations"] == []
    page.reload()
    expect(divider).to_have_attribute("aria-valuenow", str(share))
    visitor.assert_clean()


def test_what_is_chosen_is_there_before_the_first_paint(visit, project, annotator, items):
    page = visit(annotator, JUDGE).page
    page.evaluate(
        """localStorage.setItem("laurel-view", JSON.stringify(
          { size: 4, split: 60, stacked: true, apart: "x", evil: 1 }))"""
    )
    page.add_init_script(
        """new MutationObserver((_, watcher) => {
          const text = document.querySelector(".response > .prose");
          if (!text) return;
          watcher.disconnect();
          window.early = [document.documentElement.dataset.columns, document.documentElement.dataset.scroll,
            getComputedStyle(document.documentElement).getPropertyValue("--reading-scale").trim()];
        }).observe(document, { childList: true, subtree: true });"""
    )
    page.reload()
    assert page.evaluate("window.early") == ["stacked", "together", "1.25"]
    first, second = page.evaluate(WIDTHS)
    assert first == second > 900
    assert (
        page.locator(".response > .prose").first.evaluate("text => getComputedStyle(text).fontSize") == "20px"
    )


def test_the_view_menu_changes_size_columns_and_scrolling(visit, project, annotator):
    on = factories.prompt(project, "Question number 0?")
    factories.pair_item(project, texts=(long_text(3_000), long_text(2_000)), on=on)
    visitor = visit(annotator, JUDGE)
    page = visitor.page
    choose_in_view(page, "Larger text")
    choose_in_view(page, "Larger text")
    expect(page.locator("[data-view-size]")).to_have_text("125 %")
    choose_in_view(page, "Scroll each by itself")
    expect(page.get_by_role("button", name="Scroll each by itself")).to_have_attribute("aria-pressed", "true")
    assert page.locator(".fold").count() == 0
    assert page.evaluate(AREAS) == [True, True]
    assert page.evaluate("() => document.documentElement.scrollHeight < 2 * window.innerHeight")
    assert Axe().run(page).response["violations"] == []
    choose_in_view(page, "One below the other")
    first, second = page.evaluate(WIDTHS)
    assert first == second > 900
    choose_in_view(page, "As it was at first")
    expect(page.locator("[data-view-size]")).to_have_text("100 %")
    expect(page.locator(".fold")).to_have_count(2)
    visitor.assert_clean()


def test_the_view_menu_is_there_after_an_answer_and_fits_a_phone(visit, project, annotator, items):
    page = visit(annotator, JUDGE, width=390, has_touch=True).page
    choose(page)
    submit(page)
    expect_item(page, 1)
    expect(page.get_by_text("1 today")).to_be_visible()
    page.locator("#view > summary").click()
    box = page.locator(".view__panel").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert Axe().run(page).response["violations"] == []
