"""Starting a real Laurel, or a part of one, on a data folder of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent.parent


def clean_environment(data: Path, **more: str) -> dict[str, str]:
    """What a user's shell would hand over: nothing of the test run, this Python's programs first."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LAUREL_", "CELERY_", "DJANGO_", "DATABASE_", "PYTEST_"))
    }
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return kept | {"PATH": path, "LAUREL_DATA_DIR": str(data), "PYTHONPATH": str(ROOT)} | more


def run(data: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """One command of config.launch, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "config.launch", *words],
        env=clean_environment(data, **more),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def python(data: Path, code: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environment(data, **more),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> float:
    """Seconds it took until ``condition`` was true; a machine busy with other work is given more of them."""
    begun = time.monotonic()
    allowed = seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    while not condition():
        if time.monotonic() - begun > allowed:
            raise AssertionError(f"not within {allowed:.0f} s: {what}")
        time.sleep(0.05)
    return time.monotonic() - begun


def running(processes: Iterable[psutil.Process], *words: str) -> list[psutil.Process]:
    """Those with all these words in their command. One that ends while it is looked at is not among them."""
    found = []
    for process in processes:
        try:
            if set(words) <= set(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@dataclass
class Live:
    data: Path
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def code(self, path: str = "/readyz") -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def postmaster(self) -> int:
        return int((self.data / "postgres" / "postmaster.pid").read_text().split()[0])

    def head(self, word: str) -> psutil.Process | None:
        """The process of the Procfile's line that has ``word`` in its command: a child of the supervisor.

        Not what a killed one left behind: that has another parent by now.
        """
        heads = running(psutil.Process(self.process.pid).children(), word)
        return heads[0] if heads else None

    def status(self) -> dict[str, object]:
        return dict(json.loads(run(self.data, "status", "--json").stdout))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def laurel_up(data: Path, *words: str) -> Iterator[Live]:
    """``./laurel up`` until it answers; stopped at the end if the test has not."""
    port = free_port()
    log = data.with_suffix(".log")
    command = [sys.executable, "-m", "config.launch", "up", "--port", str(port), *words]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=clean_environment(data), cwd=ROOT, stdout=output, stderr=output
        )
    live = Live(data, port, process, log)
    try:
        wait_until(lambda: live.code() == 200 or process.poll() is not None, 90, "an answer")
        assert process.poll() is None, log.read_text()
        yield live
    finally:
        if process.poll() is None:
            live.stop()
