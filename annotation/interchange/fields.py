"""Readers of single JSON values: each returns the value in its proper type or raises RowFaultError.

`where` is the path of the value inside its row, for the message.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from annotation.interchange.strict_json import RowFaultError

MAX_ID, MAX_NAME, MAX_CRITERION = 500, 200, 60
"""Characters in an id, in the name of an annotator or a model, in a criterion."""

T = TypeVar("T")


def as_number(value: object, where: str) -> float:
    try:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise RowFaultError(f"{where} must be a finite number, got {shown(value)}")
    return number


def as_metadata(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RowFaultError(f"{where} must be an object, got {shown(value)}")
    return value


def as_id(value: object, where: str) -> str:
    return _short_text(value, where, MAX_ID)


def as_name(value: object, where: str) -> str:
    return _short_text(value, where, MAX_NAME)


def as_criterion(value: object, where: str) -> str:
    return _short_text(value, where, MAX_CRITERION)


def _short_text(value: object, where: str, limit: int) -> str:
    text = as_text(value, where)
    if len(text) > limit:
        raise RowFaultError(f"{where} has {len(text)} characters, at most {limit} are kept: shorten it")
    return text


def as_text(value: object, where: str) -> str:
    text = as_string(value, where)
    if not text or text.isspace():
        raise RowFaultError(f"{where} is empty: write some text or remove it")
    return text


def as_string(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise RowFaultError(f"{where} must be text in quotation marks, got {shown(value)}")
    return value


def as_object(value: object, where: str, allowed: frozenset[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        remedy = ": write one object per line, not one JSON list" if isinstance(value, list) else ""
        raise RowFaultError(f"{where} must be a JSON object, got {shown(value)}{remedy}")
    if not value.keys() <= allowed:
        unknown = min(value.keys() - allowed)
        raise RowFaultError(
            f"unknown key {shown(unknown)} in {where}: known are {', '.join(sorted(allowed))};"
            " extra facts belong in metadata"
        )
    return value


def required(fields: Mapping[str, Any], key: str, where: str) -> Any:
    value = fields.get(key)
    if value is None:
        raise RowFaultError(f"{_path(where, key)} is missing: add it")
    return value


def optional(fields: Mapping[str, Any], key: str, where: str, read: Callable[[object, str], T]) -> T | None:
    value = fields.get(key)
    return None if value is None else read(value, _path(where, key))


def _path(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def shown(value: object) -> str:
    """A value for a message: short, one line, its special characters escaped."""
    if isinstance(value, list | dict) and len(value) > 6:
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    if isinstance(value, int) and abs(value) > 10**40:
        return "a huge number"
    text = repr(value[:60]) + ("…" if len(value) > 60 else "") if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
