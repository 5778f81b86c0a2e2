"""Processes that serve rewards, and questions to the one that stands by for the pages.

Torch lives in a child process. The parent only asks the database which ensembles are active, and writes it
down for the child (`rewardmodel.training.serving.roster`).
"""

import http.client
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, close_old_connections

from annotation.models.project import Project
from rewardmodel.models import Ensemble
from rewardmodel.services.children import Child
from rewardmodel.services.scoring import ensemble_folder

LOOK_SECONDS = 2.0  # how soon a promotion is noticed
ANSWER_SECONDS = 60.0  # the first answer after a start takes as long as loading torch
LONGEST_SOCKET_PATH = 100  # bytes; the kernel takes 107

Listings = dict[str, dict[str, Any]]


class ScorerMissing(RuntimeError):
    """No scoring process answers; the message says how to start one."""


class ScorerRefused(RuntimeError):
    """The scoring process answered with an error: `status` and `body` are its own."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(str(body.get("error", status)))
        self.status, self.body = status, body


def active_listings(project: Project | None = None) -> Listings:
    """What scores now, by project: all of them, or one."""
    active = Ensemble.objects.filter(active=True).select_related("run__project")
    if project is not None:
        active = active.filter(project=project)
    return {
        each.run.project.slug: {"run": each.run.number, "ensemble": str(ensemble_folder(each.run))}
        for each in active.order_by("project__slug")
    }


def serve(
    words: Sequence[str | Path], *, log: Path, listings: Callable[[], Listings] | None, stop: threading.Event
) -> int:
    """Run a reward server until `stop`; its exit code. `listings`: what it serves, asked again and again."""
    roster = Path(settings.LAUREL_DATA_DIR) / "run" / f"rewards-{os.getpid()}-{threading.get_ident()}.json"
    if listings is not None:
        _write(roster, listings())
        words = [*words, "--follow", roster]
    child = Child("rewardmodel.training.serving", words, log=log)
    try:
        while not stop.wait(LOOK_SECONDS):
            if (code := child.poll(0)) is not None:
                return code
            if listings is not None:
                _refresh(roster, listings)
        return 0
    finally:
        child.end()
        roster.unlink(missing_ok=True)


def _refresh(roster: Path, listings: Callable[[], Listings]) -> None:
    close_old_connections()
    try:
        found = listings()
    except DatabaseError:
        return  # while the database is away, what was served goes on
    if json.loads(roster.read_text()) != found:
        _write(roster, found)


def _write(roster: Path, listings: Listings) -> None:
    draft = roster.with_suffix(".part")
    draft.write_text(json.dumps(listings))
    draft.replace(roster)


@contextmanager
def token_file(token: str | None) -> Iterator[list[str | Path]]:
    """The words that give a server its token, which no list of processes shows."""
    if token is None:
        yield []
        return
    path = Path(settings.LAUREL_DATA_DIR) / "run" / f"rewards-{os.getpid()}.token"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(token)
    try:
        yield ["--token-file", path]
    finally:
        path.unlink(missing_ok=True)


# --- what the pages ask -------------------------------------------------------------------------------


def scorer_socket() -> Path:
    """Where the scoring process of this data folder listens. Raises `ScorerMissing` where none can."""
    path = Path(settings.LAUREL_DATA_DIR) / "run" / "scorer.sock"
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        raise ScorerMissing(
            f"{path} is too long for a socket: choose a data folder with a shorter path (LAUREL_DATA_DIR)."
        )
    return path


def ask(*, project: Project, question: Mapping[str, Any]) -> dict[str, Any]:
    """Scores by the project's active ensemble. Raises `ScorerMissing` and `ScorerRefused`."""
    connection = _UnixConnection(scorer_socket())
    try:
        content = json.dumps(question).encode()
        path = f"/projects/{project.slug}/score"
        connection.request("POST", path, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body: dict[str, Any] = json.loads(answer.read() or b"{}")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ScorerMissing(
            "The scoring process does not answer. ./laurel up starts it; without up: ./laurel serve-rewards."
        ) from error
    finally:
        connection.close()
    if answer.status != HTTPStatus.OK:
        raise ScorerRefused(answer.status, body)
    return body


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
