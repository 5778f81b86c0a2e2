"""A snapshot, a tiny backbone and settings for fine-tuning tests: plain functions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rewardmodel.training import __main__ as command
from rewardmodel.training import config
from rewardmodel.training.finetune.config import FinetuneConfig
from tests.rewardmodel.synthetic import write_backbone, write_snapshot

SETTINGS: dict[str, Any] = {
    "tier": "finetune",
    "members": 2,
    "max_length": 64,
    "learning_rate": 3e-3,
    "effective_batch": 20,
    "checkpoint_every": 5,
    "bootstrap": 100,
}


def prepare(
    folder: Path, *, prompts: int = 12, responses: int = 4, pad: str | None = "<pad>", **settings: Any
) -> tuple[Path, Path]:
    """Paths of a snapshot and of a configuration file."""
    snapshot = write_snapshot(folder / "snapshot", prompts=prompts, responses=responses)
    backbone = write_backbone(folder / "backbone", pad=pad)
    path = folder / "settings.json"
    path.write_text(json.dumps(SETTINGS | {"backbone": str(backbone)} | settings))
    return snapshot, path


def settings(path: Path) -> FinetuneConfig:
    found = config.from_json(path)
    assert isinstance(found, FinetuneConfig)
    return found


def train(snapshot: Path, out: Path, path: Path) -> int:
    return command.main([str(snapshot), str(out), "--config", str(path)])


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found
