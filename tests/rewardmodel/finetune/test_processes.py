"""Processes that a launcher started know of one another, also without a GPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TOLD = """
from rewardmodel.training.finetune import processes
found = processes.join()
print(f"process {found.rank} of {found.count}", flush=True)
"""


@pytest.mark.slow
def test_two_processes_are_two(tmp_path: Path) -> None:
    program = tmp_path / "told.py"
    program.write_text(TOLD)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, program], env=environment, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split("\n"))[1:] == ["process 0 of 2", "process 1 of 2"]
