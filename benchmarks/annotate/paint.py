"""From a key press to the next item on the screen, in a headless Chromium on this machine's loopback.

python -m benchmarks.annotate.paint [--items 200] [--kind rating]

Somebody presses the number key and Enter. The clock runs from the Enter key's event to the second animation
frame after the next item was put on the page: by then it has been painted. Twice: “reading”, with a moment
between two answers, so that the next item waits in the browser as it does for anybody who reads; “hasty”,
each answer in the instant its item appears, which now and then has to wait for the server. Writes paint.csv.
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.annotate import load, stage

PACES = {"reading": 400, "hasty": 0}  # milliseconds between an item and its answer
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]

STOPWATCH = """() => {
    window.waits = [];
    let pressed = null;
    addEventListener("keydown", (event) => { if (event.key === "Enter") pressed = performance.now(); }, true);
    document.getElementById("judge").addEventListener("laurel:item", (event) => {
        if (pressed === null || event.detail?.restored) return;
        const since = pressed;
        pressed = null;
        const painted = () => window.waits.push(performance.now() - since);
        requestAnimationFrame(() => requestAnimationFrame(painted));
    });
}"""
ANSWERS = {"pairwise": ["1"], "rating": ["3", "4"], "ranking": ["1", "2"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--kind", choices=sorted(ANSWERS), default="pairwise")
    parser.add_argument("--output", default="paint.csv")
    options = parser.parse_args()
    stage.write(options.output, measured(options.items, options.kind))


def measured(items: int, kind: str) -> list[dict[str, Any]]:
    from config import embedded

    data, port = Path(tempfile.mkdtemp(prefix="laurel-benchmark-")), load.free_port()
    try:
        with load.served(data, port):
            slug, sessions = load.prepare(data, len(PACES), kind)
            address = f"http://127.0.0.1:{port}"
            return [
                row(pace, kind, judge(f"{address}/p/{slug}/judge/", session, items, kind, pause))
                for (pace, pause), session in zip(PACES.items(), sessions, strict=True)
            ]
    finally:
        embedded.release(data)
        shutil.rmtree(data, ignore_errors=True)


def row(pace: str, kind: str, waits: list[float]) -> dict[str, Any]:
    figures = stage.spread([wait / 1000 for wait in waits])
    return {"pace": pace, "kind": kind, "items": len(waits), **figures, "load_average": stage.load_average()}


def judge(address: str, session: str, items: int, kind: str, pause: int) -> list[float]:
    """The milliseconds of each answer."""
    path = os.environ.get("LAUREL_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.add_cookies([{"name": "sessionid", "value": session, "url": address, "httpOnly": True}])
        page = context.new_page()
        page.goto(address)
        page.locator("#save-state > *").first.wait_for()
        page.evaluate(STOPWATCH)
        for number in range(items):
            page.wait_for_timeout(pause)
            answer(page, kind, number)
        waits = [float(wait) for wait in page.evaluate("window.waits")]
        browser.close()
    return waits


def answer(page: Page, kind: str, number: int) -> None:
    for key in ANSWERS[kind]:
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.wait_for_function("count => window.waits.length === count", arg=number + 1)


if __name__ == "__main__":
    main()
