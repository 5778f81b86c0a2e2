"""Writes a run's model card beside its metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rewardmodel.evaluation.model_card import FILE, Card, render
from rewardmodel.training import files


def write(run: Path, snapshot: Path, config: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    """RUN/MODEL_CARD.md, from what the run and its snapshot say; the registry adds to it for download."""
    manifest = json.loads((snapshot / "manifest.json").read_text(encoding="utf-8"))
    files.write_bytes(run / FILE, render(Card(config, metrics, manifest)).encode())
