"""Ratings in a real browser: a grid of points by key, pointer, touch and without JavaScript."""

import pytest
from playwright.sync_api import Page, expect

from annotation.models.work import Judgment
from tests.e2e.sheets import THREE, faults, workplace

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

JUDGE = "/p/harbour/judge/"


def on_the_screen(judgment: Judgment, criterion: str = "overall") -> list[int]:
    ratings = judgment.answers.get(criterion=criterion).ratings
    return [ratings[position] for position in judgment.display_order]


def row(page: Page, letter: str, criterion: str = "overall"):
    return page.get_by_role("radiogroup", name=f"Response {letter}, {criterion}")


def next_item(page: Page) -> None:
    expect(page.locator("#prompt")).to_contain_text("Question number 1?")
    expect(page.locator("[data-saved]")).to_contain_text("Saved:")


def test_numbers_go_down_the_grid_and_on_to_the_next_criterion(visit):
    _, annotator = workplace("rating", 3, criteria=THREE[:2])
    visitor = visit(annotator, JUDGE)
    page = visitor.page
    for key in "514":
        page.keyboard.press(key)
    expect(row(page, "A", "harmlessness").get_by_role("radio").first).to_be_focused()
    for key in "233":
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    next_item(page)
    judgment = Judgment.objects.get()
    assert on_the_screen(judgment, "helpfulness") == [5, 1, 4]
    assert on_the_screen(judgment, "harmlessness") == [2, 3, 3]
    visitor.assert_clean()


def test_arrows_move_between_rows_and_points(visit):
    _, annotator = workplace("rating", 3)
    page = visit(annotator, JUDGE).page
    for key in "333":
        page.keyboard.press(key)
    row(page, "C").get_by_label("3").focus()
    page.keyboard.press("ArrowUp")
    expect(row(page, "B").get_by_label("3")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(row(page, "B").get_by_label("4")).to_be_checked()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("1")
    expect(row(page, "A").get_by_label("1")).to_be_checked()
    expect(row(page, "B").get_by_label("4")).to_be_focused()
    page.keyboard.press("Enter")
    next_item(page)
    assert on_the_screen(Judgment.objects.get()) == [1, 4, 3]


def test_a_number_beyond_the_scale_does_nothing_and_seven_points_have_seven_keys(visit):
    _, annotator = workplace("rating", 1, rating_points=7)
    page = visit(annotator, JUDGE).page
    page.keyboard.press("8")
    assert page.locator("#question :checked").count() == 0
    page.keyboard.press("7")
    expect(row(page, "A").get_by_label("7", exact=True)).to_be_checked()


def test_what_is_missing_is_pointed_at(visit):
    _, annotator = workplace("rating", 4)
    page = visit(annotator, JUDGE).page
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Rate every response first.")).to_be_visible()
    expect(row(page, "B").get_by_role("radio").first).to_be_focused()
    assert Judgment.objects.count() == 0


def test_by_touch_on_a_phone(visit):
    _, annotator = workplace("rating", 3, criteria=THREE[:2], rating_points=7)
    page = visit(annotator, JUDGE, width=390, height=844, has_touch=True, is_mobile=True).page
    submit = page.get_by_role("button", name="Submit")
    box = submit.bounding_box()
    assert box["y"] + box["height"] <= 844, "in reach from the first line on"
    assert box["y"] > 844 * 0.8, "without covering what is read"
    page.get_by_role("link", name="Rate", exact=True).tap()
    for criterion in ("helpfulness", "harmlessness"):
        for letter in "ABC":
            point = row(page, letter, criterion).locator(".point").nth(5)
            assert point.bounding_box()["height"] >= 44
            point.tap()
    submit.tap()
    next_item(page)
    assert on_the_screen(Judgment.objects.get(), "harmlessness") == [6, 6, 6]


def test_without_javascript_it_is_a_plain_form(visit):
    _, annotator = workplace("rating", 2)
    page = visit(annotator, JUDGE, java_script_enabled=False).page
    row(page, "A").get_by_label("2").check()
    row(page, "B").get_by_label("5").check()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Saved: A 2, B 5")).to_be_visible()
    assert on_the_screen(Judgment.objects.get()) == [2, 5]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
@pytest.mark.parametrize("count", [1, 3, 8])
def test_nothing_hinders_anybody(visit, width, scheme, count):
    _, annotator = workplace("rating", count, criteria=THREE)
    page = visit(annotator, JUDGE, width=width, color_scheme=scheme).page
    page.keyboard.press("3")
    assert faults(page) == []
