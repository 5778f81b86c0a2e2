"""RUN/checkpoint/memberK-stepS/: a killed run goes on from the newest good one, to exactly the same weights.

Weights and both of Adam's moments are in state.safetensors. The order of the pairs follows from seed, member
and epoch, dropout is off: so the step is the position of the sampler, and nothing random has a state.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from rewardmodel.training import files

KEPT = 2  # a damaged newest one costs one interval


@dataclass(frozen=True)
class Saved:
    step: int
    tensors: dict[str, Tensor]
    curve: list[dict[str, float]]


def write(
    folder: Path,
    member: int,
    step: int,
    tensors: Mapping[str, Tensor],
    curve: list[dict[str, float]],
    run: str,
) -> None:
    """Add a checkpoint, then drop the older ones. run: fingerprint of configuration and data."""

    def fill(part: Path) -> None:
        save_file(
            {key: value.detach().cpu().contiguous() for key, value in tensors.items()},
            part / "state.safetensors",
        )
        digest = files.sha256(part / "state.safetensors")
        files.write_json(part / "state.json", {"step": step, "sha256": digest, "run": run, "curve": curve})

    files.write_folder(folder / f"member{member}-step{step:08}", fill)
    for old in _found(folder, member)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def newest(folder: Path, member: int, run: str) -> Saved | None:
    """The newest checkpoint of this member that is whole and of this very run; None when there is none."""
    for path in _found(folder, member):
        try:
            described = json.loads((path / "state.json").read_text(encoding="utf-8"))
            whole = files.sha256(path / "state.safetensors") == described["sha256"]
            if described["run"] == run and whole:
                return Saved(
                    int(described["step"]), load_file(path / "state.safetensors"), described["curve"]
                )
        except (OSError, ValueError, KeyError, SafetensorError):
            continue
    return None


def clear(folder: Path) -> None:
    """Remove all checkpoints and what a kill left of one being written."""
    shutil.rmtree(folder, ignore_errors=True)


def _found(folder: Path, member: int) -> list[Path]:
    return sorted(folder.glob(f"member{member}-step*"), reverse=True)
