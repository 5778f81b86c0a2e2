"""Once around the loop in a browser, on a whole running Laurel: judge, watch, train, select, export."""

import csv
import json
import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.config.live import clean_environment
from tests.e2e.live_stack import PATIENCE, RESULTS, Stack, listen, live_stack

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1800)]

SOON = PATIENCE * 1000
PROJECT = "Sample: which answer is better?"
QUESTION = "Which response is better, all things considered?"

# From the Enter key to the moment the next item is on the screen, for each answer.
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

LOAD = """
import json, sys
from datasets import load_dataset
whole = load_dataset(sys.argv[1])
rows = sum(len(split) for split in whole.values())
print(json.dumps({"rows": rows, "columns": sorted(whole["train"].column_names)}))
"""
TURNS = """
    SELECT t.state, t.judgments, r.state, r.verdict <> '', b.number FROM activelearning_loopturn t
    JOIN rewardmodel_trainingrun r ON r.id = t.run_id
    JOIN activelearning_selectionbatch b ON b.id = t.batch_id
"""


def test_once_around_the_loop_by_hand(chromium: Browser, tmp_path: Path, record_property: Any):
    with live_stack(chromium, tmp_path, "loop-by-hand") as stack:
        admin = stack.sign_in("admin").page
        set_policy(admin, automatic=False)
        leave_pauses_to_people(admin)
        simulate(stack)
        open_tab(admin, "Monitor")
        before, exactly_before = agreement_shown(admin), agreement_downloaded(admin)

        annotator = stack.sign_in("annotator").page
        received = listen(annotator)
        start_judging(annotator)
        annotator.evaluate(STOPWATCH)
        for number in range(1, 21):
            answer(annotator, contrary_key(stack, annotator), number)
        record_property("enter_to_painted_ms", timings(annotator))
        assert judged_by(stack, "annotator") == 20
        undo_and_skip(stack, annotator)
        assert judged_by(stack, "annotator") == 20
        no_model_name_arrived(stack, received)

        wait_for_another(admin, before)
        assert agreement_downloaded(admin) < exactly_before, "somebody disagreed with all the others"

        train_and_watch(admin)
        assert stack.rows("SELECT number, state FROM rewardmodel_trainingrun") == [(1, "succeeded")]
        chosen = select_next(admin, 12)
        assert stack.one("SELECT count(*) FROM activelearning_selectedpair") == chosen == 12
        receives_the_batch(stack, annotator, batch=1)
        export_and_load(stack, admin, tmp_path)


def test_the_loop_turns_by_itself(chromium: Browser, tmp_path: Path):
    with live_stack(chromium, tmp_path, "loop-by-itself") as stack:
        admin = stack.sign_in("admin").page
        set_policy(admin, automatic=False)
        leave_pauses_to_people(admin)
        simulate(stack)
        annotator = stack.sign_in("annotator").page
        start_judging(annotator)
        set_policy(admin, automatic=True, retrain_every=410, batch_size=8)
        expect(admin.get_by_role("heading", name="10 more judgments until the next turn")).to_be_visible()
        for number in range(1, 10):
            answer(annotator, "1", number)
        assert stack.one("SELECT count(*) FROM activelearning_loopturn") == 0
        answer(annotator, "2", 10)
        stack.wait_for("SELECT count(*) FROM rewardmodel_trainingrun WHERE trigger = 'loop'", "a run")
        stack.wait_for(
            "SELECT count(*) FROM activelearning_loopturn WHERE finished_at > created_at", "its end"
        )
        assert stack.rows(TURNS) == [("done", 410, "succeeded", True, 1)]
        assert stack.one("SELECT count(*) FROM activelearning_selectedpair") == 8
        open_tab(admin, "Models")
        expect(admin.get_by_role("heading", name="Run 1 scores now")).to_be_visible()
        expect(admin.get_by_text("the loop", exact=True)).to_be_visible()
        open_tab(admin, "Next batch")
        expect(admin.get_by_role("row", name=re.compile("Done 410 run 1 no. 1"))).to_contain_text("Promoted")
        admin.get_by_role("link", name="Batch 1").click()
        expect(admin.locator(".pairs > li")).to_have_count(8)
        receives_the_batch(stack, annotator, batch=1)


# --- the annotator ----------------------------------------------------------------------------------


def start_judging(page: Page) -> None:
    page.get_by_role("link", name=PROJECT).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(QUESTION)


def shown_assignment(page: Page) -> int:
    return int(page.locator("#answer [name=assignment]").get_attribute("value") or 0)


def answer(page: Page, key: str, number: int) -> None:
    """The number key and Enter, until the page says that it has the answer and shows another item."""
    shown = shown_assignment(page)
    page.keyboard.press(key)
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"{number} by you", exact=True)).to_be_visible()
    expect(page.locator(f"#answer [name=assignment][value='{shown}']")).to_have_count(0)


def contrary_key(stack: Stack, page: Page) -> str:
    """The key of whichever answer the others gave least: the agreement must fall."""
    votes = Counter({"a": 0, "b": 0, "tie": 0, "both_bad": 0})
    ((item, order),) = stack.rows(
        "SELECT item_id, display_order FROM annotation_assignment WHERE id = %s", [shown_assignment(page)]
    )
    votes.update(
        choice
        for (choice,) in stack.rows(
            """SELECT a.choice FROM annotation_answer a JOIN annotation_judgment j ON j.id = a.judgment_id
               WHERE j.item_id = %s AND j.live""",
            [item],
        )
    )
    if votes["a"] == votes["b"] and votes["a"] > 0:
        return "4"
    least = min(("a", "b"), key=lambda choice: votes[choice])
    swapped = order == [1, 0]
    return "2" if (least == "b") != swapped else "1"


def undo_and_skip(stack: Stack, page: Page) -> None:
    """U shows the last answer again, a tie replaces it; S and Enter pass over an item."""
    page.keyboard.press("u")
    expect(page.locator(".reopened")).to_be_visible()
    answer(page, "3", 20)
    expect(page.locator("#save-state")).to_have_attribute("data-state", "saved")
    assert stack.rows(
        """SELECT a.choice, j.live FROM annotation_judgment j JOIN annotation_answer a ON a.judgment_id = j.id
           JOIN accounts_user u ON u.id = j.annotator_id WHERE u.username = 'annotator'
           ORDER BY j.id DESC LIMIT 1"""
    ) == [("tie", True)]
    shown = shown_assignment(page)
    page.keyboard.press("s")
    expect(page.get_by_role("button", name="Skip this item")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(f"#answer [name=assignment][value='{shown}']")).to_have_count(0)
    expect(page.get_by_text("Skipped", exact=True)).to_be_visible()  # the server has it, too
    assert stack.one("SELECT state FROM annotation_assignment WHERE id = %s", [shown]) == "skipped"


def judged_by(stack: Stack, name: str) -> int:
    return stack.one(
        """SELECT count(*) FROM annotation_judgment j JOIN accounts_user u ON u.id = j.annotator_id
           WHERE u.username = %s AND j.live""",
        [name],
    )


def no_model_name_arrived(stack: Stack, received: list[str]) -> None:
    names = [row[0] for row in stack.rows("SELECT DISTINCT model FROM annotation_response")]
    assert len(names) >= 2
    assert all(names)
    assert len(received) > 20
    assert [(name, text) for name in names for text in received if name in text] == []


def receives_the_batch(stack: Stack, page: Page, *, batch: int) -> None:
    """After the item on the screen and the one behind it come the selected ones, ahead of all but gold."""
    done = judged_by(stack, "annotator")
    page.reload()
    for number in (done + 1, done + 2):
        answer(page, "1", number)
    for number in range(done + 3, done + 7):
        gold, in_batch = stack.rows(
            """SELECT i.is_gold, EXISTS (SELECT 1 FROM activelearning_selectedpair p
                   JOIN activelearning_selectionbatch b ON b.id = p.batch_id
                   WHERE p.item_id = i.id AND b.number = %s)
               FROM annotation_assignment s JOIN annotation_item i ON i.id = s.item_id WHERE s.id = %s""",
            [batch, shown_assignment(page)],
        )[0]
        assert gold or in_batch, f"answer {number} is on an item nobody selected"
        answer(page, "1", number)


def timings(page: Page) -> dict[str, float]:
    waits = sorted(page.evaluate("window.waits"))
    assert len(waits) == 20
    figures = {"n": 20, "p50": round(waits[9], 1), "p95": round(waits[18], 1)}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "enter-to-painted-ms.json").write_text(json.dumps(figures) + "\n")
    return figures


# --- the admin --------------------------------------------------------------------------------------


def simulate(stack: Stack) -> None:
    """Earlier votes: enough to train on, four on each item, so that a fifth one matters."""
    words = ("--annotators", "4", "--judgments", "400", "--seed", "3")
    assert json.loads(stack.command("simulate", "sample", *words, "--json"))["judgments"] == 400


def open_tab(page: Page, name: str) -> None:
    if page.locator(".tabs").count() == 0:
        page.get_by_role("link", name=PROJECT).first.click()
    page.locator(".tabs").get_by_role("link", name=name, exact=True).click()
    expect(page.locator(".tabs [aria-current=page]")).to_have_text(name)


def set_policy(page: Page, *, automatic: bool, retrain_every: int = 200, batch_size: int = 50) -> None:
    open_tab(page, "Next batch")
    page.get_by_label("Turn the loop automatically").set_checked(automatic)
    page.get_by_label("Retrain after this many new judgments").fill(str(retrain_every))
    page.get_by_label("Then queue this many pairs").fill(str(batch_size))
    page.locator("form", has=page.get_by_label("Turn the loop automatically")).get_by_role("button").click()
    expect(page.get_by_text("The loop is set.")).to_be_visible()


def leave_pauses_to_people(page: Page) -> None:
    """The annotator here answers at once and against the others: by rule, gold items could pause them."""
    open_tab(page, "Settings")
    page.get_by_label("Pause annotators by rule").uncheck()
    page.locator("#save").click()
    expect(page.get_by_text("Saved: 1 setting changed.")).to_be_visible()


def agreement_shown(page: Page) -> str:
    """Value, interval and number of items as the page shows them."""
    return page.get_by_role("row", name=re.compile("^Krippendorff's α, ordinal")).inner_text()


def wait_for_another(page: Page, before: str) -> None:
    """The monitor asks for news by itself; nobody reloads it."""
    row = page.get_by_role("row", name=re.compile("^Krippendorff's α, ordinal"))
    expect(row).not_to_have_text(before, use_inner_text=True)


def agreement_downloaded(page: Page) -> float:
    """Ordinal alpha with all its digits, from the CSV behind the table."""
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV of agreement").click()
    with download.value.path().open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return float(next(row["value"] for row in rows if row["coefficient"] == "krippendorff ordinal"))


def train_and_watch(page: Page) -> None:
    """Press the button and only look: the page follows the run to its report by itself."""
    open_tab(page, "Models")
    page.get_by_role("button", name="Train now").click()
    expect(page.get_by_role("heading", name="Run 1")).to_be_visible()
    expect(page.locator("#live .steps .is-now")).to_be_visible(timeout=SOON)
    expect(page.locator("#live progress")).to_be_visible(timeout=SOON)
    expect(page.get_by_text("The gate:")).to_be_visible(timeout=SOON)
    expect(page.locator(".badge", has_text="Succeeded")).to_be_visible()
    expect(page.locator(".stat", has_text="Accuracy").locator(".stat__value").first).to_have_text(
        re.compile(r"^0\.\d{3}$")
    )


def select_next(page: Page, pairs: int) -> int:
    """Ask for a batch and count its lines, each of which opens on its reason."""
    open_tab(page, "Next batch")
    page.get_by_label("Pairs", exact=True).fill(str(pairs))
    page.locator("form", has=page.get_by_label("Pairs", exact=True)).get_by_role("button").click()
    expect(page.get_by_role("heading", name="Batch 1")).to_be_visible(timeout=SOON)
    chosen = page.locator(".pairs > li").count()
    reasons = page.locator(".pairs__said > p:first-child")
    assert reasons.count() == chosen
    assert all(len(reason) > 40 for reason in reasons.all_text_contents())
    expect(reasons.first).to_be_hidden()
    page.locator(".pairs summary").first.click()
    expect(reasons.first).to_be_visible()
    return chosen


def export_and_load(stack: Stack, page: Page, folder: Path) -> None:
    """One click takes a snapshot, one downloads it; `datasets` opens what is in the zip file."""
    open_tab(page, "Data")
    page.get_by_role("button", name="Take a snapshot").click()
    expect(page.get_by_role("heading", name=re.compile("^Snapshot"))).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("trl-dpo")).first.click()
    with zipfile.ZipFile(download.value.path()) as archive:
        archive.extractall(folder / "export")
    assert stack.one("SELECT count(*) FROM accounts_auditentry WHERE action = 'export'") == 1
    (unpacked,) = (folder / "export").iterdir()
    told = loaded(unpacked, cache=folder / "hub")
    assert told["columns"] == ["chosen", "prompt", "rejected"]
    assert told["rows"] > 20


def loaded(unpacked: Path, *, cache: Path) -> dict[str, Any]:
    """What `datasets` makes of the folder, with no network, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(unpacked)],
        env=clean_environment(cache, HF_HOME=str(cache), HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))
