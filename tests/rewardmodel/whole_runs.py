"""A snapshot, its settings, and the command that trains on them: plain functions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rewardmodel.training import __main__ as command
from tests.rewardmodel.synthetic import write_encoder, write_snapshot


def prepare(folder: Path, *, prompts: int = 12, responses: int = 6, **settings: Any) -> tuple[Path, Path]:
    """A snapshot and a configuration file with the tiny encoder; returns their paths."""
    snapshot = write_snapshot(folder / "snapshot", prompts=prompts, responses=responses)
    tiny = write_encoder(folder / "encoder")
    path = folder / "settings.json"
    path.write_text(json.dumps({"encoder": str(tiny), "bootstrap": 200} | settings))
    return snapshot, path


def train(snapshot: Path, out: Path, settings: Path) -> int:
    return command.main(
        [str(snapshot), str(out), "--config", str(settings), "--cache", str(out.parent / "cache")]
    )


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found
