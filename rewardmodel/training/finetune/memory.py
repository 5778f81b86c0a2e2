"""How much memory a fine-tuning run will take, before it takes it.

Weights, gradients and Adam's two moments are counted; activations follow Korthikanti et al. (2022, "Reducing
activation recomputation in large transformer models", eq. 2) without the attention matrix, which fused
attention never stores: 34 · s · h bytes a layer at two bytes a number, twice that at four; with gradient
checkpointing one layer's plus 2 · s · h (4) for each layer's input.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from rewardmodel.training.finetune.backbone import Device, unwrapped
from rewardmodel.training.finetune.config import FinetuneConfig

PER_TOKEN_AND_LAYER = 17  # numbers, of the hidden width, kept for the backward pass


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
    shape: Any = unwrapped(model).config.get_text_config()
    size = 2 if on.precision == torch.bfloat16 else 4
    layer = PER_TOKEN_AND_LAYER * tokens * shape.hidden_size * size
    layers = int(shape.num_hidden_layers)
    inputs = tokens * shape.hidden_size * size * layers
    activations = layer + inputs if config.gradient_checkpointing else layer * layers
    weights = sum(value.numel() * value.element_size() for value in everything)
    return Estimate(weights, 4 * numbers, 8 * numbers, activations)


def free(on: Device) -> int:
    """Bytes that can still be had on the device, with what this process has cached there already."""
    if on.place.type == "cuda":
        held = torch.cuda.memory_reserved(on.place) - torch.cuda.memory_allocated(on.place)
        return int(torch.cuda.mem_get_info(on.place)[0]) + held
    import psutil

    return int(psutil.virtual_memory().available)
