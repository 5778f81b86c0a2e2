"""The debates with real votes, which no test may need: without them the tests on them are skipped."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
CONVERTER = Path(os.environ.get("LAUREL_SHARED_DATA", BESIDE)) / "ukpconvarg1" / "to_laurel.py"

needs_debates = pytest.mark.skipif(
    not CONVERTER.exists(), reason=f"no debates at {CONVERTER}; see LAUREL_SHARED_DATA"
)


def write_debates(path: Path, *arguments: str) -> Path:
    with path.open("wb") as out:
        subprocess.run([sys.executable, CONVERTER, *arguments], stdout=out, check=True)
    return path
