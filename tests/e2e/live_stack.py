"""A whole Laurel with its real workers, visited by a real browser through the links on its screen."""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from playwright.sync_api import Browser, Page, Response, expect

from config import embedded
from config.leftovers import leftovers
from tests.config.live import ROOT, Live, clean_environment, laurel_up, wait_until
from tests.config.test_embedded import nothing_lives_in
from tests.e2e.conftest import Visit

RESULTS = ROOT / "test-results"
PATIENCE = 300  # seconds for what workers do: a few on an idle machine
PAGE_PATIENCE = 60  # seconds for what a page does


@dataclass
class Stack:
    """`./laurel up` with the sample project, and the visits made to it."""

    live: Live
    chromium: Browser
    visits: dict[str, Visit] = field(default_factory=dict)

    @property
    def site(self) -> str:
        return f"http://localhost:{self.live.port}"

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

    def wait_for(self, statement: str, what: str) -> float:
        """Seconds until a question to the database is answered with something true."""
        return wait_until(lambda: self.one(statement), PATIENCE, what)

    def sign_in(self, name: str) -> Visit:
        """A fresh browser profile that opened the link which `./laurel up` printed for this person."""

        def link() -> str | None:
            found = re.search(
                rf"^\s*{name}\s+(http\S+/sign-in/\S+)$", self.live.log.read_text(), re.MULTILINE
            )
            return found[1] if found else None

        wait_until(link, PAGE_PATIENCE, f"a link for {name} on the screen")
        context = self.chromium.new_context(viewport={"width": 1280, "height": 800}, base_url=self.site)
        context.set_default_timeout(PAGE_PATIENCE * 1000)
        visitor = Visit(context.new_page(), self.site)
        visitor.watch()
        self.visits[name] = visitor
        visitor.page.goto(link() or "")
        expect(visitor.page.get_by_role("heading", name="Your projects")).to_be_visible()
        return visitor

    def keep_evidence(self, test: str) -> None:
        """Every page as it is now and the log, for whoever reads why the test failed."""
        RESULTS.mkdir(exist_ok=True)
        for name, visitor in self.visits.items():
            visitor.page.screenshot(path=RESULTS / f"{test}-{name}.png", full_page=True)
        (RESULTS / f"{test}.log").write_bytes(self.live.log.read_bytes())


@contextmanager
def live_stack(chromium: Browser, folder: Path, test: str) -> Iterator[Stack]:
    """Start, hand over, stop; nothing may be left. What a failed test saw goes to test-results/."""
    data = folder / "data"
    with laurel_up(data) as live:
        stack = Stack(live, chromium)
        try:
            yield stack
            for visitor in stack.visits.values():
                visitor.assert_clean()
        except BaseException:
            stack.keep_evidence(test)
            raise
        finally:
            for visitor in stack.visits.values():
                visitor.page.context.close()
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
