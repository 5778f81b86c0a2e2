"""Languages in a browser: chosen, remembered, the layout turned round for Arabic, the texts left alone."""

import pytest
from playwright.sync_api import expect

from accounts.models import Role
from tests import cast, factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def annotator(transactional_db):
    project = factories.project("harbour")
    annotator = cast.person("ines")
    cast.member(annotator, project, Role.ANNOTATOR)
    factories.pair_item(
        project, texts=("In English.", "بالعربية."), on=factories.prompt(project, "How deep is it?")
    )
    return annotator


def left_of(page, selector: str) -> float:
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2


@pytest.mark.parametrize("width", [1280, 390])
def test_arabic_turns_the_page_round_and_leaves_texts_alone(annotator, visit, width):
    visitor = visit(annotator, "/p/harbour/judge/", width=width)
    page = visitor.page
    assert left_of(page, ".brand") < width / 2
    page.locator("details.menu", has=page.get_by_text("ines")).locator("summary").click()
    page.get_by_role("button", name="العربيّة").first.click()
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.locator("html")).to_have_attribute("lang", "ar")
    assert left_of(page, ".brand") > width / 2
    assert page.url.endswith("/p/harbour/judge/")
    expect(page.get_by_role("radio", name="A أفضل")).to_be_attached()
    if width > 1000:  # side by side, the first on the side where reading begins
        assert left_of(page, ".response--a") > left_of(page, ".response--b")
    directions = page.evaluate(
        "[...document.querySelectorAll('#item .prose p')].map(one => "
        "[one.textContent.trim(), getComputedStyle(one).direction])"
    )
    assert ["How deep is it?", "ltr"] in directions
    assert ["In English.", "ltr"] in directions
    assert ["بالعربية.", "rtl"] in directions
    over = page.evaluate("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth")
    assert over <= 0
    page.goto(visitor.site + "/p/harbour/work/")
    expect(page.get_by_role("heading", name="عملي")).to_be_visible()
    visitor.assert_clean()


def test_the_account_page_has_a_select(annotator, visit):
    visitor = visit(annotator, "/account/")
    page = visitor.page
    page.get_by_label("Language of the pages").select_option("de")
    page.locator("section", has=page.locator("#id_language")).get_by_role("button").click()
    expect(page.get_by_role("heading", name="Konto", exact=True)).to_be_visible()
    page.get_by_label("Sprache der Seiten").select_option("")
    page.locator("section", has=page.locator("#id_language")).get_by_role("button").click()
    expect(page.get_by_role("heading", name="Account", exact=True)).to_be_visible()
    visitor.assert_clean()
