"""A real Chromium for every browser test, and visitors who are already signed in."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from django.core.signals import request_finished, request_started
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright

from accounts.models import User

# How long a page may take to show what it should, in ms: tests assert what happens, never how fast.
PATIENCE = 45_000
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever drives a browser is marked so, or the quick run would drive it too."""
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """LAUREL_CHROMIUM, else the system's Chromium, else the one Playwright installed."""
    path = os.environ.get("LAUREL_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    # Playwright keeps an event loop running in this thread; the tests still use the database from it.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page and all that happened on it that should not have."""

    page: Page
    site: str
    complaints: list[str] = field(
        default_factory=list
    )  # console errors, script errors, dialogs, refused content
    left_the_site: list[str] = field(default_factory=list)

    def watch(self) -> None:
        def console(message: object) -> None:
            text = str(getattr(message, "text", ""))
            if getattr(message, "type", "") in ("error", "warning") or "Content Security Policy" in text:
                self.complaints.append(text)

        def request(sent: Request) -> None:
            if not sent.url.startswith((self.site, "data:", "blob:")):
                self.left_the_site.append(sent.url)

        def dialog(opened: object) -> None:
            self.complaints.append(f"dialog: {opened}")
            opened.dismiss()  # type: ignore[attr-defined]

        self.page.on("console", console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", dialog)
        self.page.on("request", request)

    def assert_clean(self) -> None:
        assert self.complaints == []
        assert self.left_the_site == []


@pytest.fixture
def site(live_server: object) -> str:
    return str(live_server.url)  # type: ignore[attr-defined]


@pytest.fixture
def visit(chromium: Browser, site: str) -> Iterator[Callable[..., Visit]]:
    """`visit(user, "/path/", width=390)`: a fresh browser profile, signed in as `user`, on that page."""
    contexts: list[BrowserContext] = []
    on_their_way: set[Request] = set()

    def open_page(
        user: User | None, path: str = "/", *, width: int = 1280, height: int = 800, **options: object
    ):
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        context.on("close", lambda closed: contexts.remove(closed))
        context.on("request", lambda sent: on_their_way.add(sent))
        context.on("requestfinished", lambda sent: on_their_way.discard(sent))
        context.on("requestfailed", lambda sent: on_their_way.discard(sent))
        if user is not None:
            client = Client()
            client.force_login(user)
            context.add_cookies(
                [
                    {
                        "name": "sessionid",
                        "value": client.cookies["sessionid"].value,
                        "url": site,
                        "httpOnly": True,
                    }
                ]
            )
        made = Visit(context.new_page(), site)
        made.watch()
        made.page.goto(site + path)
        return made

    with requests_at_the_server() as at_work:
        yield open_page
        let_arrive(contexts, on_their_way)
        for context in list(contexts):
            context.set_offline(True)  # a page that closes sends what was entered on it
            context.close()
        settle(lambda: bool(at_work), time.sleep)


def let_arrive(contexts: list[BrowserContext], on_their_way: set[Request]) -> None:
    """What the server still works on would meet the emptying of the tables after the test."""
    pages = [page for context in contexts for page in context.pages if not page.is_closed()]
    if pages:
        settle(lambda: bool(on_their_way), lambda seconds: pages[0].wait_for_timeout(1000 * seconds))


def settle(busy: Callable[[], bool], pause: Callable[[float], None]) -> None:
    deadline = time.monotonic() + 10
    while busy() and time.monotonic() < deadline:
        pause(0.05)


@contextmanager
def requests_at_the_server() -> Iterator[set[int]]:
    """The threads of the live server that answer a request at this moment."""
    at_work: set[int] = set()

    def begin(**_: object) -> None:
        if threading.current_thread() is not threading.main_thread():  # there the test asks without a browser
            at_work.add(threading.get_ident())

    def end(**_: object) -> None:
        at_work.discard(threading.get_ident())

    request_started.connect(begin)
    request_finished.connect(end)
    try:
        yield at_work
    finally:
        request_started.disconnect(begin)
        request_finished.disconnect(end)
