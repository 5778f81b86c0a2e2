"""Any command may be the first one on an empty data folder, and leaves nothing running."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from config import embedded
from tests.config.live import ROOT, clean_environment


def laurel(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(
        command,
        env=clean_environment(data),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_a_first_command_makes_the_database_and_prints_its_result_alone(tmp_path):
    data = tmp_path / "data"
    first = laurel(data, "load_sample", "--json")
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["created"] is True
    assert "database tables" in first.stderr
    second = laurel(data, "load_sample", "--json")
    assert json.loads(second.stdout)["created"] is False
    assert "database tables" not in second.stderr
    assert not embedded.is_running(data)


@pytest.mark.slow
def test_a_command_on_a_missing_project_says_what_there_is(tmp_path):
    answer = laurel(tmp_path / "data", "agreement", "nowhere", "--json")
    assert answer.returncode == 1
    assert json.loads(answer.stdout)["error"].startswith("There is no project “nowhere”.")
