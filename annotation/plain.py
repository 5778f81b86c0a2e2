"""Frozen dataclasses as plain JSON values, and back: how a report is kept in the database.

What a field may be: a number, text, True, None, a date or time, a dataclass, a tuple of one kind or of fixed
parts, a dict with text as keys, or one of these and None. NaN and infinities are refused: JSON has none.
"""

import dataclasses
import math
import types
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


class NotPlain(TypeError):
    """A value that JSON cannot hold, or that does not fit its field."""


def to_plain(value: Any) -> Any:
    """Raises `NotPlain`."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NotPlain(f"{value} has no place in JSON")
        return value
    if isinstance(value, date):  # a datetime is one, too
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [to_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): to_plain(one) for key, one in value.items()}
    raise NotPlain(f"{type(value).__name__} has no place in JSON")


def from_plain(kind: type[T], value: Any) -> T:
    """The value `to_plain` made, as it was. Raises `NotPlain`."""
    return _restored(kind, value)  # type: ignore[no-any-return]


def _restored(kind: Any, value: Any) -> Any:
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        (kind,) = (part for part in parts if part is not type(None))
        return _restored(kind, value)
    if origin is tuple:
        kinds = [parts[0]] * len(value) if parts[1:] == (...,) else parts
        return tuple(_restored(part, one) for part, one in zip(kinds, value, strict=True))
    if origin is dict:
        return {key: _restored(parts[1], one) for key, one in value.items()}
    if kind is datetime or kind is date:
        return kind.fromisoformat(value)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value)
    if origin is Literal or isinstance(value, kind) or (kind is float and isinstance(value, int)):
        return value
    raise NotPlain(f"{value!r} is no {kind}")


def _dataclass(kind: Any, value: Any) -> Any:
    hints = _hints(kind)
    if not isinstance(value, dict) or not value.keys() <= hints.keys():
        raise NotPlain(f"{value!r} is no {kind.__name__}")
    return kind(**{name: _restored(hints[name], one) for name, one in value.items()})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)
