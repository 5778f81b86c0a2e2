"""The supervisor: what it does about deaths."""

import subprocess
import sys
from pathlib import Path

import pytest

from config.leftovers import leftovers
from config.processes import DEATHS_PER_MINUTE, Member
from tests.config.live import ROOT, clean_environment, running, wait_until

SUPERVISE = """
import os, sys
from pathlib import Path
from config.processes import Supervisor
data = Path(os.environ["LAUREL_DATA_DIR"])
sys.exit(Supervisor(Path(sys.argv[1]), data=data, environment=dict(os.environ), watch_database=False).run())
"""


def test_each_restart_waits_longer_and_the_sixth_death_in_a_minute_is_too_many():
    member = Member("web", "true", "31")
    delays = []
    for number in range(DEATHS_PER_MINUTE):
        assert member.died(now=100.0 + number)
        assert member.start_at is not None
        delays.append(member.start_at - (100.0 + number))
    assert delays == sorted(delays)
    assert len(set(delays)) == len(delays)
    assert not member.died(now=110.0)


def test_deaths_far_apart_are_forgiven():
    member = Member("web", "true", "31")
    assert all(member.died(now=100.0 + 61 * number) for number in range(20))
    assert member.start_at == 100.0 + 61 * 19 + 0.5


def supervise(folder: Path, procfile: str) -> subprocess.Popen[str]:
    (folder / "Procfile").write_text(procfile)
    return subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, str(folder / "Procfile")],
        env=clean_environment(folder),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
def test_children_with_a_session_of_their_own_are_ended_too(tmp_path: Path):
    nested = f"{sys.executable} -c \"import subprocess as s; s.run(['setsid', 'sleep', '300'])\""
    process = supervise(tmp_path, f"web: exec sleep 300\ntrainer: {nested}\n")
    wait_until(lambda: len(running(leftovers(tmp_path), "sleep")) == 2, 20, "both sleepers")
    process.terminate()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert list(leftovers(tmp_path)) == []


@pytest.mark.slow
def test_a_killed_process_starts_again_without_its_old_children(tmp_path: Path):
    nested = f"{sys.executable} -c \"import subprocess as s; s.run(['setsid', 'sleep', '301'])\""
    process = supervise(tmp_path, f"trainer: exec {nested}\n")

    def sleeper() -> int | None:
        return next((found.pid for found in running(leftovers(tmp_path), "sleep", "301")), None)

    wait_until(sleeper, 20, "the sleeper")
    first = sleeper()
    running(leftovers(tmp_path), "-c")[0].kill()
    wait_until(lambda: sleeper() not in (None, first), 20, "another sleeper")
    assert first not in [p.pid for p in leftovers(tmp_path)]
    process.terminate()
    output, _ = process.communicate(timeout=60)
    assert "trainer was killed by SIGKILL; it starts again" in output


@pytest.mark.slow
def test_what_dies_again_and_again_stops_everything_with_its_last_words(tmp_path: Path):
    process = supervise(tmp_path, "web: exec sleep 300\nworker: echo no luck today; exit 3\n")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "worker ended with exit code 3, the 6th time within a minute" in output
    assert "    no luck today" in output.splitlines()[-1] or "    no luck today" in output
    assert list(leftovers(tmp_path)) == []
