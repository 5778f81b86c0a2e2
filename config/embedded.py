"""The PostgreSQL 18 that comes with Laurel: kept in the data folder, reached by a unix socket only.

Who uses the server holds a shared lock on ``run/users.lock`` for as long as the process lives; the kernel
lets it go even after ``kill -9``. Whoever leaves and finds nobody else holding it stops the server. So
``./laurel up`` keeps it running, a lone command starts it and stops it, a command beside ``up`` leaves it.

Importing this module costs nothing: what is needed only to start a server is imported when one is started.
"""

import atexit
import fcntl
import hashlib
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DATABASE = "laurel"
USER = "postgres"
PORT = "5432"
OF_DJANGO = ("server_side_binding", "prepare_threshold")  # options of its driver, unknown to libpq
SOCKET_PATH_BYTES = 100  # the kernel allows 107

_in_use: dict[Path, int] = {}  # data folder -> descriptor that holds the shared lock of this process


class EmbeddedDatabaseError(RuntimeError):
    """The embedded PostgreSQL cannot be started or stopped; the message says what to do."""


def make_data_folder(data: Path) -> None:
    """Create the data folder and the folders in it that must exist before anything starts."""
    data.mkdir(parents=True, exist_ok=True, mode=0o711)
    for name in ("uploads", "run", "log"):
        (data / name).mkdir(exist_ok=True, mode=0o700)


def cluster_folder(data: Path) -> Path:
    return data / "postgres"


def socket_folder(data: Path) -> Path:
    """The folder of the unix socket: the cluster's own, or a short one where that path is too long."""
    cluster = cluster_folder(data)
    if len(os.fsencode(cluster / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_BYTES:
        return cluster
    digest = hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"laurel-{digest}"


def connection_settings(data: Path) -> dict[str, Any]:
    """What Django's DATABASES needs; known before the server runs."""
    host = str(socket_folder(data))
    return {"NAME": DATABASE, "USER": USER, "PASSWORD": "", "HOST": host, "PORT": PORT, "OPTIONS": {}}


def conninfo(database: dict[str, Any]) -> str:
    """libpq's key=value form of a connection in Django's terms."""
    words = {
        "dbname": database["NAME"],
        "user": database["USER"],
        "password": database["PASSWORD"],
        "host": database["HOST"],
        "port": database["PORT"],
        **{key: value for key, value in database["OPTIONS"].items() if key not in OF_DJANGO},
    }
    quoted = {
        key: str(value).replace("\\", "\\\\").replace("'", "\\'") for key, value in words.items() if value
    }
    return " ".join(f"{key}='{value}'" for key, value in quoted.items())


def is_running(data: Path) -> bool:
    """Whether a server accepts connections; under a millisecond, and no library needed."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(socket_folder(data) / f".s.PGSQL.{PORT}"))
            status = (cluster_folder(data) / "postmaster.pid").read_text().splitlines()[7]
        except (OSError, IndexError):
            return False
    return status.strip() == "ready"


def ensure_running(data: Path, *, durable: bool = True) -> str:
    """Start the server unless it runs, keep it for the life of this process, and return its conninfo.

    ``durable=False`` gives up crash safety for speed: for tests only.
    """
    make_data_folder(data)
    _hold(data)
    if not is_running(data):
        from config import postmaster

        with _start_lock(data):
            postmaster.start(data, durable=durable)
    return conninfo(connection_settings(data))


def release(data: Path) -> bool:
    """This process no longer needs the server; stop it when nobody does. True when it was stopped."""
    descriptor = _in_use.pop(data, None)
    if descriptor is None:
        return False
    os.close(descriptor)
    with _start_lock(data), _alone(data) as alone:
        if not alone:
            return False
        from config import postmaster

        postmaster.stop(data)
        return True


def _hold(data: Path) -> None:
    if data in _in_use:
        return
    descriptor = os.open(data / "run" / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    _in_use[data] = descriptor
    owner = os.getpid()
    atexit.register(lambda: release(data) if os.getpid() == owner else None)  # not in forked children


@contextmanager
def _start_lock(data: Path) -> Iterator[None]:
    """One process at a time starts or stops the server."""
    descriptor = os.open(data / "run" / "start.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _alone(data: Path) -> Iterator[bool]:
    """Whether nobody uses the server; while that is so, newcomers wait."""
    descriptor = os.open(data / "run" / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)
