"""The pages for admins and engineers in a real browser: live, accessible, on a phone, without JavaScript."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from accounts.models import Role, User
from activelearning.services import selecting
from annotation.models.project import Project
from tests import cast, factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MONITOR = "/p/harbour/monitor/"


@pytest.fixture
def project() -> Project:
    """Thirty people on two items, and three responses still to be paired."""
    project = factories.project("harbour", name="Harbour")
    items = [factories.pair_item(project, slots_left=40) for _ in range(2)]
    for number in range(30):
        voter = factories.user(f"voter-{number:02}-with-a-rather-long-name")
        for item in items:
            factories.judgment(item, voter, "ab"[number % 2], seconds=20.0, source="simulated")
    factories.responses(factories.prompt(project), 3)
    factories.snapshot(project)
    selecting.select(project=project, n=3, seed=1)
    return project


@pytest.fixture
def manager(project: Project) -> User:
    manager = cast.person("mara", display_name="Mara Lind")
    cast.member(manager, project, Role.MANAGER)
    return manager


def pages(project: Project) -> list[str]:
    item = project.items.first()
    assert item is not None
    paths = ("data/", "data/import/", "data/snapshots/1/", "next/", "next/1/", f"items/{item.pk}/")
    return [MONITOR, *(f"/p/harbour/{path}" for path in paths)]


def violations(page: Page) -> list[str]:
    return [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in Axe().run(page).response["violations"]]


@pytest.mark.parametrize(
    ("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
)
def test_every_page_is_accessible_and_fits(visit, project, manager, width, scheme):
    visitor = visit(manager, "/", width=width, color_scheme=scheme)
    for path in pages(project):
        visitor.page.goto(visitor.site + path)
        assert (path, violations(visitor.page)) == (path, [])
        scrolls = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert (path, visitor.page.evaluate(scrolls)) == (path, False)
    visitor.assert_clean()


def test_the_monitor_brings_news_and_keeps_its_place(visit, project, manager):
    visitor = visit(manager, "/", width=390)
    page = visitor.page
    page.clock.install()
    answers: list[int] = []
    page.on("response", lambda got: answers.append(got.status) if "seen=" in got.url else None)
    page.goto(visitor.site + MONITOR + "?sort=name")
    page.get_by_text("How are people flagged?").click()
    page.locator("#wrap-annotators").evaluate("box => { box.scrollLeft = 120; }")
    page.evaluate("window.scrollTo(0, 700)")
    judgments = page.locator(".stat", has_text="Judgments").locator(".stat__value")
    expect(judgments).to_have_text("60")

    with page.expect_response(lambda got: "seen=" in got.url):
        page.clock.fast_forward(16_000)
    assert answers == [204]
    factories.judgment(factories.pair_item(project), factories.user("late"), "a", source="simulated")
    page.clock.fast_forward(16_000)
    expect(judgments).to_have_text("61")
    expect(page.get_by_text("A flag is a reason to look")).to_be_visible()
    assert page.locator("#wrap-annotators").evaluate("box => box.scrollLeft") == 120
    assert page.evaluate("window.scrollY") == 700
    assert page.locator("#wrap-annotators tbody th").first.inner_text().startswith("late")
    visitor.assert_clean()


def test_the_monitor_says_when_it_is_not_up_to_date_and_asks_to_sign_in_again(visit, project, manager):
    visitor = visit(manager, "/")
    page = visitor.page
    page.clock.install()
    page.goto(visitor.site + MONITOR)
    page.context.set_offline(True)
    page.clock.fast_forward(16_000)
    expect(page.locator(".toast")).to_contain_text("Not up to date")
    page.context.set_offline(False)
    page.context.clear_cookies()
    page.clock.fast_forward(16_000)
    page.wait_for_url("**/sign-in/**")


def test_everything_works_without_javascript(visit, project, manager):
    visitor = visit(manager, MONITOR, java_script_enabled=False)
    page = visitor.page
    page.get_by_role("link", name="Judgments", exact=True).click()
    expect(page.locator("th[aria-sort=descending]")).to_have_text("Judgments")
    page.get_by_role("link", name="Data", exact=True).click()
    page.get_by_role("link", name="Import a file").click()
    line = {"prompt": "New?", "responses": [{"text": "Yes."}, {"text": "No."}]}
    file = {"name": "n.jsonl", "mimeType": "application/jsonl", "buffer": json.dumps(line).encode()}
    page.get_by_label("JSON Lines file").set_input_files([file])
    page.get_by_role("button", name="Import").click()
    expect(page.locator(".alert--good")).to_contain_text("1 row was read.")
    page.get_by_role("link", name="Next batch").click()
    page.get_by_label("Pairs", exact=True).fill("1")
    page.get_by_role("button", name="Select now").click()
    expect(page.get_by_role("heading", name="Batch 2")).to_be_visible()
    expect(page.get_by_text("Yes.")).to_be_hidden()
    page.get_by_text("New?").click()
    expect(page.get_by_text("Yes.")).to_be_visible()
