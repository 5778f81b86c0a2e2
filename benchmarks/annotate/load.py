"""Load: 1, 20 and 50 people who answer items over HTTP without a pause, as `./laurel up` serves them.

python -m benchmarks.annotate.load [--people 1 20 50] [--cycles 2000] [--label-studio PYTHON] [--kind rating]

With `--label-studio`, the Python of an environment in which Label Studio is installed (see README.md), the
same is measured there first and the ratios are printed. All on this machine, on loopback. Writes load.csv.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.annotate import crowd, stage

ITEMS = 20_000
_ITEM = re.compile(rb'name="(assignment|key|guideline)" value="([^"]*)"')
_TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="([^"]+)"')
_AHEAD = re.compile(rb'<template id="ahead" data-assignment="(\d+)"')


class Annotator:
    """Somebody on Laurel's judging page, as its script talks to the server."""

    def __init__(self, port: int, session: str, slug: str, kind: str) -> None:
        self.visitor = crowd.Visitor(port, {"sessionid": session})
        self.path, self.kind = f"/p/{slug}/judge/", kind
        status, page = self.visitor.request("GET", self.path)
        assert status == 200, page[-2000:]
        token = _TOKEN.search(page)
        before, waiting = page.split(b'<template id="ahead"', 1)
        assert token is not None
        self.token = token[1].decode()
        self.item, self.ahead = dict(_ITEM.findall(before)), dict(_ITEM.findall(waiting))

    def cycle(self) -> dict[str, float]:
        """One round trip: the answer goes, the next item is there already, the one after it comes back."""
        form = {name.decode(): value.decode() for name, value in self.item.items()}
        form |= {"csrfmiddlewaretoken": self.token, "seconds": "1.5", **self._answer()}
        begun = time.perf_counter()
        status, page = self.visitor.request(
            "POST",
            self.path,
            form,
            {"Laurel-Fetch": "1", "Laurel-Shown": self.ahead[b"assignment"].decode()},
        )
        seconds = time.perf_counter() - begun
        assert status == 200, page[-2000:]
        assert b"data-saved" in page, "the answer was not stored"
        assert _AHEAD.search(page), "no item waits behind the next"
        assert b'<section id="item"' not in page, "the next item was not the one that waited"
        self.item, self.ahead = self.ahead, dict(_ITEM.findall(page))
        return {"both": seconds}

    def _answer(self) -> dict[str, str]:
        if self.kind == "pairwise":
            return {"choice-0": "a"}
        name = "rank" if self.kind == "ranking" else "rating"
        return {f"{name}-0-0": "1", f"{name}-0-1": "2"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[1, 20, 50])
    parser.add_argument("--cycles", type=int, default=2_000, help="of all together")
    parser.add_argument("--kind", choices=("pairwise", "ranking", "rating"), default="pairwise")
    parser.add_argument("--label-studio", metavar="PYTHON", default="")
    parser.add_argument("--output", default="load.csv")
    options = parser.parse_args()
    rows = []
    if options.label_studio:
        from benchmarks.annotate import label_studio

        rows += label_studio.rows(options.label_studio, options.people, options.cycles)
    rows += laurel_rows(options.people, options.cycles, options.kind)
    stage.write(options.output, rows)
    for row in rows:
        before = [one for one in rows if one["annotators"] == row["annotators"] and one["system"] != "laurel"]
        if before and row["system"] == "laurel":
            ratio, other = row["cycles_per_s"] / before[0]["cycles_per_s"], before[0]["system"]
            print(f"{row['annotators']} annotators: {ratio:.1f} times the cycles per second of {other}")


def laurel_rows(people: list[int], cycles: int, kind: str) -> list[dict[str, Any]]:
    from config import embedded

    data = Path(tempfile.mkdtemp(prefix="laurel-benchmark-"))
    port = free_port()
    try:
        with served(data, port):
            slug, sessions = prepare(data, max(people), kind)
            return [
                crowd.measure(
                    "laurel",
                    [Annotator(port, session, slug, kind) for session in sessions[:count]],
                    max(20, cycles // count),
                )
                for count in people
            ]
    finally:
        embedded.release(data)
        shutil.rmtree(data, ignore_errors=True)


def prepare(data: Path, people: int, kind: str) -> tuple[str, list[str]]:
    """A project with items, and so many people who are signed in."""
    stage.open_laurel(data)
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from accounts.models import Membership, Role, User
    from activelearning.models import LoopPolicy
    from annotation.models.project import Project

    project = Project.objects.create(slug="load", name="Load", kind=kind, overlap=3, gold_rate=0.1)
    LoopPolicy.objects.create(project=project, enabled=False)
    stage.fill(project, ITEMS, gold=100)
    sessions = []
    for number in range(people):
        user = User.objects.create_user(f"annotator-{number}", password=None)
        Membership.objects.create(user=user, project=project, role=Role.ANNOTATOR)
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.create()
        sessions.append(session.session_key)
    return project.slug, sessions


@contextmanager
def served(data: Path, port: int) -> Iterator[None]:
    """The whole of Laurel, with its workers, as `./laurel up` runs it."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = [sys.executable, "-m", "config.launch", "up", "--no-sample", "--port", str(port)]
    with (Path(tempfile.gettempdir()) / f"laurel-benchmark-{port}.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=os.environ | {"PATH": path, "LAUREL_DATA_DIR": str(data)}, stdout=log, stderr=log
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/readyz", process)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def wait_for(address: str, process: subprocess.Popen[bytes], seconds: float = 180) -> None:
    """Until the server answers."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"{address} ended with {process.returncode}")
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310  ours
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"{address} did not answer within {seconds} seconds")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
