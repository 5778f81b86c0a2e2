"""The K members: LoRA adapters on one backbone, or full copies of it, each with its own initialisation.

PEFT freezes the new `score` head unless it is named in `modules_to_save`; here it always is, and `save`
checks that the file holds the weights that were trained.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from rewardmodel.training import encoder, files
from rewardmodel.training.failure import BackboneError, EnsembleError
from rewardmodel.training.finetune import backbone
from rewardmodel.training.finetune.backbone import Device
from rewardmodel.training.finetune.config import FinetuneConfig
from rewardmodel.training.finetune.objective import of_people

DESCRIPTION = "member.json"
ADAPTER = "adapter_model.safetensors"


@dataclass
class Member:
    """One member that is being trained, and its parameters of the likelihood: tie parameter, cut-points, …"""

    number: int
    model: nn.Module
    parameters: dict[str, nn.Parameter]  # (…, 1) each
    on: Device

    def trained(self) -> dict[str, nn.Parameter]:
        """What the optimiser moves, by name, in a fixed order."""
        weights = {name: value for name, value in self.model.named_parameters() if value.requires_grad}
        return {**dict(sorted(weights.items())), **self.parameters}


class Nursery:
    """Makes members one after the other; with LoRA they share the frozen weights."""

    def __init__(self, source: encoder.Encoder, config: FinetuneConfig, pad_id: int, on: Device) -> None:
        self.source, self.config, self.pad_id, self.on = source, config, pad_id, on
        self._shared: Any = None
        self._targets: list[str] = []

    def make(self, number: int, parameters: Mapping[str, Tensor]) -> Member:
        """Member `number` at its start: the same for the same seed. parameters: where those of the likelihood
        begin."""
        with torch.random.fork_rng(devices=[]):  # all that is drawn is drawn on the processor
            model = self._base(number)  # before the seed: what loading draws, not every member draws
            torch.manual_seed(1_000_003 * self.config.seed + number)
            model = self._adapted(model, number) if self.config.method == "lora" else model
            _initialise(backbone.head(model))
        model.to(self.on.place).train()
        if self.config.gradient_checkpointing:
            base: Any = backbone.unwrapped(model)
            base.activation_checkpointing_enable({"use_reentrant": False})
        own = {name: nn.Parameter(value.clone().to(self.on.place)) for name, value in parameters.items()}
        return Member(number, model, own, self.on)

    def close(self) -> None:
        """Let go of the weights that adapters share: no more members are made."""
        self._shared = None

    def _base(self, number: int) -> Any:
        """What member `number` is made of: a copy of the backbone, or the one that adapters share."""
        if self.config.method == "full":
            return self._load(torch.float32)
        if self._shared is None or name(number) in getattr(self._shared, "peft_config", ()):  # made again
            self._shared = self._load(self.on.precision)
            self._targets = _targets(self._shared, self.config.target_modules)
        return self._shared

    def _load(self, dtype: torch.dtype) -> Any:
        model = backbone.network(self.source, self.pad_id, dtype)
        backbone.check_length(model, self.config)
        model.score.float()
        return model

    def _adapted(self, shared: Any, number: int) -> Any:
        from peft import LoraConfig, TaskType, get_peft_model

        adapter = LoraConfig(
            task_type=TaskType.SEQ_CLS,
            r=self.config.r,
            lora_alpha=self.config.alpha,
            target_modules=self._targets,
            modules_to_save=["score"],
        )
        try:
            if hasattr(shared, "peft_config"):
                shared.add_adapter(name(number), adapter)
            else:
                shared = get_peft_model(shared, adapter, adapter_name=name(number))
        except ValueError as error:
            raise BackboneError(f"LoRA cannot be put on this backbone: {error}") from None
        shared.set_adapter(name(number))
        self._shared = shared
        return shared


def _targets(model: nn.Module, asked: str) -> list[str]:
    """Names of the layers that get an adapter. PEFT's own "all-linear" would take the reward heads of the
    members before for layers of the backbone."""
    from transformers.pytorch_utils import Conv1D

    if asked != "all-linear":
        return [part.strip() for part in asked.split(",")]
    linear = (nn.Linear, Conv1D)  # GPT-2 calls its linear layers so
    found = {path for path, module in model.named_modules() if isinstance(module, linear)}
    return sorted(found - {"score"})


def name(number: int) -> str:
    return f"member{number}"


def _initialise(head: nn.Module) -> None:
    """Normal with standard deviation 1/√(h + 1): rewards of about unit size (Stiennon et al. 2020)."""
    (weight,) = (value for value in head.parameters() if value.requires_grad)
    with torch.no_grad():
        weight.copy_(torch.empty(weight.shape).normal_(std=1 / math.sqrt(weight.shape[-1] + 1)))


def save(member: Member, folder: Path, description: dict[str, Any]) -> None:
    """Write the member's folder atomically: adapter or whole model as safetensors, and member.json."""

    def fill(part: Path) -> None:
        model: Any = member.model
        if hasattr(model, "peft_config"):
            model.save_pretrained(part, selected_adapters=[name(member.number)], save_embedding_layers=False)
            for path in (part / name(member.number)).iterdir():
                path.replace(part / path.name)
            (part / name(member.number)).rmdir()
            (part / "README.md").unlink(missing_ok=True)
            _in_order(part / "adapter_config.json")
        else:
            model.save_pretrained(part)
        _check_head(member, part)
        files.write_json(part / DESCRIPTION, {**description, "parameters": _handed_on(member)})

    files.write_folder(folder, fill)


def _handed_on(member: Member) -> dict[str, list[float]]:
    """Tie parameter, thresholds and cut-points; not the annotators' own scales, which no score needs."""
    kept = {name: value for name, value in sorted(member.parameters.items()) if not of_people(name)}
    return {name: value.detach().squeeze(-1).reshape(-1).tolist() for name, value in kept.items()}


def _in_order(path: Path) -> None:
    """PEFT writes sets of module names in the order of their hashes, another one in every process."""
    config = json.loads(path.read_text(encoding="utf-8"))
    for key in ("target_modules", "modules_to_save"):
        config[key] = sorted(set(config[key]))
    path.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def _check_head(member: Member, folder: Path) -> None:
    """The head on disk is the head that was trained."""
    heads = []
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as held:  # not all of it: in full training it is the whole model
            names = held.keys()
            heads += [held.get_tensor(name) for name in names if name.endswith("score.weight")]
    (mine,) = (value for value in backbone.head(member.model).parameters() if value.requires_grad)
    if len(heads) != 1 or not torch.equal(heads[0].float(), mine.detach().cpu()):
        raise EnsembleError(f"The reward head of member {member.number} was not saved as it was trained.")
