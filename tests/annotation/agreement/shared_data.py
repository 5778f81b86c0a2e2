"""Where the shared data lie, which no test may need: without them the tests on them are skipped."""

import os
from pathlib import Path

import pytest


def shared_file(name: str) -> Path:
    """The file in LAUREL_SHARED_DATA or ../shared/data beside the repository; skips without it."""
    beside = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"
    path = Path(os.environ.get("LAUREL_SHARED_DATA", beside)) / name
    if not path.exists():
        pytest.skip(f"{name} is not in the shared data folder (set LAUREL_SHARED_DATA)")
    return path
