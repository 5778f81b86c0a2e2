"""The Laurel that runs on a data folder, and how others learn of it.

``run/up.lock`` is held for as long as it runs, whatever way it ends; ``run/up.json`` says where it answers.
"""

import fcntl
import json
import os
import threading
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from config import environment

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Running:
    """What ``run/up.json`` tells about the Laurel of a data folder."""

    pid: int
    address: str
    probe: str
    started_at: float
    ready: bool


def take_lock(data: Path) -> int | None:
    """The descriptor that holds the lock until this process ends; None when another Laurel holds it."""
    descriptor = os.open(data / "run" / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_up(data: Path) -> bool:
    if not (data / "run" / "up.lock").exists():
        return False
    descriptor = take_lock(data)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def read_state(data: Path) -> Running | None:
    try:
        return Running(**json.loads((data / "run" / "up.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def adopt_address() -> None:
    """Let the links of this command lead to the Laurel that runs on its data folder."""
    state = read_state(environment.folder("LAUREL_DATA_DIR", ROOT / ".laurel"))
    if state is not None and psutil.pid_exists(state.pid):
        address = urlsplit(state.address)
        os.environ.setdefault("LAUREL_HOST", address.hostname or "")
        os.environ.setdefault("LAUREL_PORT", str(address.port))


def write_state(data: Path, running: Running) -> None:
    draft = data / "run" / f"up.json.{threading.get_ident()}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(running), file)
    draft.replace(data / "run" / "up.json")


def answers(url: str) -> bool:
    hosts = environment.listing("LAUREL_ALLOWED_HOSTS")
    headers = {"Host": hosts[0].lstrip(".*") or "localhost"} if hosts else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
