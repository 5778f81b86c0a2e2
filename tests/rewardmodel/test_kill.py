"""kill -9 in the middle of a training: of the training process, of the worker, of PostgreSQL.

Everything is real and apart from the other tests: a data folder of its own with its own PostgreSQL, a
Celery worker as `./laurel up` runs it, the message queue in the database. The reference is an uninterrupted
run on the same votes: what was killed must end with the same numbers.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from psycopg.rows import dict_row

from config import embedded

REPOSITORY = Path(__file__).resolve().parents[2]
# Long enough to be killed in: every head goes through all steps.
# From nothing each time: the first run is promoted, and the others would say that they looked at its end.
CONFIG = {"max_steps": 600, "patience": 600, "checkpoint_every": 5, "bootstrap": 200, "warm_start": None}
PROMPTS = 24
PATIENCE_SECONDS = 240.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@dataclass
class Stack:
    data: Path

    def environment(self) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("LAUREL_", "DJANGO_"))
        }
        return kept | {
            "LAUREL_DATA_DIR": str(self.data),
            "LAUREL_ENV": "test",
            "LAUREL_VISIBILITY_SECONDS": "21600",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "OMP_NUM_THREADS": "1",
        }

    def command(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=REPOSITORY, env=self.environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def train(self, *words: str) -> dict[str, Any]:
        return json.loads(
            self.command("train", "garden", "--json", "--config", str(self.data / "c.json"), *words)
        )

    def worker(self) -> subprocess.Popen[bytes]:
        """The training worker of the Procfile."""
        words = [
            "--queues",
            "training",
            "--pool",
            "threads",
            "--concurrency",
            "1",
            "--hostname",
            "trainer@%h",
        ]
        words += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        with (self.data / "worker.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "celery", "--quiet", "--app", "config.celery", "worker", *words],
                cwd=REPOSITORY, env=self.environment(), stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def run(self, number: int) -> dict[str, Any]:
        with psycopg.connect(
            embedded.conninfo(embedded.connection_settings(self.data)), row_factory=dict_row
        ) as connection:
            row = connection.execute(
                "SELECT state, attempts, reason, metrics, progress, folder, holder"
                " FROM rewardmodel_trainingrun WHERE number = %s",
                [number],
            ).fetchone()
        assert row is not None
        return row

    def until(self, number: int, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The run's row as soon as `holds` is true of it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            run = self.run(number)
            if holds(run):
                return run
            log = (
                (self.data / "worker.log").read_text()[-3000:] if (self.data / "worker.log").exists() else ""
            )
            assert time.monotonic() < deadline, f"{run}\n{log}"
            assert run["state"] not in ("failed", "cancelled"), f"{run}\n{log}"
            time.sleep(0.1)

    def in_the_middle(self, number: int) -> psutil.Process:
        """The training process of the run, once it has trained a while and saved something."""

        folder = self.data / self.until(number, lambda run: run["state"] == "running")["folder"]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while _step(folder) < 20:
            assert time.monotonic() < deadline, self.run(number)
            time.sleep(0.02)
        assert (folder / "checkpoint" / "state.safetensors").is_file()
        return psutil.Process(int((folder / "process.lock").read_text().split()[1]))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    found = Stack(tmp_path_factory.mktemp("kill") / "data")
    embedded.ensure_running(found.data)  # held by this process, so that no command stops it
    _write_votes(found.data / "votes.jsonl")
    (found.data / "c.json").write_text(json.dumps(CONFIG))
    found.command("migrate", "--verbosity", "0")
    found.command("import", "garden", str(found.data / "votes.jsonl"), "--create")
    yield found
    embedded.release(found.data)


@pytest.fixture(scope="module")
def reference(stack: Stack) -> dict[str, Any]:
    """The metrics of a run that nobody disturbs, made without any worker."""
    return _numbers(stack.train("--wait")["metrics"])


@pytest.fixture
def worker(stack: Stack) -> Iterator[subprocess.Popen[bytes]]:
    process = stack.worker()
    yield process
    _end(process)


def test_the_training_process_is_killed(
    stack: Stack, reference: dict[str, Any], worker: subprocess.Popen[bytes]
) -> None:
    number = stack.train()["run"]
    stack.in_the_middle(number).kill()
    run = stack.until(number, lambda run: run["state"] == "succeeded")
    assert run["attempts"] == 2
    assert _numbers(run["metrics"]) == reference


def test_the_worker_is_killed(stack: Stack, reference: dict[str, Any]) -> None:
    first = stack.worker()
    try:
        number = stack.train()["run"]
        trainer = stack.in_the_middle(number)
        first.kill()
        first.wait()
        trainer_gone = psutil.wait_procs([trainer], timeout=10)[0]
        assert trainer_gone, "the training process outlived its worker"
        before = stack.run(number)
        time.sleep(3)
        assert stack.run(number) == before  # the control: by itself nothing moves
        assert before["state"] == "running"
    finally:
        _end(first)
    second = stack.worker()  # as the supervisor starts it again; it looks for left-overs
    try:
        run = stack.until(number, lambda run: run["state"] == "succeeded")
    finally:
        _end(second)
    assert run["attempts"] == 2
    assert run["holder"] != before["holder"]
    assert _numbers(run["metrics"]) == reference


def test_postgresql_is_killed(
    stack: Stack, reference: dict[str, Any], worker: subprocess.Popen[bytes]
) -> None:
    number = stack.train()["run"]
    trainer = stack.in_the_middle(number)
    postmaster = psutil.Process(int((stack.data / "postgres" / "postmaster.pid").read_text().split()[0]))
    postmaster.kill()
    postmaster.wait(10)
    with pytest.raises(psycopg.OperationalError):
        stack.run(number)
    time.sleep(2)
    assert trainer.is_running()  # it needs no database
    embedded.ensure_running(stack.data)  # as the supervisor does
    run = stack.until(number, lambda run: run["state"] == "succeeded")
    assert run["attempts"] == 1
    assert _numbers(run["metrics"]) == reference


def test_a_worker_told_to_stop_leaves_the_run_to_the_next(stack: Stack, reference: dict[str, Any]) -> None:
    first = stack.worker()
    try:
        number = stack.train()["run"]
        stack.in_the_middle(number)
        first.send_signal(signal.SIGTERM)
        first.wait(30)
        run = stack.run(number)
        assert (run["state"], run["attempts"]) == ("queued", 0)
    finally:
        _end(first)
    # Nobody works any more: a person at a terminal may carry it out.
    done = json.loads(stack.command("train", "garden", "--wait", "--json"))
    assert done["run"] == number
    assert _numbers(done["metrics"]) == reference


def _step(folder: Path) -> int:
    try:
        progress = json.loads((folder / "progress.json").read_text())
    except FileNotFoundError:
        return 0
    return int(progress["done"]) if progress["phase"] == "training" else 0


def _numbers(metrics: dict[str, Any]) -> dict[str, Any]:
    """What two runs on the same votes must agree on to the last digit."""
    return {name: value for name, value in metrics.items() if name not in ("seconds", "snapshot_sha256")}


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()


def _write_votes(path: Path) -> None:
    rng = random.Random(4)
    with path.open("w") as file:
        for prompt in range(PROMPTS):
            texts = [
                f"{'Water it well. ' * quality} Plant {prompt}, advice {quality}." for quality in range(4)
            ]
            for a in range(4):
                for b in range(a):
                    votes = [
                        {
                            "annotator": f"w{who}",
                            "choice": "a" if rng.random() < 0.5 + 0.12 * (a - b) else "b",
                        }
                        for who in range(3)
                    ]
                    row = {
                        "id": f"{prompt}-{a}-{b}",
                        "prompt": f"How do I care for plant {prompt}?",
                        "responses": [
                            {"id": f"{prompt}-{a}", "text": texts[a]},
                            {"id": f"{prompt}-{b}", "text": texts[b]},
                        ],
                        "votes": votes,
                    }
                    file.write(json.dumps(row) + "\n")
