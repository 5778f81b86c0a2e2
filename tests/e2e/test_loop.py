"""The loop in a browser on a running Laurel: judge, watch, train, receive the next batch, export."""

import json
from itertools import cycle, islice
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.live_stack import RESULTS, Stack, listen, live_stack

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1200)]

JUDGE = "/p/sample/judge/"
LIVE_BY = """SELECT count(*) FROM annotation_judgment j JOIN accounts_user u ON u.id = j.annotator_id
    WHERE u.username = %s AND j.live"""

# From the Enter key to the moment the next item is on the screen, for each answer.
STOPWATCH = """() => {
    window.waits = [];
    let pressed = null;
    addEventListener("keydown", (event) => { if (event.key === "Enter") pressed = performance.now(); }, true);
    document.addEventListener("htmx:afterSwap", (event) => {
        if (event.detail.target.id !== "judge" || pressed === null) return;
        const since = pressed;
        pressed = null;
        requestAnimationFrame(() => setTimeout(() => window.waits.push(performance.now() - since)));
    });
}"""


@pytest.fixture
def stack(chromium: Browser, tmp_path: Path, request: pytest.FixtureRequest):
    with live_stack(chromium, tmp_path, request.node.name) as stack:
        yield stack


def simulate(stack: Stack) -> None:
    """Enough earlier votes to train on."""
    words = ("--annotators", "8", "--judgments", "400", "--seed", "3")
    told = json.loads(stack.command("simulate", "sample", *words, "--json"))
    assert told["judgments"] == 400


def judge_by_keyboard(page: Page, count: int, *, before: int = 0) -> None:
    """`count` answers by number key and Enter; each waits until the page says that it has it."""
    for number, key in enumerate(islice(cycle("12132141"), count), start=before + 1):
        shown = page.locator("#answer [name=assignment]").get_attribute("value")
        page.keyboard.press(key)
        page.keyboard.press("Enter")
        expect(page.get_by_text(f"{number} by you")).to_be_visible()
        expect(page.locator(f"#answer [name=assignment][value='{shown}']")).to_have_count(0)


def note_timings(waits: list[float]) -> dict[str, float]:
    ordered = sorted(waits)
    figures = {
        "n": len(ordered),
        "p50": round(ordered[len(ordered) // 2], 1),
        "p95": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 1),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "enter-to-painted-ms.json").write_text(json.dumps(figures) + "\n")
    return figures


def test_once_around_the_loop_by_hand(stack, record_property):
    simulate(stack)
    annotator = stack.sign_in("annotator")
    page = annotator.page
    received = listen(page)
    expect(page.get_by_role("heading", name="Your projects")).to_be_visible()
    page.get_by_role("link", name="Sample: which answer is better?").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Which response is better?")
    page.evaluate(STOPWATCH)
    judge_by_keyboard(page, 20)
    assert stack.one(LIVE_BY, ["annotator"]) == 20
    figures = note_timings(page.evaluate("window.waits"))
    record_property("enter_to_painted_ms", figures)
    assert figures["n"] == 20
    assert figures["p50"] < 1500
    models = [row[0] for row in stack.rows("SELECT DISTINCT model FROM annotation_response")]
    assert len(models) >= 2
    assert len(received) > 20
    assert not [(model, text[:80]) for model in models for text in received if model in text]
    annotator.assert_clean()
