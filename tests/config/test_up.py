"""One real Laurel: starts, refuses a second, survives kills, stops without a trace."""

import os
import signal
from pathlib import Path

import pytest

from config import embedded
from config.leftovers import leftovers
from tests.config.live import laurel_up, python, run, wait_until
from tests.config.test_embedded import nothing_lives_in

pytestmark = pytest.mark.slow


def test_it_starts_and_refuses_a_second_and_stops_cleanly(tmp_path: Path):
    data = tmp_path / "data"
    with laurel_up(data, "--no-sample") as live:
        wait_until(lambda: "Laurel is ready" in live.log.read_text(), 20, "the address on the screen")
        assert f"http://localhost:{live.port}/" in live.log.read_text()
        assert live.status() | {"seconds": 0} == {
            "running": True,
            "ready": True,
            "address": f"http://localhost:{live.port}/",
            "pid": live.process.pid,
            "seconds": 0,
            "database": True,
            "data": str(data),
        }
        second = run(data, "up")
        assert second.returncode == 1
        assert f"already runs on {data} at http://localhost:{live.port}/" in second.stderr
        taken = run(tmp_path / "other", "up", "--port", str(live.port))
        assert taken.returncode == 1
        assert f"cannot listen on 127.0.0.1 port {live.port}" in taken.stderr
        assert not (tmp_path / "other" / "postgres").exists()
        beside = python(
            data,
            "import sys; sys.path.insert(0, '.'); import manage; manage.main(['', 'migrate', '--check'])",
        )
        assert beside.returncode == 0, beside.stderr
        assert live.code() == 200
        assert live.stop(signal.SIGINT) == 0
    assert list(leftovers(data)) == []
    assert nothing_lives_in(data)
    assert run(data, "status").returncode == 3
    assert run(data, "down").returncode == 0


def test_what_is_killed_comes_back(tmp_path: Path):
    data = tmp_path / "data"
    with laurel_up(data, "--no-sample") as live:
        wait_until(lambda: live.head("light") and live.head("training"), 20, "the workers")
        for word in ("light", "training"):
            old = live.head(word)
            assert old is not None
            old.kill()
            wait_until(lambda: (now := live.head(word)) and now.pid != old.pid, 15, f"another {word} worker")  # noqa: B023
        server = live.postmaster()
        os.kill(server, signal.SIGKILL)
        wait_until(
            lambda: embedded.is_running(data) and live.postmaster() != server, 15, "another PostgreSQL"
        )
        wait_until(lambda: live.code() == 200, 15, "an answer again")
        web = live.head("config.wsgi")
        assert web is not None
        web.kill()
        wait_until(lambda: (now := live.head("config.wsgi")) and now.pid != web.pid, 15, "another web server")
        wait_until(lambda: live.code() == 200, 15, "an answer again")
        assert live.stop() == 0
    assert list(leftovers(data)) == []
    assert nothing_lives_in(data)


def test_after_kill_9_of_the_supervisor_the_next_up_takes_over(tmp_path: Path):
    data = tmp_path / "data"
    with laurel_up(data, "--no-sample") as live:
        live.process.kill()
        live.process.wait()
        orphans = {process.pid for process in leftovers(data)}
        assert orphans
        assert run(data, "status").returncode == 3
    with laurel_up(data, "--no-sample") as live:
        assert "that a killed Laurel had left behind" in live.log.read_text()
        assert not orphans & {process.pid for process in leftovers(data)}
    assert list(leftovers(data)) == []
    assert nothing_lives_in(data)


def test_detached_it_goes_on_until_down(tmp_path: Path):
    from tests.config.live import free_port

    data = tmp_path / "data"
    port = free_port()
    started = run(data, "up", "--no-sample", "--detach", "--port", str(port))
    assert started.returncode == 0, started.stderr
    assert f"http://localhost:{port}/" in started.stdout
    assert "./laurel down" in started.stdout
    assert run(data, "status").returncode == 0
    assert "is stopped" in run(data, "down").stdout
    assert list(leftovers(data)) == []
    assert nothing_lives_in(data)
