"""RUN/checkpoint/state.safetensors: a killed run goes on from here, to exactly the same weights."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from rewardmodel.training import files
from rewardmodel.training.loop import State

GROUPS = ("parameters", "best", "first", "second")


def write(path: Path, state: State, curve: list[dict[str, float]], fingerprint: str) -> None:
    """Replace the checkpoint atomically. fingerprint: of configuration and data, checked by `read`."""
    tensors = {f"{group}.{name}": value for group in GROUPS for name, value in getattr(state, group).items()}
    tensors |= {"lowest": state.lowest, "stalled": state.stalled}
    header = {"step": str(state.step), "fingerprint": fingerprint, "curve": json.dumps(curve)}
    files.write_bytes(path, save({name: value.contiguous() for name, value in tensors.items()}, header))


def read(path: Path, fingerprint: str) -> tuple[State, list[dict[str, float]]] | None:
    """The saved state and curve; None when there is none, it is damaged, or it is of another run."""
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("fingerprint") != fingerprint:
                return None
            names: list[str] = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
            groups = {
                group: {
                    n.removeprefix(f"{group}."): v for n, v in tensors.items() if n.startswith(f"{group}.")
                }
                for group in GROUPS
            }
            state = State(
                lowest=tensors["lowest"], stalled=tensors["stalled"], step=int(header["step"]), **groups
            )
            return state, json.loads(header["curve"])
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
