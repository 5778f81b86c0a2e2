"""Texts outside of the judging page: formulas and code are drawn there too, and nothing is loaded in vain."""

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from annotation.models.work import Item
from annotation.services import projects
from tests import factories
from tests.annotation import practising
from tests.cast import Cast, make_cast
from tests.e2e.conftest import Visit
from tests.e2e.long_texts import TABLE

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TEXT = "As $x^2$ says:\n\n```python\ndef wide():\n    return 'a line that is wider than a phone, by far'\n```"


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


@pytest.fixture
def item(cast: Cast) -> Item:
    """Its prompt and both responses have a formula and code."""
    texts = (f"First. {TEXT}", f"Second. {TEXT}")
    return factories.pair_item(cast.project, on=factories.prompt(cast.project, TEXT), texts=texts)


def expect_drawn(page: Page, count: int) -> None:
    expect(page.locator(".math__drawn .katex")).to_have_count(count)
    for code in page.locator(".codeblock").all():
        code.scroll_into_view_if_needed()  # it is coloured when it comes into view
    expect(page.locator(".codeblock code .hljs-keyword")).to_have_count(2 * count)  # def and return
    expect(page.locator(".codeblock code").first).to_contain_text("return 'a line")


def assert_well(page: Page) -> None:
    assert [violation["id"] for violation in Axe().run(page).response["violations"]] == []
    over = page.evaluate("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth")
    assert over <= 0


def vendored(page: Page) -> list[str]:
    names = page.evaluate("() => performance.getEntriesByType('resource').map(entry => entry.name)")
    return [name for name in names if re.search("katex|highlight|texts", name)]


def test_guidelines_their_versions_and_their_editor(cast: Cast, visit: Callable[..., Visit]) -> None:
    projects.publish_guidelines(project=cast.project, text=TEXT, actor=cast.manager)
    visitor = visit(cast.manager, "/p/harbour/guidelines/", width=390)
    page = visitor.page
    for path in ("guidelines/", "guidelines/1/", "guidelines/edit/"):
        page.goto(f"{visitor.site}/p/harbour/{path}")
        expect_drawn(page, 1)
        assert_well(page)
    page.get_by_label("Text").fill(f"{TEXT}\n\nAnd $y$.")
    expect(page.locator("#rendered")).to_contain_text("And")
    expect(page.locator("#rendered .math__drawn")).to_have_count(2)
    visitor.assert_clean()


def test_the_page_of_an_item_and_the_form_of_gold(
    cast: Cast, item: Item, visit: Callable[..., Visit]
) -> None:
    visitor = visit(cast.manager, f"/p/harbour/items/{item.pk}/", width=390)
    page = visitor.page
    for path in ("", "gold/"):
        page.goto(f"{visitor.site}/p/harbour/items/{item.pk}/{path}")
        expect_drawn(page, 3)
        assert_well(page)
    visitor.assert_clean()


def test_code_can_be_copied_there(cast: Cast, item: Item, visit: Callable[..., Visit]) -> None:
    visitor = visit(cast.manager, f"/p/harbour/items/{item.pk}/")
    page = visitor.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("def wide():")


def test_a_session_and_what_comes_before_an_exercise(
    cast: Cast, item: Item, visit: Callable[..., Visit]
) -> None:
    session = practising.exercise(cast.project, [item], kind="session")
    practising.take_session(session, cast.annotator)
    visitor = visit(cast.manager, f"/p/harbour/learn/{session.pk}/session/")
    page = visitor.page
    page.get_by_text("Prompt and responses").click()
    expect_drawn(page, 3)
    assert_well(page)
    test = practising.exercise(cast.project, introduction=TEXT)
    page.goto(f"{visitor.site}/p/harbour/learn/{test.pk}/")
    expect_drawn(page, 1)
    page.goto(f"{visitor.site}/p/harbour/exercises/{test.pk}/")
    page.get_by_role("button", name="Preview").click()
    expect_drawn(page, 1)
    visitor.assert_clean()


def test_the_guidelines_on_the_judging_page(cast: Cast, item: Item, visit: Callable[..., Visit]) -> None:
    projects.publish_guidelines(project=cast.project, text=TEXT, actor=cast.manager)
    visitor = visit(cast.annotator, "/p/harbour/judge/")
    page = visitor.page
    page.locator("#open-guidelines").click()
    expect(page.locator("#guidelines-body .math__drawn .katex")).to_have_count(1)
    expect(page.locator("#guidelines-body .hljs-keyword")).to_have_count(2)
    assert_well(page)
    visitor.assert_clean()


def test_a_page_without_formulas_and_code_loads_nothing_for_them(
    cast: Cast, visit: Callable[..., Visit]
) -> None:
    plain = factories.pair_item(cast.project, texts=("Words at $5.", "Other words."))
    table = factories.pair_item(cast.project, texts=(TABLE.replace("$x_4$", "4"), "Other words."))
    visitor = visit(cast.manager, f"/p/harbour/items/{plain.pk}/", width=390)
    page = visitor.page
    page.wait_for_load_state("networkidle")
    assert vendored(page) == []
    page.goto(f"{visitor.site}/p/harbour/items/{table.pk}/")
    expect(page.locator(".prose__table")).to_have_attribute("role", "group")  # it scrolls sideways
    assert not [name for name in vendored(page) if "vendor" in name]
    assert_well(page)
