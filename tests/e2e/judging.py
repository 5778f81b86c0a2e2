"""What tests of the judging page do and look at, in few words."""

import re
import time
from collections.abc import Callable

from playwright.sync_api import Locator, Page, Route, expect

from accounts.models import Role, User
from annotation.models.project import Project
from annotation.models.work import Draft, Item, Judgment
from tests import cast, factories

JUDGE = "/p/harbour/judge/"
ANSWERS = re.compile("/p/harbour/judge/$")
DRAFTS = re.compile("/p/harbour/judge/draft/$")


def pairs(project: Project, count: int = 3) -> list[Item]:
    """Items that come in this order: “Question number 0?” first."""
    return [
        factories.pair_item(project, on=factories.prompt(project, f"Question number {n}?"), shuffle=n / 1000)
        for n in range(count)
    ]


def annotator_of(project: Project, name: str = "ines") -> User:
    annotator = cast.person(name)
    cast.member(annotator, project, Role.ANNOTATOR)
    return annotator


def expect_item(page: Page, number: int) -> None:
    expect(page.locator("#prompt")).to_contain_text(f"Question number {number}?")


def choose(page: Page, label: str = "B is better") -> None:
    page.get_by_role("radio", name=label, exact=True).check()


def write(page: Page, words: str = "kept words") -> None:
    page.locator("#reason").evaluate("reason => { reason.open = true; }")
    page.locator("#comment").fill(words)


def submit(page: Page) -> None:
    page.get_by_role("button", name="Submit").click()


def answer(page: Page, label: str = "B is better", words: str = "kept words") -> None:
    write(page, words)
    choose(page, label)
    submit(page)


def expect_entered(page: Page, label: str = "B is better", words: str = "kept words") -> None:
    expect(page.get_by_role("radio", name=label, exact=True)).to_be_checked()
    expect(page.locator("#comment")).to_have_value(words)


def expect_state(page: Page, state: str) -> None:
    expect(page.locator("#save-state")).to_have_attribute("data-state", state)
    expect(page.locator("#save-state")).not_to_be_empty()


def notice(page: Page, name: str) -> Locator:
    return page.locator(f"[data-notice={name}]")


def expect_notice(page: Page, name: str, words: str) -> None:
    """It is shown, and says so: most of them stand in the page, hidden, with their words."""
    expect(notice(page, name)).to_be_visible()
    expect(notice(page, name)).to_contain_text(words)


def kept_in_the_browser(page: Page, prefix: str = "laurel-") -> list[str]:
    """Every key but the numbers of the assignments sent last, which hold no content."""
    found = page.evaluate("prefix => Object.keys(localStorage).filter(key => key.startsWith(prefix))", prefix)
    return [key for key in found if not key.startswith("laurel-sent/")]


def form_of(page: Page) -> dict[str, str]:
    """What the form on the page would post, as another client could."""
    fields = "() => Object.fromEntries(new FormData(document.getElementById('answer')))"
    return dict(page.evaluate(fields))


def chosen_on_screen(judgment: Judgment) -> str:
    choice = judgment.answers.get().choice
    return {"a": "b", "b": "a"}.get(choice, choice) if judgment.display_order == [1, 0] else choice


def by_question() -> dict[str, tuple[str, str]]:
    """Of each stored judgment: its question → what was chosen on the screen, and the comment."""
    found = {}
    for judgment in Judgment.objects.select_related("item__prompt").order_by("pk"):
        question = judgment.item.prompt.messages[0]["content"]
        assert question not in found, f"{question} was answered twice"
        found[question] = (chosen_on_screen(judgment), judgment.comment)
    return found


def eventually(check: Callable[[], bool], page: Page, seconds: float = 45.0) -> None:
    """Wait until the database says so; the page goes on working meanwhile."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it never came to be"
        page.wait_for_timeout(50)


def expect_draft(page: Page, **body: list[str]) -> None:
    def stored() -> bool:
        draft = Draft.objects.first()
        return draft is not None and all(draft.body.get(name) == values for name, values in body.items())

    eventually(stored, page)


class HeldBack:
    """What a page posts to an address, or fetches there, waits here until it is let go: a slow line."""

    def __init__(self, page: Page, address: re.Pattern[str], method: str = "POST") -> None:
        self._method = method
        self.routes: list[Route] = []
        self._holding = True
        page.route(address, self._meet)

    def let_go(self) -> None:
        self._holding = False
        for route in self.routes:
            route.continue_()

    def _meet(self, route: Route) -> None:
        if self._holding and route.request.method == self._method:
            self.routes.append(route)
        else:
            route.continue_()
