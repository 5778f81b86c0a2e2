"""Tasks on PGMQ reach a real worker, soon and surely."""

import os
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from django.conf import settings

from config import embedded
from tests.config.live import ROOT, clean_environment, python, wait_until

SEND = """
import sys, time
from config.celery import app
for path in sys.argv[2:]:
    print(time.time(), flush=True)
    app.send_task(sys.argv[1], args=[path])
    time.sleep(0.31)
"""


@pytest.mark.slow
def test_what_a_worker_imports_leaves_torch_alone(tmp_path: Path):
    """A parent that has loaded torch and then forks hangs its child."""
    code = (
        "import sys, config.celery as c; c.app.loader.import_default_modules(); "
        "import config.urls; print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    found = python(tmp_path / "data", code)
    assert found.stdout.strip() == "False False", found.stdout + found.stderr


def test_a_late_acknowledged_task_outlives_its_worker():
    assert settings.CELERY_TASK_ACKS_LATE is True
    assert settings.CELERY_TASK_REJECT_ON_WORKER_LOST is True
    assert settings.CELERY_WORKER_PREFETCH_MULTIPLIER == 1


@pytest.fixture
def worker() -> Iterator[psutil.Process]:
    """A real light worker on the embedded PostgreSQL of the test run."""
    data = settings.LAUREL_DATA_DIR
    embedded.ensure_running(data, durable=False)
    command = ["celery", "--quiet", "--app", "config.celery", "worker", "--include", "tests.config.echo"]
    command += ["--queues", "light", "--concurrency", "1", "--hostname", "test@%h"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    process = subprocess.Popen(command, env=clean_environment(data), cwd=ROOT, start_new_session=True)
    wait_until(lambda: psutil.Process(process.pid).children(), 60, "a worker with a child")
    yield psutil.Process(process.pid)
    os.kill(process.pid, signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def send(task: str, *paths: Path) -> list[float]:
    """Send one task for each path from a process of its own; when each was sent."""
    sent = subprocess.run(
        ["python", "-c", SEND, task, *map(str, paths)],
        env=clean_environment(settings.LAUREL_DATA_DIR),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return [float(line) for line in sent.stdout.split()]


@pytest.mark.slow
def test_a_task_is_picked_up_within_a_second(worker: psutil.Process, tmp_path: Path):
    send("tests.echo", tmp_path / "warm")
    wait_until((tmp_path / "warm").exists, 60, "the first task")
    paths = [tmp_path / str(number) for number in range(10)]
    sent = send("tests.echo", *paths)
    wait_until(lambda: all(path.exists() and path.stat().st_size for path in paths), 30, "ten tasks")
    ran = [path.read_text().split() for path in paths]
    waits = [float(when) - begun for (when, _, _), begun in zip(ran, sent, strict=True)]
    print(f"pick-up: median {statistics.median(waits):.3f} s, longest {max(waits):.3f} s")  # noqa: T201
    assert statistics.median(waits) < 1.0
    assert {torch for _, _, torch in ran} == {"False"}


@pytest.mark.slow
def test_a_task_whose_process_is_killed_runs_again(worker: psutil.Process, tmp_path: Path):
    attempts = tmp_path / "attempts"
    send("tests.slow_once", attempts)
    wait_until(attempts.exists, 60, "the first attempt")
    time.sleep(0.2)
    os.kill(int(attempts.read_text().split()[0]), signal.SIGKILL)
    wait_until(lambda: len(attempts.read_text().split()) == 2, 60, "the second attempt")
    first, second = attempts.read_text().split()
    assert first != second
