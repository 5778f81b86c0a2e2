"""Projects of all three kinds for browser tests of the judging page."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from accounts.models import Role, User
from annotation.models.project import Project
from tests import cast, factories

THREE = [
    {"name": "helpfulness", "description": "Does it do what was asked?"},
    {"name": "harmlessness", "description": "Could somebody come to harm by following it?"},
    {"name": "honesty", "description": "Is it true?"},
]


def workplace(kind: str, responses: int, *, items: int = 2, **fields: object) -> tuple[Project, User]:
    """A project with so many items, shown in the order 0, 1, …, and somebody who judges them."""
    project = factories.project("harbour", name="Harbour", kind=kind, overlap=2, **fields)
    factories.guideline(project)
    for number in range(items):
        on = factories.prompt(project, f"Question number {number}?")
        texts = [f"Answer {n} to {number}, with words enough to fill a line." for n in range(responses)]
        given = [factories.response(on, text) for text in texts]
        factories.pair_item(project, pair=given, shuffle=number / 1000)
    annotator = cast.person("ines", display_name="Ines Vale")
    cast.member(annotator, project, Role.ANNOTATOR)
    return project, annotator


def values(page: Page, name: str, count: int) -> list[str]:
    """What the selects `name-0`, `name-1`, … hold."""
    return [page.locator(f"[name={name}-{number}]").input_value() for number in range(count)]


def faults(page: Page) -> list[str]:
    """Accessibility violations and sideways scrolling."""
    found = [
        f"{violation['id']}: {violation['nodes'][0]['html'][:200]}"
        for violation in Axe().run(page).response["violations"]
    ]
    over = page.evaluate("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth")
    return [*found, f"{over} px wider than the window"] if over > 0 else found
