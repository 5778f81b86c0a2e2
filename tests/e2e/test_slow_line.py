"""The judging page on a slow line: it is there to be read long before its modules are."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, Route, expect

from accounts.models import User
from annotation.models.work import Judgment
from tests.e2e.judging import JUDGE, by_question, choose, expect_item, expect_state, submit, write
from tests.e2e.sheets import workplace

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SCRIPTS = re.compile(r"/static/laurel/judge/\w+\.js$")
PLAIN = ("early.js", "preferences.js")  # what is no module


@pytest.fixture
def annotator() -> User:
    return workplace("pairwise", 2, items=3)[1]


@contextmanager
def before_the_modules(page: Page, *, fail: bool = False) -> Iterator[list[str]]:
    """The judging page while no module has arrived yet; after the block they come, or fail for good."""
    held: list[Route] = []
    asked: list[str] = []
    over = False

    def finish(route: Route) -> None:
        if fail:
            route.abort()
        else:
            route.continue_()

    def meet(route: Route) -> None:
        name = route.request.url.rsplit("/", 1)[1]
        if name in PLAIN:
            route.continue_()
            return
        asked.append(name)
        if over:
            finish(route)
        else:
            held.append(route)

    page.route(SCRIPTS, meet)
    page.goto(page.url.rstrip("/") + JUDGE, wait_until="commit")
    expect_item(page, 0)
    expect(page.locator("#submit")).to_be_visible()
    yield asked
    over = True
    for route in held:
        finish(route)
    if not fail:
        expect(page.locator("#judge[data-ready]")).to_be_visible()


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


@pytest.fixture
def page(visit: Callable[..., object], annotator: User) -> Page:
    return visit(annotator, "/").page  # type: ignore[attr-defined,no-any-return]


def test_keys_pressed_early_are_one_answer_and_none_to_what_nobody_has_seen(page: Page):
    with before_the_modules(page):
        press(page, "1", "Enter", "2", "Enter")
        assert Judgment.objects.count() == 0
    expect_item(page, 1)
    expect_state(page, "saved")
    assert by_question() == {"Question number 0?": ("a", "")}
    expect(page.locator("[name=choice-0]:checked")).to_have_count(0)
    press(page, "2", "Enter")  # from now on each key counts once
    expect_item(page, 2)
    expect_state(page, "saved")
    assert by_question() == {"Question number 0?": ("a", ""), "Question number 1?": ("b", "")}


def test_what_the_mouse_chose_after_a_key_counts(page: Page):
    with before_the_modules(page):
        press(page, "1")
        choose(page, "B is better")
        press(page, "Enter")  # on the choice: the form does not go off by itself
        expect_item(page, 0)
    expect_item(page, 1)
    expect_state(page, "saved")
    assert by_question() == {"Question number 0?": ("b", "")}


def test_keys_of_a_text_field_or_with_ctrl_are_not_kept(page: Page):
    with before_the_modules(page):
        write(page, "")
        page.locator("#comment").focus()
        press(page, "1", "Enter", "2", "Control+3")
        page.locator("h1").click()
        press(page, "Control+1", "Alt+2")
    expect_item(page, 0)
    expect(page.locator("#comment")).to_have_value("1\n2")
    expect(page.locator("[name=choice-0]:checked")).to_have_count(0)
    assert Judgment.objects.count() == 0


def test_early_keys_work_their_way_through_a_menu(page: Page):
    with before_the_modules(page):
        press(page, "s", "1", "Enter")
    expect_item(page, 1)
    expect_state(page, "saved")
    assert Judgment.objects.count() == 0


def test_without_the_modules_the_page_is_plain_forms(page: Page):
    with before_the_modules(page, fail=True):
        press(page, "2")
    choose(page, "B is better")
    press(page, "Enter")
    expect_item(page, 1)
    choose(page, "A is better")
    submit(page)
    expect_item(page, 2)
    assert by_question() == {"Question number 0?": ("b", ""), "Question number 1?": ("a", "")}


def test_all_modules_are_asked_for_before_the_first_has_come(page: Page):
    with before_the_modules(page) as asked:
        early = set(asked)
    assert {"main.js", "keys.js", "flow.js", "wire.js", "text.js"} <= early
    assert set(asked) == early
