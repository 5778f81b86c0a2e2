"""The embedded PostgreSQL starts from any state it was left in, and stops with its last user."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from config import cluster, embedded
from tests.config.live import ROOT, clean_environment, wait_until

USE = """
import sys, time
from pathlib import Path
from config import embedded
print(embedded.ensure_running(Path(sys.argv[1]), durable=False), flush=True)
sys.stdin.readline()
"""


def user_of(data: Path) -> subprocess.Popen[str]:
    """A process that uses the server until it is told to leave; returns when the server is up."""
    process = subprocess.Popen(
        [sys.executable, "-c", USE, str(data)],
        env=clean_environment(data),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "dbname='laurel'" in line
    return process


def leave(process: subprocess.Popen[str]) -> None:
    process.communicate("\n", timeout=60)
    assert process.returncode == 0


def postmaster(data: Path) -> int:
    return int((data / "postgres" / "postmaster.pid").read_text().split()[0])


def ask(data: Path, sql: str) -> object:
    with psycopg.connect(embedded.conninfo(embedded.connection_settings(data))) as connection:
        row = connection.execute(sql).fetchone()
        return row[0] if row else None


def nothing_lives_in(data: Path) -> bool:
    for process in psutil.process_iter(["name"]):
        try:
            if process.info["name"] == "postgres" and process.cwd() == str(data / "postgres"):
                return False
        except psutil.Error:
            continue
    return True


@pytest.fixture
def data(tmp_path: Path):
    folder = tmp_path / "data"
    yield folder
    if embedded.is_running(folder):
        leave(user_of(folder))
    assert nothing_lives_in(folder)


def test_settings_are_known_before_the_server_runs(tmp_path: Path):
    assert embedded.connection_settings(tmp_path)["HOST"] == str(tmp_path / "postgres")
    far = tmp_path / ("deep" * 30)
    host = embedded.connection_settings(far)["HOST"]
    assert len(f"{host}/.s.PGSQL.5432") <= 107
    assert host != embedded.connection_settings(tmp_path / ("deeq" * 30))["HOST"]


def test_conninfo_quotes_what_needs_it(tmp_path: Path):
    strange = {
        "NAME": "la'u rel",
        "USER": "x",
        "PASSWORD": "a\\b'c",
        "HOST": "/a b",
        "PORT": "",
        "OPTIONS": {},
    }
    found = psycopg.conninfo.conninfo_to_dict(embedded.conninfo(strange))
    assert found == {"dbname": "la'u rel", "user": "x", "password": "a\\b'c", "host": "/a b"}


@pytest.mark.slow
def test_a_lone_command_starts_and_stops_it(data: Path):
    one = user_of(data)
    assert ask(data, "SHOW server_version_num").startswith("18")
    assert ask(data, "SHOW listen_addresses") == ""
    assert ask(data, "SELECT to_regclass('pgmq.meta')::text") == "pgmq.meta"
    assert ask(data, "SELECT lower('ÄÖ') || upper('ß')") == "äöSS" or ask(data, "SELECT lower('ÄÖ')") == "äö"
    leave(one)
    assert not embedded.is_running(data)
    assert nothing_lives_in(data)


@pytest.mark.slow
def test_the_last_user_stops_it(data: Path):
    one, two = user_of(data), user_of(data)
    server = postmaster(data)
    leave(one)
    assert embedded.is_running(data)
    assert postmaster(data) == server
    leave(two)
    assert not embedded.is_running(data)


@pytest.mark.slow
def test_a_killed_user_does_not_hold_it(data: Path):
    one, two = user_of(data), user_of(data)
    one.kill()
    one.wait()
    leave(two)
    assert not embedded.is_running(data)


@pytest.mark.slow
def test_two_that_start_at_once_share_one_server(data: Path):
    commands = [
        subprocess.Popen(
            [sys.executable, "-c", USE, str(data)],
            env=clean_environment(data),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    lines = [process.stdout.readline() for process in commands]  # type: ignore[union-attr]
    assert len(set(lines)) == 1
    assert "dbname='laurel'" in lines[0]
    assert ask(data, "SELECT 1") == 1
    for process in commands:
        leave(process)
    assert not embedded.is_running(data)


@pytest.mark.slow
def test_it_heals_after_kill_9_of_the_server(data: Path):
    one = user_of(data)
    with psycopg.connect(
        embedded.conninfo(embedded.connection_settings(data)), autocommit=True
    ) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        connection.execute("CHECKPOINT")
    os.kill(postmaster(data), signal.SIGKILL)
    two = user_of(data)
    assert ask(data, "SELECT count(*) FROM kept") == 1000
    leave(one)
    leave(two)


@pytest.mark.slow
def test_it_heals_after_a_reboot_gave_its_number_to_another_process(data: Path):
    leave(user_of(data))
    cluster = data / "postgres"
    owner = cluster.stat().st_uid  # the kind of process that PostgreSQL itself would take for a server
    stranger = subprocess.Popen(["sleep", "60"], user=owner if os.geteuid() == 0 else None)
    written = f"{stranger.pid}\n{cluster}\n{int(time.time())}\n5432\n{cluster}\n\n 1 1\nready   \n"
    for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
        (cluster / name).write_text(written)
    try:
        one = user_of(data)
        assert ask(data, "SELECT 1") == 1
        assert stranger.poll() is None
        leave(one)
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.slow
def test_a_path_too_long_for_a_socket_works(tmp_path: Path):
    far = tmp_path / ("deep" * 30) / "data's, place"
    one = user_of(far)
    assert ask(far, "SELECT 1") == 1
    leave(one)
    assert not embedded.is_running(far)


@pytest.mark.slow
def test_an_interrupted_creation_is_made_again(data: Path):
    embedded.make_data_folder(data)
    (data / "postgres.new").mkdir()
    (data / "postgres.new" / "PG_VERSION").write_text("18\n")
    one = user_of(data)
    assert ask(data, "SELECT 1") == 1
    assert not (data / "postgres.new").exists()
    leave(one)


@pytest.mark.slow
def test_a_lost_socket_is_noticed(data: Path):
    one = user_of(data)
    (data / "postgres" / ".s.PGSQL.5432").unlink()
    two = user_of(data)
    assert ask(data, "SELECT 1") == 1
    leave(one)
    leave(two)
    wait_until(lambda: nothing_lives_in(data), 5, "the server to be gone")


def test_several_processes_at_once_make_one_system_user(monkeypatch: pytest.MonkeyPatch) -> None:
    users: list[str] = []

    def look_up(name: str) -> str:
        if name not in users:
            raise KeyError(name)
        return name

    def add(command: list[str], check: bool) -> None:
        time.sleep(0.05)  # long enough for the others to look
        users.append(command[-1])

    monkeypatch.setattr(cluster.pwd, "getpwnam", look_up)
    monkeypatch.setattr(cluster.shutil, "which", lambda *_, **__: "/usr/sbin/useradd")
    monkeypatch.setattr(cluster.subprocess, "run", add)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: cluster._system_user(), range(4)))
    assert users == [cluster.SYSTEM_USER]
