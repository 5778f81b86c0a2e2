"""The keyboard of the judging page: several criteria, the strength scale, and keys that people choose."""

import pytest
from playwright.sync_api import Page, expect

from annotation.models.work import Assignment, Judgment
from tests.e2e.sheets import THREE, faults, workplace

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

JUDGE = "/p/harbour/judge/"


def next_item(page: Page) -> None:
    expect(page.locator("#prompt")).to_contain_text("Question number 1?")
    expect(page.locator("[data-saved]")).to_contain_text("Saved:")


def change(page: Page, action: str, key: str) -> None:
    """With the help open and its keys being changed."""
    page.locator(f"#help tr:has(th:text-is('{action}'))").get_by_role("button", name="Change").click()
    page.keyboard.press(key)


def said(page: Page, text: str) -> None:
    expect(page.locator("#help [data-said]")).to_have_text(text)


def test_three_criteria_are_answered_one_after_the_other(visit):
    _, annotator = workplace("pairwise", 2, criteria=THREE)
    visitor = visit(annotator, JUDGE)
    page = visitor.page
    page.keyboard.press("1")
    page.keyboard.press("3")
    expect(page.locator(".criterion.is-active")).to_contain_text("honesty")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Not complete yet: honesty.")).to_be_visible()
    assert Judgment.objects.count() == 0
    page.keyboard.press("ArrowUp")  # back to harmlessness
    page.keyboard.press("2")
    page.keyboard.press("4")
    page.keyboard.press("Enter")
    next_item(page)
    judgment = Judgment.objects.get()
    answers = {answer.criterion: answer.choice for answer in judgment.answers.all()}
    a, b = ("a", "b") if judgment.display_order == [0, 1] else ("b", "a")
    assert answers == {"helpfulness": a, "harmlessness": b, "honesty": "both_bad"}
    visitor.assert_clean()


def test_a_phone_shows_one_criterion_at_a_time(visit):
    _, annotator = workplace("pairwise", 2, criteria=THREE)
    page = visit(annotator, JUDGE, width=390, height=844, has_touch=True, is_mobile=True).page
    expect(page.locator(".criterion:visible")).to_have_count(1)
    assert page.locator(".work__answer").bounding_box()["height"] < 844 / 3
    for name in ("A is better", "Tie", "B is better"):
        page.locator(".criterion:visible label.answer", has=page.get_by_label(name)).tap()
    expect(page.locator(".step.is-answered")).to_have_count(3)
    page.get_by_role("button", name="Submit").tap()
    next_item(page)
    assert Judgment.objects.get().answers.count() == 3


def test_the_strength_scale_runs_from_a_to_b(visit):
    _, annotator = workplace("pairwise", 2, strength_scale=True, both_bad=False)
    page = visit(annotator, JUDGE).page
    expect(page.locator("label.answer")).to_have_count(7)
    page.keyboard.press("7")
    expect(page.get_by_label("B is much better")).to_be_checked()
    page.keyboard.press("7")
    next_item(page)
    judgment = Judgment.objects.get()
    answer = judgment.answers.get()
    assert answer.strength == 3
    assert judgment.display_order["ab".index(answer.choice)] in (0, 1)
    assert "ab".index(answer.choice) == judgment.display_order[1], "B is what stood on the right"


def test_keys_can_be_changed_are_shown_everywhere_and_remembered(visit):
    _, annotator = workplace("pairwise", 2)
    visitor = visit(annotator, JUDGE)
    page = visitor.page
    page.keyboard.press("?")
    page.get_by_role("button", name="Change keys").click()
    change(page, "Flag a problem with the item", "s")
    said(page, "S is taken: “Skip; Enter confirms”. Press another key.")
    page.keyboard.press("Tab")
    said(page, "That key cannot be used. Press another one.")
    page.keyboard.press("j")
    said(page, "Flag a problem with the item: J")
    change(page, "A is better", "Escape")  # stays as it is, and so does the dialog
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    change(page, "A is better", "k")
    page.get_by_role("button", name="Close").click()
    for _ in range(2):
        expect(page.locator("#flag summary kbd")).to_have_text("J")
        expect(page.locator("label.answer--a kbd")).to_have_text("K")
        page.keyboard.press("1")
        expect(page.get_by_label("A is better")).not_to_be_checked()
        page.keyboard.press("k")
        expect(page.get_by_label("A is better")).to_be_checked()
        page.keyboard.press("2")
        page.reload()
    page.keyboard.press("?")
    page.get_by_role("button", name="Change keys").click()
    page.get_by_role("button", name="Reset to defaults").click()
    page.get_by_role("button", name="Close").click()
    expect(page.locator("label.answer--a kbd")).to_have_text("1")
    page.keyboard.press("1")
    expect(page.get_by_label("A is better")).to_be_checked()
    visitor.assert_clean()


def test_the_help_lists_the_keys_of_this_question(visit):
    _, annotator = workplace("ranking", 2)
    page = visit(annotator, JUDGE).page
    page.keyboard.press("?")
    listed = page.locator("#help th").all_inner_texts()
    assert "Rank 1" in listed
    assert "Move the response up" in listed
    assert "Both are bad" not in listed
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).not_to_be_visible()


def test_keys_rest_while_a_word_is_composed(visit):
    _, annotator = workplace("pairwise", 2)
    page = visit(annotator, JUDGE).page
    page.evaluate(
        """() => { for (const more of [{ isComposing: true }, { keyCode: 229 }]) {
            const event = new KeyboardEvent("keydown", { key: "1", bubbles: true, ...more });
            document.body.dispatchEvent(event);
        } }"""
    )
    assert page.locator("#question :checked").count() == 0


def test_another_alphabet_uses_the_places_of_the_keys(visit):
    _, annotator = workplace("pairwise", 2)
    page = visit(annotator, JUDGE).page
    page.evaluate(
        """() => document.body.dispatchEvent(
            new KeyboardEvent("keydown", { key: "и", code: "KeyB", bubbles: true }))"""
    )
    expect(page.get_by_label("B is better")).to_be_checked()


def test_skipping_with_a_reason_by_three_keys(visit):
    _, annotator = workplace("pairwise", 2)
    page = visit(annotator, JUDGE).page
    for key in ("s", "3", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#prompt")).to_contain_text("Question number 1?")
    expect(page.locator("[data-saved]")).to_have_text("Skipped")
    assert Assignment.objects.get(state="skipped").note == "Too long"
    assert page.locator("#question :checked").count() == 0


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_dialogs_and_panels_hinder_nobody(visit, width, scheme):
    _, annotator = workplace("pairwise", 2, criteria=THREE, strength_scale=True)
    page = visit(annotator, JUDGE, width=width, color_scheme=scheme).page
    assert faults(page) == []
    page.keyboard.press("?")
    page.get_by_role("button", name="Change keys").click()
    assert faults(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    assert faults(page) == []
