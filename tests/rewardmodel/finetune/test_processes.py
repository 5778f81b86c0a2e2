"""Processes that a launcher started know of one another, also without a GPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TOLD = """
import sys
from pathlib import Path
from rewardmodel.training.finetune import processes
found = processes.join()
Path(sys.argv[1], str(found.rank)).write_text(f"process {found.rank} of {found.count}")
"""


@pytest.mark.slow
def test_two_processes_are_two(tmp_path: Path) -> None:
    program = tmp_path / "told.py"
    program.write_text(TOLD)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    (tmp_path / "said").mkdir()
    subprocess.run([*command, program, tmp_path / "said"], env=environment, check=True)
    assert [path.read_text() for path in sorted((tmp_path / "said").iterdir())] == [
        "process 0 of 2",
        "process 1 of 2",
    ]
