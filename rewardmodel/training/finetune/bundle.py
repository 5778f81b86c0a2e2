"""A fine-tuned ensemble on disk, and the rewards it gives.

ENSEMBLE/ensemble.json        what it is: backbone, template, temperature, the hash of every other file
ENSEMBLE/tokenizer/           with its chat template and pad token
ENSEMBLE/ood.safetensors      what the hidden states of training responses look like
ENSEMBLE/member0/ …           a PEFT adapter, or a whole AutoModelForSequenceClassification; safetensors
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import nn

from rewardmodel.evaluation.out_of_distribution import Reference
from rewardmodel.training import encoder, files
from rewardmodel.training.data import Responses
from rewardmodel.training.failure import BackboneError, EnsembleError
from rewardmodel.training.finetune import backbone, batches, members, texts
from rewardmodel.training.report import assessment

FORMAT = "laurel-ensemble-finetuned/1"
OOD = "ood.safetensors"
TOKENS_PER_PASS = 16_384

Report = Callable[[int, int], None]
Kept = dict[int | str, Any]  # loaded models by member, with LoRA all of them are one; and the tokenizer


@dataclass(frozen=True)
class Finetuned:
    """K members. Probabilities of a pair: pair.probabilities(d / temperature, tau), d of the mean rewards.

    To what a member says of a response, length · (log(1 + characters) - centre) is added: see
    evaluation/blend.py.
    """

    folder: Path
    backbone: str
    backbone_revision: str  # SHA-256 over its files
    backbone_commit: str | None
    method: str
    size: int
    template: str
    max_length: int
    temperature: float
    tau: float
    criterion: str
    snapshot_sha256: str
    length: float = 0.0
    centre: float = 0.0
    reference: Reference | None = None

    @property
    def criteria(self) -> tuple[Finetuned, ...]:
        """One, with its tie parameter `tau`, as other ensembles have one or more."""
        return (self,)


def save(ensemble: Finetuned) -> None:
    """Write ensemble.json over the members and the tokenizer that are in the folder, with their hashes."""
    if ensemble.reference is not None:
        ensemble.reference.save(ensemble.folder / OOD)
    described = {key: value for key, value in vars(ensemble).items() if key not in ("folder", "reference")}
    files.write_json(
        ensemble.folder / "ensemble.json",
        {"format": FORMAT, "heads": ensemble.size, **described, "files": _hashes(ensemble.folder)},
    )


def load(folder: Path) -> Finetuned:
    """Read and check an ensemble folder. Raises EnsembleError naming what is wrong."""
    try:
        described = json.loads((folder / "ensemble.json").read_text(encoding="utf-8"))
        if described.pop("format") != FORMAT:
            raise EnsembleError(f"{folder} is not of the format {FORMAT}.")
        described.pop("heads")  # the size again, as other formats call it
        expected, found = described.pop("files"), _hashes(folder)
        reference = Reference.load(folder / OOD) if OOD in expected else None
        ensemble = Finetuned(folder=folder, reference=reference, **described)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise EnsembleError(
            f"{folder} does not hold a readable ensemble ({type(error).__name__}: {error})."
        ) from None
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise EnsembleError(f"{name} in {folder} is not the file ensemble.json was written for.")
    return ensemble


def _hashes(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "ensemble.json")
    return {
        path.relative_to(folder).as_posix(): files.sha256(path)
        for path in paths
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


@dataclass(frozen=True)
class Rewards:
    """Rows in the order of the responses asked for."""

    rewards: np.ndarray  # (n, K) float32, before temperature, blended with length
    hidden: np.ndarray  # (n, h) float32, last hidden state at the last token, mean over the members
    cut: int  # responses longer than max_length, of which the end was read
    distance: np.ndarray | None = None  # (n,) of the hidden states from those of training responses
    flagged: np.ndarray | None = None  # (n,) bool: out of distribution


def score(
    ensemble: Finetuned,
    responses: Responses,
    rows: np.ndarray | None = None,
    *,
    report: Report = lambda done, total: None,
    on: backbone.Device | None = None,
    kept: Kept | None = None,
) -> Rewards:
    """Rewards of the responses at `rows` (all). Raises EnsembleError when the backbone has changed.

    kept: an empty dictionary at first, in which the weights stay for the next call.
    """
    on = on or backbone.device("auto")
    tokenizer = (kept or {}).get("tokenizer") or load_tokenizer(ensemble)
    if kept is not None:
        kept["tokenizer"] = tokenizer
    wanted = np.arange(len(responses.ids)) if rows is None else rows
    whole = texts.tokenise(tokenizer, ensemble.template, responses, wanted.tolist())
    sequences = [texts.cut(ids, ensemble.max_length, tokenizer.bos_token_id) for ids in whole]
    length = np.array([len(ids) for ids in sequences], dtype=np.int64)
    parts = list(batches.chunks(np.arange(len(wanted)), length, TOKENS_PER_PASS)) if len(wanted) else []
    rewards = np.empty((len(wanted), ensemble.size), dtype=np.float32)
    hidden: np.ndarray | None = None
    done = 0
    for number, model in enumerate(_models(ensemble, tokenizer.pad_token_id, on, kept)):
        for part in parts:
            with torch.inference_mode():
                ids, mask = backbone.pad([sequences[row] for row in part], tokenizer.pad_token_id)
                pooled = backbone.pooled(model, ids, mask, on)
                rewards[part, number] = backbone.head(model)(pooled).squeeze(-1).cpu().numpy()
            hidden = np.zeros((len(wanted), pooled.shape[1]), dtype=np.float32) if hidden is None else hidden
            hidden[part] += pooled.cpu().numpy() / ensemble.size
            done += len(part)
            report(done, len(wanted) * ensemble.size)
    cut = sum(len(ids) > ensemble.max_length for ids in whole)
    rewards += by_length(ensemble, responses, wanted)[:, None]
    if hidden is None:
        return Rewards(rewards, np.zeros((0, 1), dtype=np.float32), cut)
    if ensemble.reference is None:
        return Rewards(rewards, hidden, cut)
    distance = ensemble.reference.distance(hidden)
    return Rewards(rewards, hidden, cut, distance, ensemble.reference.flag(distance))


def by_length(ensemble: Finetuned, responses: Responses, rows: np.ndarray) -> np.ndarray:
    """(n,) float32: what is added to every member's reward."""
    logs = assessment.log_lengths([responses.texts[row] for row in rows])
    return np.asarray(ensemble.length * (logs - ensemble.centre), dtype=np.float32)


def load_tokenizer(ensemble: Finetuned) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(ensemble.folder / "tokenizer", **backbone.OPTIONS)


def merged(ensemble: Finetuned, member: int | None) -> Any:
    """One member as a plain AutoModelForSequenceClassification(num_labels=1), float32 on the CPU.

    None: the mean of all members' weights (Wortsman et al. 2022, "Model soups"), one model where the ensemble
    is K; its rewards are near the ensemble's mean, not equal to it. Neither has what is added for length.
    """
    if member is not None and not 0 <= member < ensemble.size:
        raise EnsembleError(f"There is no member {member}: the ensemble has {ensemble.size}.")
    if member is not None:
        return _merged(ensemble, member)
    first = _merged(ensemble, 0)
    mean = {name: value / ensemble.size for name, value in first.state_dict().items()}
    for other in range(1, ensemble.size):
        for name, value in _merged(ensemble, other).state_dict().items():
            mean[name] += value / ensemble.size
    first.load_state_dict(mean)
    return first


def _merged(ensemble: Finetuned, member: int) -> Any:
    on = backbone.Device(torch.device("cpu"), torch.float32)
    pad_id = load_tokenizer(ensemble).pad_token_id
    if ensemble.method == "full":
        return _full(ensemble, member, pad_id).eval()
    model = _with_adapter(ensemble, _backbone(ensemble, pad_id, on), member)
    return model.merge_and_unload().eval()


def _models(ensemble: Finetuned, pad_id: int, on: backbone.Device, kept: Kept | None) -> Iterator[nn.Module]:
    """The members, one after the other, ready to score."""
    loaded: Kept = {} if kept is None else kept
    for number in range(ensemble.size):
        if ensemble.method == "full":
            model = loaded.get(number) or _full(ensemble, number, pad_id)
            if kept is not None:
                kept[number] = model
        else:
            model = loaded.get(0) or _backbone(ensemble, pad_id, on)
            if members.name(number) not in getattr(model, "peft_config", ()):
                model = _with_adapter(ensemble, model, number)
            loaded[0] = model
            model.set_adapter(members.name(number), inference_mode=True)
        yield model.to(on.place).eval()


def _full(ensemble: Finetuned, member: int, pad_id: int) -> Any:
    folder = ensemble.folder / members.name(member)
    return backbone.network(encoder.Encoder(str(folder), folder, "", 1), pad_id, torch.float32)


def _backbone(ensemble: Finetuned, pad_id: int, on: backbone.Device) -> Any:
    found = backbone.locate(ensemble.backbone, ensemble.backbone_commit)
    if found.revision != ensemble.backbone_revision:
        raise EnsembleError(
            f"The backbone {ensemble.backbone} here has the revision {found.revision[:12]}, the ensemble was "
            f"trained on {ensemble.backbone_revision[:12]}. Train again, or bring that backbone back."
        )
    return backbone.network(found, pad_id, on.precision)


def _with_adapter(ensemble: Finetuned, model: Any, member: int) -> Any:
    """Put a member's adapter on the backbone, or beside those that are on it."""
    from peft import PeftModel

    folder, name = ensemble.folder / members.name(member), members.name(member)
    try:
        if not hasattr(model, "peft_config"):
            model.score.float()
            return PeftModel.from_pretrained(model, folder, adapter_name=name)
        model.load_adapter(folder, adapter_name=name)
    except (ValueError, RuntimeError) as error:
        raise BackboneError(f"The adapter in {folder} does not fit its backbone: {error}") from None
    return model
