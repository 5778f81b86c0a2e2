"""JSON from strangers: refuses what Python's parser lets through and a database or a trainer chokes on."""

import json
import math
import re
from typing import Any, NoReturn

MAX_DEPTH = 64
# An unterminated string matches to the end, so that the scan stays linear on any bytes.
_STRINGS_AND_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


class RowFaultError(ValueError):
    """What is wrong with one row, and what to do about it."""


def parse(line: bytes) -> Any:
    """Parse one line of JSON.

    Raises RowFaultError on invalid UTF-8, nesting deeper than MAX_DEPTH, duplicate keys, NaN and infinities,
    the character U+0000 and lone surrogates, besides plain syntax errors.
    """
    _check_depth(line)
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise RowFaultError(
            f"byte {error.start + 1} is not UTF-8 (0x{line[error.start]:02x}): save the file as UTF-8"
        ) from error
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise RowFaultError(
            f"not valid JSON: {error.msg} at column {error.pos + 1}; write one JSON object per line"
        ) from error
    except RowFaultError:
        raise
    except ValueError as error:  # whole numbers beyond Python's digit limit
        raise RowFaultError("a number has more than 4,300 digits: write it as a string") from error
    if b"\\u" in line:  # raw control characters and encoded surrogates were refused above
        _check_strings(value)
    return value


def _check_depth(line: bytes) -> None:
    if line.count(b"[") + line.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _STRINGS_AND_BRACKETS.finditer(line):
        first = line[match.start()]
        if first in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise RowFaultError(f"nested deeper than {MAX_DEPTH} levels: flatten the metadata")
        elif first in b"]}":
            depth -= 1


def _check_strings(value: Any) -> None:
    """Refuse U+0000 and lone surrogates in any string or key; depth is bounded by the caller."""
    if isinstance(value, str):
        if "\0" in value:
            raise RowFaultError("contains the character \\u0000, which cannot be stored: remove it")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            code = ord(value[error.start])
            raise RowFaultError(
                f"contains the lone surrogate \\u{code:04x}, half of a character: remove or repair it"
            ) from error
    elif isinstance(value, list):
        for element in value:
            _check_strings(element)
    elif isinstance(value, dict):
        for key, element in value.items():
            _check_strings(key)
            _check_strings(element)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise RowFaultError(f"the key {key[:60]!r} stands twice in one object: keep one of them")
            seen.add(key)
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise RowFaultError(f"the number {digits[:40]} is too large: write it smaller or as a string")
    return number


def _no_constant(name: str) -> NoReturn:
    raise RowFaultError(f"{name} is not a JSON number: use null or leave the key out")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_keys, parse_float=_finite, parse_constant=_no_constant)
