"""The pages that say whether labels can be trusted, as a browser asks for them, and their slowest queries."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.annotate import stage

TURNS, WARM_UP = 20, 5
EXPLAINED = 2  # statements a page


@dataclass(frozen=True)
class Page:
    """path: after /p/SLUG/. holds: a text without which it is another page. poll: asked as htmx asks."""

    name: str
    path: str
    holds: str = ""
    poll: bool = False
    who: str = "manager"


def pages(project: Any) -> list[Page]:
    """Every page on one person or item is of one with much to show."""
    from accounts.models import User
    from annotation.models.review import Review
    from annotation.models.standing import Standing

    paused = Standing.objects.filter(project=project).order_by("pk").first()
    assert paused is not None
    active = User.objects.filter(messages__project=project).exclude(standings__project=project).first()
    assert active is not None
    seen = project.items.filter(assignments__state="flagged").first()  # by the manager: nothing to hide
    done = Review.objects.filter(project=project, state="done").first()
    assert seen is not None
    assert done is not None
    return [
        Page("monitor", "monitor/", "verdict__headline"),
        Page("monitor, by reliability backwards, fifth page", "monitor/?sort=-theta&page=5", "people-filter"),
        Page("monitor, flagged people", "monitor/?show=flagged", "people-filter"),
        Page("monitor, by name", "monitor/?name=99", "people-filter"),
        Page("monitor, asked again, something new", "monitor/?seen=0", "verdict__headline", poll=True),
        Page("monitor, asked again, nothing new (204)", "monitor/", poll=True),
        Page("annotator", f"annotators/{active.pk}/", str(active)),
        Page("annotator, paused", f"annotators/{paused.annotator_id}/", str(paused.annotator)),
        Page("own standing", "standing/", who="paused"),
        Page("review queue", "review/"),
        Page("one review", f"review/{done.pk}/"),
        Page("alerts", "alerts/"),
        Page("who is told of alerts", "settings/alerts/"),
        Page("item with its votes", f"items/{seen.pk}/", "Person "),
        Page("gold", "gold/"),
        Page("settings", "settings/"),
        Page("home", "/"),
    ]


def measured(project: Any, page: Page, client: Any) -> dict[str, Any]:
    """Twenty requests after a warm-up. cpu: of this process; the rest is the database's, or waiting."""
    path = page.path if page.path.startswith("/") else f"/p/{project.slug}/{page.path}"
    headers = {"HX-Request": "true"} if page.poll else {}
    expected = 200
    if page.name.endswith("(204)"):
        shown = client.get(path).content.decode()
        path += re.search(r'hx-get="([^"]+)"', shown)[1].replace("&amp;", "&")  # type: ignore[index]
        expected = 204

    def ask() -> Any:
        response = client.get(path, headers=headers)
        assert response.status_code == expected, (path, response.status_code)
        return response

    content = [ask().content for _ in range(WARM_UP)][-1]
    assert page.holds in content.decode(), path
    load, seconds, cpu = stage.load_average(), [], []
    for _ in range(TURNS):
        begun, worked = time.perf_counter(), time.process_time()
        ask()
        seconds.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - worked)
    with statements() as said:
        ask()
    spread = stage.spread(seconds)
    return {
        "what": page.name,
        "n": TURNS,
        "p50_ms": spread["p50_ms"],
        "p95_ms": spread["p95_ms"],
        "cpu_ms": round(1000 * median(cpu), 1),
        "statements": len(said),
        "kb": round(len(content) / 1000),
        "load": load,
        "slowest": sorted(said, key=lambda one: -one.seconds)[:EXPLAINED],
    }


@dataclass(frozen=True)
class Statement:
    sql: str
    values: Any
    seconds: float


@contextmanager
def statements() -> Iterator[list[Statement]]:
    """What is said to the database, and how long each took."""
    from django.db import connection

    said: list[Statement] = []

    def note(execute: Callable[..., Any], sql: str, values: Any, many: bool, context: Any) -> Any:
        begun = time.perf_counter()
        try:
            return execute(sql, values, many, context)
        finally:
            said.append(Statement(sql, values, time.perf_counter() - begun))

    with connection.execute_wrapper(note):
        yield said


def explained(one: Statement) -> str:
    """The plan with its buffers; what the statement would change is taken back."""
    from django.db import connection, transaction

    if not one.sql.lstrip().upper().startswith(("SELECT", "WITH", "UPDATE", "INSERT", "DELETE")):
        return f"{one.sql}\n"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {one.sql}", one.values)
        lines = [line for (line,) in cursor.fetchall()]
        transaction.set_rollback(True)
    told = " ".join(one.sql.split())
    return "\n".join([f"-- {1000 * one.seconds:.1f} ms: {told[:300]}{'…' * (len(told) > 300)}", *lines, ""])
