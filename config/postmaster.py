"""Starting, healing and stopping the embedded PostgreSQL server process.

Always called with the start lock of ``config.embedded`` held. The server inherits a lock on
``run/postmaster.lock``, which the kernel keeps until its last process is gone: a process id found in
``postmaster.pid`` proves nothing after a reboot, this does.
"""

import fcntl
import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg

from config import embedded, queue
from config.cluster import VERSION, Account, account_for, binaries, create, open_the_way, run_as
from config.embedded import EmbeddedDatabaseError

START_SECONDS = 180  # recovery after a crash may have much to replay
STOP_SECONDS = 60
LOG_BYTES = 10 * 2**20
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "effective_cache_size": "512MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "1GB",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
FAST_AND_UNSAFE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


def start(data: Path, *, durable: bool = True) -> None:
    """Bring the server up, whatever state it was left in, with its database and the message queue in it."""
    cluster = embedded.cluster_folder(data)
    account = account_for(cluster)
    if account.switch:
        open_the_way(account, binaries(), data)
    if not (cluster / "PG_VERSION").exists():
        create(cluster, account)
    found = (cluster / "PG_VERSION").read_text().strip()
    if found != str(VERSION):
        raise EmbeddedDatabaseError(
            f"{cluster} is of PostgreSQL {found}, this is {VERSION}: dump it with the old release first."
        )
    if not _wait_for_a_living_server(data):
        _clear_the_remains(data)
        _launch(data, account, durable=durable)
    _prepare_database(data)


def stop(data: Path) -> None:
    """Stop the server: connections are closed, nothing committed is lost."""
    for order, patience in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 10), (signal.SIGKILL, 5)):
        process = _living_postmaster(data)
        if process is None:
            return
        _tell(process, order)
        if _until(lambda: _living_postmaster(data) is None, patience):
            return
    raise EmbeddedDatabaseError(f"PostgreSQL in {embedded.cluster_folder(data)} does not stop.")


def _living_postmaster(data: Path) -> psutil.Process | None:
    """The process named by postmaster.pid, if it lives and really is the server of this folder."""
    cluster = embedded.cluster_folder(data)
    try:
        process = psutil.Process(int((cluster / "postmaster.pid").read_text().split("\n", 1)[0]))
        if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(cluster):
            return process
    except (OSError, ValueError, psutil.Error):
        pass
    return None


def _tell(process: psutil.Process, order: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):  # it ended by itself just now
        process.send_signal(order)


def _wait_for_a_living_server(data: Path) -> bool:
    """A server that is starting, recovering or stopping is given its time. False: there is none."""
    deadline = time.monotonic() + START_SECONDS
    while (process := _living_postmaster(data)) is not None:
        if embedded.is_running(data):
            return True
        if not (embedded.socket_folder(data) / f".s.PGSQL.{embedded.PORT}").exists() and _says_ready(data):
            _tell(process, signal.SIGINT)  # its socket was deleted: nobody can reach it any more
        if time.monotonic() > deadline:
            raise EmbeddedDatabaseError(
                f"PostgreSQL (process {process.pid}) does not answer for {START_SECONDS} s.\n"
                + _last_words(data)
            )
        time.sleep(0.1)
    return False


def _says_ready(data: Path) -> bool:
    try:
        return "\nready" in (embedded.cluster_folder(data) / "postmaster.pid").read_text()
    except OSError:
        return False


def _clear_the_remains(data: Path) -> None:
    """After a kill or a reboot: end orphaned server processes of this folder, remove its stale locks."""
    cluster = embedded.cluster_folder(data)
    for process in psutil.process_iter(["name"]):
        try:
            if process.info["name"] == "postgres" and process.cwd() == str(cluster):
                process.kill()
        except psutil.Error:
            continue
    sockets = embedded.socket_folder(data)
    name = f".s.PGSQL.{embedded.PORT}"
    for path in (cluster / "postmaster.pid", sockets / name, sockets / f"{name}.lock"):
        path.unlink(missing_ok=True)


def _launch(data: Path, account: Account, *, durable: bool) -> None:
    cluster, sockets = embedded.cluster_folder(data), embedded.socket_folder(data)
    if sockets != cluster:
        _make_private_folder(sockets, account)
    settings = SETTINGS | ({} if durable else FAST_AND_UNSAFE)
    quoted = str(sockets).replace('"', '""')
    settings = settings | {"unix_socket_directories": f'"{quoted}"', "unix_socket_permissions": "0700"}
    command = [str(binaries() / "postgres"), "-D", str(cluster)]
    command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    log = data / "log" / "postgres.log"
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    lock = os.open(data / "run" / "postmaster.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _until(lambda: _lock(lock), 15):
            raise EmbeddedDatabaseError(
                f"Another PostgreSQL, perhaps in another container, uses {cluster}: stop that one first."
            )
        with log.open("ab") as output:
            # The shell leaves at once: the server is nobody's child and may outlive this command.
            subprocess.run(
                ["/bin/sh", "-c", '"$0" "$@" &', *command],
                **run_as(account),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[lock],
                start_new_session=True,
                check=True,
            )
    finally:
        os.close(lock)
    _await_ready(data)


def _await_ready(data: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    begun = time.monotonic()
    while not embedded.is_running(data):
        gone = time.monotonic() > begun + 5 and _living_postmaster(data) is None
        if gone or time.monotonic() > deadline:
            raise EmbeddedDatabaseError(f"PostgreSQL did not start.\n{_last_words(data)}")
        time.sleep(0.05)


def _make_private_folder(folder: Path, account: Account) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.geteuid(), account.uid):
        raise EmbeddedDatabaseError(
            f"{folder} belongs to somebody else: choose a data folder with a shorter path."
        )
    folder.chmod(0o700)
    if account.switch:
        os.chown(folder, account.uid, account.gid)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _last_words(data: Path) -> str:
    log = data / "log" / "postgres.log"
    lines = log.read_text(errors="replace").splitlines()[-15:] if log.exists() else []
    return "\n".join([f"The end of {log}:", *lines])


def _prepare_database(data: Path) -> None:
    """Create the database and the message queue in it; both only once."""
    connection = embedded.connection_settings(data)
    with psycopg.connect(embedded.conninfo(connection | {"NAME": "postgres"}), autocommit=True) as server:
        known = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [embedded.DATABASE]).fetchone()
        if known is None:
            server.execute(f"CREATE DATABASE {embedded.DATABASE}")
    queue.install(embedded.conninfo(connection))
