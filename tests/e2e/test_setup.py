"""Setting a project up in a browser: the preview follows the form, rows by keyboard, without JavaScript."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from annotation.models.project import Project
from annotation.services import projects
from tests import factories
from tests.cast import Cast, make_cast
from tests.e2e.conftest import Visit

NEW, SETTINGS = "/projects/new/", "/p/harbour/settings/"


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def names(page: Page) -> list[str]:
    return [str(box.input_value()) for box in page.locator("#criteria input[name$='-name']").all()]


def assert_well(page: Page) -> None:
    assert [violation["id"] for violation in Axe().run(page).response["violations"]] == []
    over = page.evaluate("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth")
    assert over <= 0


def test_the_preview_follows_the_form_and_the_project_is_made(
    cast: Cast, visit: Callable[..., Visit]
) -> None:
    visitor = visit(cast.manager, "/")
    page = visitor.page
    page.get_by_role("link", name="New project").click()
    tryout = page.locator("#tryout")
    expect(tryout.get_by_role("radio")).to_have_count(4)
    page.get_by_label("Name", exact=True).fill("Câfé & Thé")
    expect(page.get_by_label("Address")).to_have_value("cafe-the")
    page.get_by_label("Ask how much better").check()
    expect(tryout.get_by_role("radio")).to_have_count(8)
    page.get_by_role("button", name="Helpfulness, harmlessness, honesty").click()
    expect(tryout.get_by_role("radio")).to_have_count(24)
    page.get_by_role("radio", name="Rating").check()
    page.get_by_label("1 to 7").check()
    expect(tryout.get_by_role("radio")).to_have_count(3 * 2 * 7)
    expect(page.get_by_label("Ask how much better")).to_be_hidden()
    page.get_by_role("radio", name="Ranking").check()
    expect(tryout.locator(".rank")).to_have_count(9)
    page.get_by_label("Reasons to choose from").fill("too long\nrude")
    expect(tryout.locator(".reason__chips label")).to_have_text(["too long", "rude"])
    assert "# How to rank" in page.get_by_label("Guidelines").input_value()
    page.get_by_role("button", name="Create the project").click()
    page.wait_for_url("**/p/cafe-the/settings/start/")
    expect(page.locator(".step a").first).to_have_text("Import items")
    project = Project.objects.get(slug="cafe-the")
    assert (project.kind, project.criterion_names) == ("ranking", ["helpfulness", "harmlessness", "honesty"])
    visitor.assert_clean()


def test_an_address_that_somebody_typed_is_left_alone(cast: Cast, visit: Callable[..., Visit]) -> None:
    page = visit(cast.manager, NEW).page
    page.get_by_label("Address").fill("mine")
    page.get_by_label("Name", exact=True).fill("Other")
    expect(page.get_by_label("Address")).to_have_value("mine")


def test_rows_of_criteria_by_keyboard(cast: Cast, visit: Callable[..., Visit]) -> None:
    visitor = visit(cast.manager, NEW)
    page = visitor.page
    page.get_by_role("button", name="Add a criterion").press("Enter")
    second = page.get_by_label("Criterion 2", exact=True)
    expect(second).to_be_focused()
    page.keyboard.type("honesty")
    page.get_by_role("button", name="Move criterion 2 up").press("Enter")
    expect(page.get_by_label("Criterion 1", exact=True)).to_have_value("honesty")
    assert names(page) == ["honesty", "overall"]
    page.get_by_role("button", name="Remove criterion 2").press("Space")
    expect(page.locator(".criterion-row")).to_have_count(1)
    assert names(page) == ["honesty"]
    expect(page.locator("#tryout #question")).to_be_visible()
    visitor.assert_clean()


def test_all_of_it_without_javascript(cast: Cast, visit: Callable[..., Visit]) -> None:
    page = visit(cast.manager, NEW, java_script_enabled=False).page
    page.get_by_label("Name", exact=True).fill("Plain")
    page.get_by_role("button", name="Add a criterion").click()
    page.get_by_label("Criterion 2", exact=True).fill("honesty")
    page.get_by_role("button", name="Move criterion 2 up").click()
    assert names(page) == ["honesty", "overall"]
    page.get_by_role("radio", name="Rating").check()
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="Preview").click()
    expect(opened.value.locator("#question .rating")).to_have_count(4)
    page.get_by_role("button", name="Create the project").click()
    page.wait_for_url("**/p/plain/settings/start/")
    assert Project.objects.get(slug="plain").criterion_names == ["honesty", "overall"]


def test_settings_pause_and_a_conflict(cast: Cast, visit: Callable[..., Visit]) -> None:
    factories.judgment(factories.pair_item(cast.project), cast.annotator)
    visitor = visit(cast.manager, SETTINGS)
    page = visitor.page
    expect(page.get_by_label("Criterion 1", exact=True)).not_to_be_editable()
    expect(page.get_by_role("radio", name="Rating")).to_have_count(0)
    projects.edit(project=cast.project, changes={"overlap": 7}, actor=cast.admin)
    page.get_by_label("Name", exact=True).fill("Haven")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("now 7, yours 3")
    page.get_by_label("Answers per item").fill("4")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("2 settings changed")).to_be_visible()
    page.get_by_role("link", name="Pause").click()
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".topbar").get_by_text("Paused")).to_be_visible()
    page.get_by_role("link", name="History").click()
    expect(page.locator(".event").first).to_contain_text("paused")
    cast.project.refresh_from_db()
    assert (cast.project.name, cast.project.overlap, cast.project.state) == ("Haven", 4, "paused")
    # The browser itself reports the 409.
    assert [said for said in visitor.complaints if "Failed to load resource" not in said] == []


def test_guidelines_are_seen_as_they_are_written(cast: Cast, visit: Callable[..., Visit]) -> None:
    visitor = visit(cast.manager, "/p/harbour/guidelines/edit/")
    page = visitor.page
    page.get_by_label("Text").fill("# Ours\n\nBe **kind**.")
    expect(page.locator("#rendered")).to_have_text("Ours Be kind.", use_inner_text=True)
    expect(page.locator("#rendered strong")).to_have_text("kind")
    page.get_by_role("button", name="Publish").last.click()
    page.wait_for_url("**/p/harbour/guidelines/")
    assert cast.project.guidelines.get().text == "# Ours\n\nBe **kind**."
    visitor.assert_clean()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_are_accessible_and_inside_the_window(
    cast: Cast, visit: Callable[..., Visit], width: int, theme: str
) -> None:
    projects.publish_guidelines(project=cast.project, text="# One", actor=cast.manager)
    projects.publish_guidelines(project=cast.project, text="# Two\n\nand more", actor=cast.manager)
    projects.edit(project=cast.project, changes={"overlap": 5, "reasons": []}, actor=cast.manager)
    visitor = visit(cast.manager, NEW, width=width, color_scheme=theme)
    page = visitor.page
    for kind in ("Pairwise", "Ranking", "Rating"):
        page.get_by_role("radio", name=kind).check()
        expect(page.locator(f"#tryout [data-kind='{kind.lower()}']").first).to_be_visible()
        assert_well(page)
    factories.judgment(factories.pair_item(cast.project), cast.annotator)
    projects.set_state(project=cast.project, state="paused")
    for path in (
        SETTINGS, f"{SETTINGS}start/", f"{SETTINGS}history/", f"{SETTINGS}state/?to=closed",
        "/p/harbour/guidelines/", "/p/harbour/guidelines/edit/", "/p/harbour/guidelines/versions/",
        "/p/harbour/guidelines/2/",
    ):  # fmt: skip
        page.goto(visitor.site + path)
        assert_well(page)
    visitor.assert_clean()
