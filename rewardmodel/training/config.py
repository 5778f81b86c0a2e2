"""What a training run is asked to do. Frozen; saved beside the run so that it can be repeated."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardmodel.training.failure import ConfigError

DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"


@dataclass(frozen=True)
class TrainingConfig:
    """One run. Every field has a default that works from a hundred votes to a million."""

    seed: int = 0
    criterion: str | None = None  # None: "overall", or the only one there is
    encoder: str = DEFAULT_ENCODER  # a Hugging Face id or a folder with safetensors weights
    encoder_revision: str | None = None  # a commit of that id; None: the default branch
    windows: int = 4  # a long text is cut into at most this many windows, which are averaged
    heads: int = 8  # ensemble members, each on its own bootstrap of the prompts
    hidden: int = 0  # 0: a linear head; else the width of one hidden layer
    weight_decay: float = 50.0  # precision of the normal prior on every weight, counted in votes
    learning_rate: float = 0.05
    max_steps: int = 80
    patience: int = 20  # steps without a better validation NLL after which a head stops
    cross_fit_below: int = 500  # with fewer prompts, evaluate by cross-fitting over all of them
    folds: int = 10  # of the cross-fitting; with at most `leave_one_out` prompts each is a fold of its own
    leave_one_out: int = 25
    bootstrap: int = 1000  # resamples of the prompts behind every interval
    min_prompts: int = 3
    min_pairs: int = 20
    checkpoint_every: int = 5  # steps

    def __post_init__(self) -> None:
        _at_least(self, 1, "windows", "max_steps", "patience", "checkpoint_every", "min_pairs")
        _at_least(self, 8, "heads")
        _at_least(self, 3, "min_prompts")
        _at_least(self, 2, "folds")
        _at_least(self, 100, "bootstrap")
        _at_least(self, 0, "seed", "hidden", "weight_decay", "cross_fit_below", "leave_one_out")
        if not self.learning_rate > 0:
            raise ConfigError(f"learning_rate is {self.learning_rate}; it must be above 0.")

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def _at_least(config: TrainingConfig, low: float, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        if not math.isfinite(value) or value < low:
            raise ConfigError(f"{name} is {value}; it must be at least {low:g}.")


_KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "str | None": (str, type(None)),
}


def from_dict(values: object) -> TrainingConfig:
    """A configuration from parsed JSON; an unknown key or a wrong type is an error which names it."""
    if not isinstance(values, dict):
        raise ConfigError("The configuration must be one JSON object of settings.")
    fields = {field.name: str(field.type) for field in dataclasses.fields(TrainingConfig)}
    for key, value in values.items():
        if key not in fields:
            raise ConfigError(f"Unknown setting {key!r}. Settings are: {', '.join(sorted(fields))}.")
        if isinstance(value, bool) or not isinstance(value, _KINDS[fields[key]]):
            raise ConfigError(f"Setting {key!r} is {value!r}; it must be of type {fields[key]}.")
    return TrainingConfig(**values)


def from_json(path: Path) -> TrainingConfig:
    """Read a configuration file; what it leaves out keeps its default."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"There is no configuration file {path}.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} is not JSON: {error}.") from None
    return from_dict(values)
