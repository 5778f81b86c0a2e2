"""Settings from parsed JSON into a frozen dataclass: what is wrong is named, with what it must be."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from rewardmodel.training.failure import ConfigError

T = TypeVar("T")

_KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "str": (str,),
    "str | None": (str, type(None)),
}


def at_least(config: object, low: float, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        if not math.isfinite(value) or value < low:
            raise ConfigError(f"{name} is {value}; it must be at least {low:g}.")


def above_zero(config: object, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        if not value > 0 or not math.isfinite(value):
            raise ConfigError(f"{name} is {value}; it must be above 0.")


def one_of(config: object, name: str, allowed: tuple[str, ...]) -> None:
    if getattr(config, name) not in allowed:
        raise ConfigError(f"{name} is {getattr(config, name)!r}; it must be one of {', '.join(allowed)}.")


def parse(kind: type[T], values: Mapping[str, Any]) -> T:
    """An instance of the dataclass `kind`; an unknown key or a wrong type is an error which names it."""
    fields = {field.name: str(field.type) for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key, value in values.items():
        if key not in fields:
            raise ConfigError(f"Unknown setting {key!r}. Settings are: {', '.join(sorted(fields))}.")
        allowed = _KINDS[fields[key]]
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            raise ConfigError(f"Setting {key!r} is {value!r}; it must be of type {fields[key]}.")
    return kind(**values)
