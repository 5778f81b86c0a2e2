"""Begin where the ensemble in use ended, and still stop each head by prompts it never learned from.

A head is stopped by the prompts which its bootstrap left out. Begun at weights that had seen those prompts it
would look better on them than it is, and stop too late or at once. So a run keeps what each head drew, and
the run that begins there draws the same for every prompt it knows: head k goes on from head k, its left-out
prompts were left out before, and only new prompts are drawn anew. A prompt that is held out now and was
learned from then makes the run begin from nothing, and so does cross-fitting: its folds would have seen one
another. Where a linear head begins does not matter to where it ends, for its objective is convex.

ENSEMBLE/start-CRITERION.safetensors holds the draws and the weights as the fit left them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from rewardmodel.training import files, heads
from rewardmodel.training.config import TrainingConfig
from rewardmodel.training.features import SURFACE, Standardisation

KEPT = ("linear", "inner", "offset", "outer", "tau")  # people's own cut-points begin anew
KEY_BYTES = 8
GENTLE = 0.4  # of the learning rate: Adam's first steps are as long as it, however small the slope


@dataclass(frozen=True)
class Layout:
    """What a weight multiplies."""

    encoder_revision: str
    standardisation: Standardisation

    @property
    def digest(self) -> str:
        return hashlib.sha256(f"{self.encoder_revision}\n{SURFACE}".encode()).hexdigest()


@dataclass(frozen=True)
class Beginning:
    """Where a fit begins, and in words where that comes from."""

    parameters: heads.Parameters
    draws: heads.Bootstrap
    warm: bool = False
    words: str = "nothing"
    digest: str = ""  # of the file begun from


class _Cold(Exception):
    """Why a run cannot begin at another's end."""


def save(
    folder: Path,
    criterion: str,
    layout: Layout,
    prompts: Sequence[str],
    inside: Tensor,
    parameters: Mapping[str, Tensor],
) -> None:
    """Keep what each of the first K heads drew, inside (P, K), and its weights before anything is added."""
    shared = {name: value for name, value in parameters.items() if name in KEPT}
    kept = heads.select(shared, range(inside.shape[1]))
    tensors = {f"heads.{name}": value.contiguous() for name, value in kept.items()}
    tensors |= {"prompts": _keys(prompts), "drawn": inside.to(torch.uint8).contiguous()}
    tensors["mean"] = torch.tensor(layout.standardisation.mean)
    tensors["scale"] = torch.tensor(layout.standardisation.scale)
    files.write_bytes(_path(folder, criterion), save_tensors(tensors, {"layout": layout.digest}))


def begin(
    folder: Path,
    criterion: str,
    layout: Layout,
    prompts: Sequence[str],
    held_out: Sequence[np.ndarray],
    cold: Beginning,
) -> Beginning:
    """The parameters and draws of `cold`, replaced by those of the ensemble in `folder` where they fit.

    prompts: ids of the P prompts; held_out: for each group (P,) bool. Where they do not fit, `cold` with the
    reason in words.
    """
    try:
        if len(held_out) > 1:
            raise _Cold("with few prompts the run is cross-fitted, and every fold begins from nothing")
        tensors, digest = _read(_path(folder, criterion), layout)
        inside = _drawn(tensors, prompts, held_out[0], cold.draws)
        parameters = _moved(tensors, layout.standardisation, cold.parameters)
    except _Cold as reason:
        return replace(cold, words=f"nothing: {reason}")
    known = int((torch.isin(_packed(_keys(prompts)), _packed(tensors["prompts"]))).sum())
    outside = torch.where(torch.from_numpy(held_out[0])[:, None], 0.0, (inside == 0).float())
    if not bool(((inside.sum(0) > 0) & (outside.sum(0) > 0)).all()):
        return replace(cold, words="nothing: a head would have no prompts to learn from or to stop by")
    words = f"the ensemble in use, which knew {known} of {len(prompts)} prompts"
    return Beginning(parameters, heads.Bootstrap(inside, outside), True, words, digest)


def gentle(config: TrainingConfig) -> TrainingConfig:
    """For a fit that begins near its end: shorter steps, and half the patience."""
    return replace(config, learning_rate=GENTLE * config.learning_rate, patience=max(1, config.patience // 2))


def _read(path: Path, layout: Layout) -> tuple[dict[str, Tensor], str]:
    try:
        content = path.read_bytes()
        tensors = load_tensors(content)
        header = int.from_bytes(content[:8], "little")
        found = layout.digest.encode() in content[8 : 8 + header]
    except (OSError, SafetensorError):
        raise _Cold("the ensemble in use has not kept where it ended") from None
    if not found:
        raise _Cold("the ensemble in use has another encoder or other features")
    return tensors, hashlib.sha256(content).hexdigest()


def _drawn(
    tensors: Mapping[str, Tensor], prompts: Sequence[str], held_out: np.ndarray, fresh: heads.Bootstrap
) -> Tensor:
    """The draw (P, K) of known prompts as it was, of all others as it is."""
    drawn = tensors["drawn"].float()
    if drawn.shape[1] != fresh.inside.shape[1]:
        raise _Cold(f"the ensemble in use has {drawn.shape[1]} heads")
    before = {key: row for row, key in enumerate(_packed(tensors["prompts"]).tolist())}
    rows = torch.tensor([before.get(key, -1) for key in _packed(_keys(prompts)).tolist()], dtype=torch.long)
    learned = (rows >= 0) & drawn.any(dim=1)[rows]
    seen = int((learned & torch.from_numpy(held_out)).sum())
    if seen:
        raise _Cold(f"{seen} prompts that are held out now were learned from by the ensemble in use")
    return torch.where(learned[:, None], drawn[rows], fresh.inside)


def _moved(
    tensors: Mapping[str, Tensor], standardisation: Standardisation, cold: heads.Parameters
) -> heads.Parameters:
    """Weights for features that are standardised anew: w · (x - m) s = w' · (x - m') s' + constant."""
    old = {n.removeprefix("heads."): value for n, value in tensors.items() if n.startswith("heads.")}
    if set(old) - {"tau"} != set(cold) & (set(KEPT) - {"tau"}) or any(
        old[name].shape != cold[name].shape for name in old
    ):
        raise _Cold("its heads are of another shape")
    scale = torch.tensor(standardisation.scale)
    ratio = torch.where(scale > 0, tensors["scale"] / scale.clamp_min(1e-30), 0.0)[:, None]
    moved = dict(old)
    for name in ("linear", "inner"):
        if name in old:
            moved[name] = (old[name] * ratio).float()
    if "offset" in old:
        shift = (torch.tensor(standardisation.mean) - tensors["mean"]) * tensors["scale"]
        moved["offset"] = (old["offset"] + shift @ old["inner"].double()).float()
    return {**cold, **moved}


def _path(folder: Path, criterion: str) -> Path:
    return folder / f"start-{hashlib.sha256(criterion.encode()).hexdigest()[:16]}.safetensors"


def _keys(prompts: Sequence[str]) -> Tensor:
    """(P, 8) bytes that stand for the ids."""
    digests = b"".join(hashlib.sha256(prompt.encode()).digest()[:KEY_BYTES] for prompt in prompts)
    return torch.tensor(np.frombuffer(digests, dtype=np.uint8).reshape(-1, KEY_BYTES).copy())


def _packed(keys: Tensor) -> Tensor:
    return keys.contiguous().view(torch.int64).reshape(-1)
