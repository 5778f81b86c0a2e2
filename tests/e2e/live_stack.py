"""A whole Laurel with its real workers, visited by a real browser as people do: by one-time link."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from playwright.sync_api import Browser, BrowserContext, Page, Response

from config import embedded
from config.leftovers import leftovers
from tests.config.live import ROOT, Live, clean_environment, laurel_up, wait_until
from tests.config.test_embedded import nothing_lives_in
from tests.e2e.conftest import Visit

RESULTS = ROOT / "test-results"
PATIENCE = 240  # seconds for what workers do; a loaded machine may need most of it


@dataclass
class Stack:
    """`./laurel up` with the sample project, and the visits made to it."""

    live: Live
    chromium: Browser
    visits: dict[str, Visit] = field(default_factory=dict)

    @property
    def site(self) -> str:
        return f"http://127.0.0.1:{self.live.port}"

    def command(self, *words: str) -> str:
        """`./laurel WORDS…` beside the running server; what it printed."""
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *words],
            env=clean_environment(self.live.data),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        settings = embedded.connection_settings(self.live.data)
        with psycopg.connect(embedded.conninfo(settings)) as connection:
            return connection.execute(statement, values).fetchall()

    def one(self, statement: str, values: Sequence[object] = ()) -> Any:
        return self.rows(statement, values)[0][0]

    def wait_for(self, statement: str, what: str, values: Sequence[object] = ()) -> float:
        """Seconds until a question to the database is answered with something true."""
        return wait_until(lambda: self.one(statement, values), PATIENCE, what)

    def sign_in(self, name: str) -> Visit:
        """A fresh browser profile that opened this person's one-time link."""
        context = self.chromium.new_context(
            viewport={"width": 1280, "height": 800}, base_url=self.site, accept_downloads=True
        )
        context.set_default_timeout(60_000)
        visitor = Visit(context.new_page(), self.site)
        visitor.watch()
        self.visits[name] = visitor
        link = json.loads(self.command("signin", name, "--json", "--base-url", self.site))
        visitor.page.goto(link["url"])
        return visitor

    def screenshots(self, test: str) -> None:
        RESULTS.mkdir(exist_ok=True)
        for name, visitor in self.visits.items():
            visitor.page.screenshot(path=RESULTS / f"{test}-{name}.png", full_page=True)
        (RESULTS / f"{test}.log").write_bytes(self.live.log.read_bytes())

    def contexts(self) -> list[BrowserContext]:
        return [visitor.page.context for visitor in self.visits.values()]


@contextmanager
def live_stack(chromium: Browser, folder: Path, test: str) -> Iterator[Stack]:
    """Start, hand over, stop; nothing may be left. A test that fails leaves its pages and log in test-results/."""
    data = folder / "data"
    with laurel_up(data) as live:
        stack = Stack(live, chromium)
        try:
            yield stack
        except BaseException:
            stack.screenshots(test)
            raise
        finally:
            for context in stack.contexts():
                context.close()
        assert live.stop() == 0
    assert list(leftovers(data)) == []
    assert nothing_lives_in(data)


def listen(page: Page) -> list[str]:
    """Everything this page receives from now on: addresses, headers and texts, as one string each."""
    received: list[str] = []

    def keep(got: Response) -> None:
        moved = 300 <= got.status < 400
        received.append(f"{got.url}\n{got.headers}\n{'' if moved else got.text()}")

    page.on("response", keep)
    return received
