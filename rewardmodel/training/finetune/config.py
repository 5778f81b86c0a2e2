"""What a fine-tuning run is asked to do: `"tier": "finetune"` in the configuration chooses it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from rewardmodel.training.failure import ConfigError
from rewardmodel.training.settings import above_zero, at_least, one_of


@dataclass(frozen=True)
class FinetuneConfig:
    """One run: K members, each a LoRA adapter on one backbone, or each a copy of it trained in full."""

    tier: str = "finetune"
    backbone: str = ""  # a Hugging Face id or a folder with safetensors weights
    revision: str | None = None  # a commit of that id; None: the default branch
    method: str = "lora"  # or "full"
    members: int = 4  # K; each on its own bootstrap of the prompts when there are several
    r: int = 16
    alpha: int = 32
    target_modules: str = "all-linear"  # or names of modules, comma-separated
    learning_rate: float = 1e-4
    tau_learning_rate: float = (
        1e-2  # of tie parameter, cut-points, annotators' scales; they begin where answers put them
    )
    warmup: float = 0.05  # share of the steps over which the learning rate rises; then it falls to 0
    weight_decay: float = 0.0
    clip: float = 1.0  # largest norm of the gradient
    centring: float = 0.01  # weight of (r_A + r_B)²
    epochs: int = 1
    effective_batch: int = 64  # pairs (n - 1 a ranking) a step, at least: whole prompts if no larger
    tokens_per_pass: int = 16_384  # encoded at once, padding included; more are encoded in several passes
    max_length: int = 2048  # tokens; a longer response is not trained on, and scored by its end
    gradient_checkpointing: bool = True
    precision: str = "auto"  # bf16 where the device has it; or "bf16", "float32"
    template: str = "auto"  # "chat": the tokenizer's own; "plain": prompt, blank line, response
    pad_token: str | None = None  # None: the tokenizer's, or a reserved one of its vocabulary
    criterion: str | None = None
    seed: int = 0
    bootstrap: int = 1000  # resamples of the prompts behind every interval
    min_pairs: int = 20
    min_prompts: int = 3
    checkpoint_every: int = 25  # steps

    def __post_init__(self) -> None:
        if not self.backbone:
            raise ConfigError("backbone is not set; name a Hugging Face id or a folder with its files.")
        one_of(self, "method", ("lora", "full"))
        one_of(self, "precision", ("auto", "bf16", "float32"))
        one_of(self, "template", ("auto", "chat", "plain"))
        at_least(self, 1, "members", "r", "alpha", "epochs", "effective_batch", "checkpoint_every")
        at_least(self, 1, "min_pairs")
        at_least(self, 3, "min_prompts")
        at_least(self, 8, "max_length")
        at_least(self, 100, "bootstrap")
        at_least(self, 0, "seed", "warmup", "weight_decay", "centring")
        above_zero(self, "learning_rate", "tau_learning_rate", "clip")
        if self.warmup > 1:
            raise ConfigError(f"warmup is {self.warmup}; it is a share of the steps, at most 1.")
        if self.tokens_per_pass < self.max_length:
            raise ConfigError(
                f"tokens_per_pass is {self.tokens_per_pass}; it must hold one response of max_length "
                f"{self.max_length}."
            )

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)
