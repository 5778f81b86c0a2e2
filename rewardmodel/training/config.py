"""What a training run is asked to do. Frozen; saved beside the run so that it can be repeated."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardmodel.training.failure import ConfigError
from rewardmodel.training.finetune.config import FinetuneConfig
from rewardmodel.training.settings import above_zero, at_least, parse

DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"


@dataclass(frozen=True)
class TrainingConfig:
    """One run. Every field has a default that works from a hundred votes to a million."""

    seed: int = 0
    criterion: str | None = None  # None: every criterion that has votes
    encoder: str = DEFAULT_ENCODER  # a Hugging Face id or a folder with safetensors weights
    encoder_revision: str | None = None  # a commit of that id; None: the default branch
    windows: int = 4  # a long text is cut into at most this many windows, which are averaged
    heads: int = 8  # ensemble members, each on its own bootstrap of the prompts
    hidden: int = 0  # 0: a linear head; else the width of one hidden layer
    weight_decay: float = 50.0  # precision of the normal prior on every weight, counted in votes
    learning_rate: float = 0.05
    max_steps: int = 80
    patience: int = 20  # steps in which no head's validation NLL gets better, after which all stop
    cross_fit_below: int = 500  # with fewer prompts, evaluate by cross-fitting over all of them
    folds: int = 10  # of the cross-fitting; with at most `leave_one_out` prompts each is a fold of its own
    leave_one_out: int = 25
    bootstrap: int = 1000  # resamples of the prompts behind every interval
    probe_responses: int = 40  # altered in every way to see what moves the reward; 0: no such probes
    curve_heads: int = 2  # of each training on fewer votes; 0: no learning curve
    warm_start: str | None = None  # the ensemble to begin at, where it fits: a folder, seen from the run's
    min_prompts: int = 3
    min_pairs: int = 20
    checkpoint_every: int = 5  # steps

    def __post_init__(self) -> None:
        at_least(self, 1, "windows", "max_steps", "patience", "checkpoint_every", "min_pairs")
        at_least(self, 8, "heads")
        at_least(self, 3, "min_prompts")
        at_least(self, 2, "folds")
        at_least(self, 100, "bootstrap")
        at_least(self, 0, "seed", "hidden", "weight_decay", "cross_fit_below", "leave_one_out")
        at_least(self, 0, "probe_responses", "curve_heads")
        above_zero(self, "learning_rate")

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


Config = TrainingConfig | FinetuneConfig


def from_dict(values: object) -> Config:
    """A configuration from parsed JSON; an unknown key or a wrong type is an error which names it.

    `tier` chooses: "cpu" (the default: heads on a frozen encoder) or "finetune".
    """
    if not isinstance(values, dict):
        raise ConfigError("The configuration must be one JSON object of settings.")
    tier = values.get("tier", "cpu")
    if tier == "finetune":
        return parse(FinetuneConfig, values)
    if tier != "cpu":
        raise ConfigError(f"tier is {tier!r}; it must be one of cpu, finetune.")
    return parse(TrainingConfig, {key: value for key, value in values.items() if key != "tier"})


def from_json(path: Path) -> Config:
    """Read a configuration file; what it leaves out keeps its default."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"There is no configuration file {path}.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} is not JSON: {error}.") from None
    return from_dict(values)
