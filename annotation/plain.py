"""Frozen dataclasses as plain JSON values, and back: how a report is kept in the database.

What a field may be: a number, text, True, None, a date or time, a dataclass, a tuple of one kind or of fixed
parts, a dict with text as keys, or one of these and None. NaN and infinities are refused: JSON has none.
"""

import dataclasses
import math
import types
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

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
    return cast(T, _restorer(cast(Any, kind))(value))


@cache
def _restorer(kind: Any) -> Callable[[Any], Any]:
    """What turns a plain value into one of this kind: made once for each kind, as a report has thousands."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        (inner,) = (_restorer(part) for part in parts if part is not type(None))
        return lambda value: None if value is None else inner(value)
    if origin is tuple:
        return _tuple(parts)
    if origin in (dict, Mapping):
        of_value = _restorer(parts[1])
        return lambda value: {key: of_value(one) for key, one in value.items()}
    if origin is Literal:
        return lambda value: value
    if kind is datetime or kind is date:
        return cast(Callable[[Any], Any], kind.fromisoformat)
    return _dataclass(kind) if dataclasses.is_dataclass(kind) else _scalar(kind)


def _tuple(parts: tuple[Any, ...]) -> Callable[[Any], Any]:
    if parts[1:] == (...,):
        one = _restorer(parts[0])
        return lambda value: tuple([one(each) for each in value])
    fixed = [_restorer(part) for part in parts]
    return lambda value: tuple(one(each) for one, each in zip(fixed, value, strict=True))


def _scalar(kind: Any) -> Callable[[Any], Any]:
    def restored(value: Any) -> Any:
        if isinstance(value, kind) or (kind is float and isinstance(value, int)):
            return value
        raise NotPlain(f"{value!r} is no {kind.__name__}")

    return restored


def _dataclass(kind: Any) -> Callable[[Any], Any]:
    fields = {name: _restorer(hint) for name, hint in get_type_hints(kind).items()}

    def restored(value: Any) -> Any:
        if not isinstance(value, dict) or not value.keys() <= fields.keys():
            raise NotPlain(f"{value!r} is no {kind.__name__}")
        return kind(**{name: fields[name](one) for name, one in value.items()})

    return restored
