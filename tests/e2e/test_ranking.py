"""Rankings in a real browser: by key, by handle, by touch, with ties, with several criteria."""

import pytest
from playwright.sync_api import Page, expect

from annotation.models.work import Judgment
from tests.e2e.sheets import THREE, faults, values, workplace

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

JUDGE = "/p/harbour/judge/"


def letters(page: Page) -> str:
    """The order of the cards that can be seen."""
    return "".join(page.locator(".rank:visible .letter").all_inner_texts())


def on_the_screen(judgment: Judgment, criterion: str = "overall") -> list[int]:
    ranks = judgment.answers.get(criterion=criterion).ranks
    return [ranks[position] for position in judgment.display_order]


def next_item(page: Page) -> None:
    expect(page.locator("#prompt")).to_contain_text("Question number 1?")
    expect(page.locator("[data-saved]")).to_contain_text("Saved:")


def test_number_keys_rank_one_response_after_the_other(visit):
    _, annotator = workplace("ranking", 3)
    visitor = visit(annotator, JUDGE)
    page = visitor.page
    for key in "312":
        page.keyboard.press(key)
    assert letters(page) == "BCA"
    assert values(page, "rank-0", 3) == ["3", "1", "2"]
    expect(page.locator("#announce")).to_have_text("Response C: rank 2 of 3")
    page.keyboard.press("Enter")
    next_item(page)
    assert on_the_screen(Judgment.objects.get()) == [3, 1, 2]
    assert letters(page) == "ABC", "the next item starts afresh"
    visitor.assert_clean()


def test_equal_numbers_tie_and_the_button_between_two_cards_does_too(visit):
    _, annotator = workplace("ranking", 3)
    page = visit(annotator, JUDGE).page
    for key in "121":
        page.keyboard.press(key)
    assert letters(page) == "ACB"
    tie = page.get_by_role("button", name="Response C: tied with the one above")
    expect(tie).to_have_attribute("aria-pressed", "true")
    tie.click()
    assert values(page, "rank-0", 3) == ["1", "3", "2"]
    page.get_by_role("button", name="Response B: tied with the one above").click()
    assert values(page, "rank-0", 3) == ["1", "2", "2"]
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Submit").click()
    next_item(page)
    assert on_the_screen(Judgment.objects.get()) == [1, 2, 2]


def test_without_ties_a_number_changes_places(visit):
    _, annotator = workplace("ranking", 3, ties=False)
    page = visit(annotator, JUDGE).page
    expect(page.locator("[data-tie]")).to_have_count(0)
    for key in "123":
        page.keyboard.press(key)
    page.get_by_label("Rank of Response A").focus()
    page.keyboard.press("3")
    assert values(page, "rank-0", 3) == ["3", "2", "1"]
    page.get_by_label("Rank of Response B").select_option("1")
    assert values(page, "rank-0", 3) == ["3", "1", "2"]


def test_arrows_move_the_response_in_focus_out_of_ties_and_past_others(visit):
    _, annotator = workplace("ranking", 3)
    page = visit(annotator, JUDGE).page
    page.get_by_label("Rank of Response C").focus()
    page.keyboard.press("ArrowUp")
    assert letters(page) == "ACB"
    expect(page.get_by_label("Rank of Response C")).to_be_focused()
    expect(page.locator("#announce")).to_have_text("Response C: rank 2 of 3")
    page.keyboard.press("1")  # tied with A now
    page.get_by_label("Rank of Response C").focus()
    page.keyboard.press("ArrowDown")
    assert values(page, "rank-0", 3) == ["1", "3", "2"]
    page.get_by_label("Rank of Response A").focus()
    page.keyboard.press("ArrowUp")  # the best already
    assert letters(page) == "ACB"


def test_an_order_nobody_touched_is_asked_about_once(visit):
    _, annotator = workplace("ranking", 3)
    page = visit(annotator, JUDGE).page
    expect(page.locator("#item h1")).to_be_visible()
    page.wait_for_timeout(500)  # a hasty Enter belongs to the item before
    page.keyboard.press("Enter")
    expect(page.locator("[data-note]")).to_contain_text("You have not changed the order.")
    assert Judgment.objects.count() == 0
    page.keyboard.press("Enter")
    next_item(page)
    assert on_the_screen(Judgment.objects.get()) == [1, 2, 3]


def test_a_half_ranked_order_is_not_sent(visit):
    _, annotator = workplace("ranking", 3)
    page = visit(annotator, JUDGE).page
    page.keyboard.press("2")
    for _ in range(2):
        page.keyboard.press("Enter")
        expect(page.locator("[data-note]")).to_have_text("Rank every response first.")
    expect(page.get_by_label("Rank of Response B")).to_be_focused()
    assert Judgment.objects.count() == 0


def drag(page: Page, grip: str, onto: str) -> None:
    page.locator("#question").scroll_into_view_if_needed()
    start, end = (page.locator(f".rank:has(.letter:text-is('{name}'))") for name in (grip, onto))
    box = start.locator("[data-handle]").bounding_box()
    target = end.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 20, box["y"] + 30, steps=4)
    page.mouse.move(target["x"] + 40, target["y"] + target["height"] - 4, steps=12)
    page.mouse.up()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_handle_drags_and_the_text_does_not(visit, width):
    _, annotator = workplace("ranking", 4)
    visitor = visit(annotator, JUDGE, width=width)
    page = visitor.page
    expect(page.locator(".rank__handle").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    drag(page, "A", "C")
    expect(page.locator(".rank .letter").first).to_have_text("B")
    assert letters(page) == "BCAD"
    assert values(page, "rank-0", 4) == ["3", "1", "2", "4"]
    words = page.locator(".rank__words").first.bounding_box()
    page.mouse.move(words["x"] + 10, words["y"] + 8)
    page.mouse.down()
    page.mouse.move(words["x"] + 10, words["y"] + 150, steps=10)
    page.mouse.up()
    assert letters(page) == "BCAD"
    visitor.assert_clean()


def swipe(page: Page, selector: str, by: int) -> None:
    """A finger goes down in the middle of the third card's part and moves up (less than 0) or down."""
    box = page.locator(selector).nth(2).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    finger = page.context.new_cdp_session(page)
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 21):
        point = {"x": x, "y": y + by * step / 20}
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
        page.wait_for_timeout(16)
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(400)


def test_a_finger_on_the_text_scrolls_and_on_the_handle_drags(visit):
    _, annotator = workplace("ranking", 8)
    page = visit(annotator, JUDGE, width=390, height=844, has_touch=True, is_mobile=True).page
    page.wait_for_load_state("networkidle")
    page.locator(".rank").nth(3).evaluate("card => card.scrollIntoView({ block: 'center' })")
    top = page.evaluate("window.scrollY")
    swipe(page, ".rank__words", 150)
    assert page.evaluate("window.scrollY") < top
    assert letters(page) == "ABCDEFGH"
    assert values(page, "rank-0", 8) == [""] * 8
    page.locator(".rank").nth(3).evaluate("card => card.scrollIntoView({ block: 'center' })")
    top = page.evaluate("window.scrollY")
    swipe(page, ".rank__handle", 90)
    assert page.evaluate("window.scrollY") == top
    assert letters(page) != "ABCDEFGH"
    assert "" not in values(page, "rank-0", 8)


def test_three_criteria_one_after_the_other(visit):
    _, annotator = workplace("ranking", 2, criteria=THREE)
    page = visit(annotator, JUDGE).page
    page.keyboard.press("2")
    page.keyboard.press("1")
    expect(page.get_by_role("button", name="harmlessness")).to_have_attribute("aria-pressed", "true")
    for key in "1212":
        page.keyboard.press(key)
    expect(page.locator(".step.is-answered")).to_have_count(3)
    page.keyboard.press("Enter")
    next_item(page)
    judgment = Judgment.objects.get()
    assert [on_the_screen(judgment, each["name"]) for each in THREE] == [[2, 1], [1, 2], [1, 2]]


def test_a_ranking_comes_back_when_it_is_reopened(visit):
    _, annotator = workplace("ranking", 3)
    page = visit(annotator, JUDGE).page
    for key in "231":
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    next_item(page)
    page.keyboard.press("u")
    expect(page.get_by_text("You are changing an answer you gave")).to_be_visible()
    assert letters(page) == "CAB"
    assert values(page, "rank-0", 3) == ["2", "3", "1"]


def test_without_javascript_the_ranks_are_plain_lists(visit):
    _, annotator = workplace("ranking", 3, criteria=THREE[:2])
    page = visit(annotator, JUDGE, java_script_enabled=False).page
    for name, rank in (("A", "2"), ("B", "1"), ("C", "2")):
        page.get_by_label(f"Rank of Response {name}, helpfulness").select_option(rank)
        page.get_by_label(f"Rank of Response {name}, harmlessness").select_option("1")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("helpfulness: B > A = C")).to_be_visible()
    assert on_the_screen(Judgment.objects.get(), "helpfulness") == [2, 1, 2]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("count", [2, 8])
def test_nothing_hinders_anybody(visit, width, scheme, count):
    _, annotator = workplace("ranking", count, criteria=THREE)
    page = visit(annotator, JUDGE, width=width, color_scheme=scheme).page
    assert faults(page) == []
    page.keyboard.press("1")
    page.keyboard.press("1")
    page.wait_for_timeout(400)
    page.keyboard.press("Enter")
    assert faults(page) == []
