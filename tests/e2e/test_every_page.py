"""Every page there is, as the roles that may open it: accessible, inside the window, and without a complaint.

The pages are the routes of the permission matrix, so a new page is looked at without being named here.
"""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from accounts.models import User
from tests.e2e.conftest import Visit
from tests.test_permissions import NO, PUBLIC, ROUTES, SIGNED_IN, STAFF, Route, World, make_world

LOOKS = [
    pytest.param(1280, "light", "en", id="wide-light"),
    pytest.param(390, "dark", "en", id="phone-dark"),
    pytest.param(1280, "dark", "ar", id="wide-dark-arabic"),
    pytest.param(390, "light", "de", id="phone-light-german"),
]
NO_PAGES = ("healthz", "readyz", "admin/login/")


@pytest.fixture
def world(transactional_db: None) -> World:
    return make_world()


def pages(role: str) -> list[Route]:
    """The routes that answer this role with a page."""
    return [
        route
        for route in ROUTES
        if route.get not in (NO, 302, 204, 404)
        and route.pattern not in NO_PAGES
        and not route.pattern.endswith((".csv", ".json", ".jsonl", ".md", ".zip"))
        and route.access != STAFF
        and (route.access in (PUBLIC, SIGNED_IN) or role in route.access)
    ]


def faults(page: Page) -> list[str]:
    """What is wrong with the page as it stands."""
    found = [
        f"{violation['id']}: {node['html'][:200]} — {node.get('failureSummary', '')[:300]}"
        for violation in Axe().run(page).response["violations"]
        for node in violation["nodes"][:3]
    ]
    over = page.evaluate("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth")
    if over > 0:
        found.append(f"{over} px wider than the window")
    return found


@pytest.mark.parametrize(("width", "theme", "language"), LOOKS)
@pytest.mark.parametrize("role", ["annotator", "manager"])
def test_every_page(
    world: World, visit: Callable[..., Visit], role: str, width: int, theme: str, language: str
) -> None:
    user: User = getattr(world.cast, role)
    visitor = visit(user, "/", width=width, color_scheme=theme, locale=language)
    assert visitor.page.locator("html").get_attribute("lang") == language
    wrong = {}
    for route in pages(role):
        visitor.complaints.clear()
        answer = visitor.page.goto(visitor.site + world.url(route))
        assert answer is not None
        if "html" not in answer.headers.get("content-type", ""):
            continue
        visitor.page.wait_for_load_state("networkidle")
        # The browser itself reports answers such as 410 Gone on its console.
        complaints = [said for said in visitor.complaints if "Failed to load resource" not in said]
        if found := faults(visitor.page) + complaints:
            wrong[route.pattern] = found
    assert wrong == {}
    assert visitor.left_the_site == []
