"""How much memory a fine-tuning run will take, before it takes it.

Weights, gradients and Adam's two moments are counted. What a forward pass keeps for its backward is measured
on one and on two short sequences and grows with the tokens from there: so it is that of this very network,
whatever its layers, its precision and its adapters keep. With gradient checkpointing a pass keeps the input
of each layer, and while the backward is in a layer, all that this layer keeps without.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from rewardmodel.training.finetune.backbone import Device, pooled, unwrapped
from rewardmodel.training.finetune.config import FinetuneConfig

TRIED = 64  # tokens of a sequence on which is measured


@dataclass(frozen=True)
class Estimate:
    """Bytes."""

    parameters: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        return self.parameters + self.gradients + self.optimizer + self.activations

    def as_dict(self) -> dict[str, int]:
        return {**asdict(self), "total": self.total}


def estimate(model: nn.Module, config: FinetuneConfig, tokens: int, on: Device) -> Estimate:
    """tokens: of the largest pass, padding included."""
    everything = {id(value): value for value in model.parameters()}.values()
    trained = [value for value in everything if value.requires_grad]
    numbers = sum(value.numel() for value in trained)
    length = min(TRIED, config.max_length)
    activations = _kept(model.eval(), tokens, length, on)  # without checkpointing
    model.train()
    if config.gradient_checkpointing:
        layers = int(unwrapped(model).config.get_text_config().num_hidden_layers)
        activations = _kept(model, tokens, length, on) + activations // layers
    weights = sum(value.numel() * value.element_size() for value in everything)
    return Estimate(weights, 4 * numbers, 8 * numbers, activations)


def _kept(model: nn.Module, tokens: int, length: int, on: Device) -> int:
    """Bytes that a pass over so many tokens keeps for its backward, weights apart; copies of weights in
    another precision count once. length: of the sequences that are tried."""
    one, two = (_measured(model, rows, length, on) for rows in (1, 2))
    return max(one, one + (two - one) * (tokens - length) // length)


def _measured(model: nn.Module, rows: int, length: int, on: Device) -> int:
    held: dict[int, int] = {value.untyped_storage().data_ptr(): 0 for value in model.parameters()}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        held.setdefault(storage.data_ptr(), storage.nbytes())
        return tensor

    ids, mask = (fill((rows, length), dtype=torch.long) for fill in (torch.zeros, torch.ones))
    mask[:, -1] = 0  # padded, as passes are
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        hidden = pooled(model, ids, mask, on)
    del hidden  # until here the graph keeps its tensors, so that no address is used twice
    return sum(held.values())


def free(on: Device) -> int:
    """Bytes that can still be had on the device, with what this process has cached there already."""
    if on.place.type == "cuda":
        held = torch.cuda.memory_reserved(on.place) - torch.cuda.memory_allocated(on.place)
        return int(torch.cuda.mem_get_info(on.place)[0]) + held
    import psutil

    return int(psutil.virtual_memory().available)
