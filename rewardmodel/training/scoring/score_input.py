"""Files of prompts and responses to score, JSON Lines (also gzip) or Parquet, read as a stream.

A row has `prompt` (a text or turns), `response` or `responses` (texts, or objects with `text` and perhaps
`id`, as in an import file) and perhaps `id`; other columns are left alone. A row that cannot be scored is
kept with what is wrong with it.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from rewardmodel.training.failure import ScoringInputError
from rewardmodel.training.scoring.conversation import Exchange, MalformedError, read_prompt, read_response

LONGEST_LINE = 16 * 2**20  # bytes; a longer line is a bad row
COLUMNS = ("id", "prompt", "response", "responses")
PARQUET_ROWS = 1_024  # read at once

Record = bytes | Mapping[str, Any]  # a line, or a row of Parquet


@dataclass(frozen=True)
class Row:
    line: int  # from 1: of the file, or the row of Parquet
    id: str
    exchanges: tuple[Exchange, ...] = ()
    response_ids: tuple[str | None, ...] = ()
    error: str | None = None  # why it cannot be scored


def parts(path: Path, size: int) -> Iterator[tuple[int, int, list[Record]]]:
    """(number, first line, records) of consecutive runs of `size` rows. Raises ScoringInputError."""
    records = _parquet(path) if path.suffix == ".parquet" else _lines(path)
    for number in range(2**31):
        taken = list(islice(records, size))
        if not taken:
            return
        yield number, number * size + 1, taken


def read(record: Record, line: int) -> Row:
    """The row of a record; never raises."""
    name = str(line)
    try:
        values = _object(record)
        if (given := values.get("id")) is not None:
            name = _name(given, "id")
        if values.get("prompt") is None:
            raise MalformedError("prompt", "is missing.")
        prompt = read_prompt(values["prompt"])
        responses = _responses(values)
    except MalformedError as error:
        return Row(line, name, error=str(error))
    exchanges = tuple(Exchange(prompt, text) for _, text in responses)
    return Row(line, name, exchanges, tuple(given for given, _ in responses))


def _object(record: Record) -> Mapping[str, Any]:
    if isinstance(record, Mapping):
        return record
    if len(record) > LONGEST_LINE:
        raise MalformedError("line", f"is longer than {LONGEST_LINE // 2**20} MiB.")
    try:
        values = json.loads(record)
    except (ValueError, RecursionError) as error:
        raise MalformedError("line", f"is not JSON ({error}).") from None
    if not isinstance(values, dict):
        raise MalformedError("line", "must be a JSON object.")
    return values


def _responses(values: Mapping[str, Any]) -> list[tuple[str | None, str]]:
    one, several = values.get("response"), values.get("responses")
    if (one is None) == (several is None):
        raise MalformedError("response", "give either response or responses.")
    if one is not None:
        return [(None, read_response(one))]
    if not isinstance(several, list) or not several:
        raise MalformedError("responses", "must be a list of one or more responses.")
    return [_one_of_several(value, f"responses[{i}]") for i, value in enumerate(several)]


def _one_of_several(value: Any, field: str) -> tuple[str | None, str]:
    if isinstance(value, Mapping) and "text" in value:
        name = value.get("id")
        given = None if name is None else _name(name, f"{field}.id")
        return given, read_response(value["text"], f"{field}.text")
    return None, read_response(value, field)


def _name(given: Any, field: str) -> str:
    if isinstance(given, bool) or not isinstance(given, (str, int)):
        raise MalformedError(field, "must be a text or a whole number.")
    name = str(given)
    if name.encode("utf-8", "ignore").decode() != name:
        raise MalformedError(field, "holds half of a surrogate pair, which no file can hold.")
    return name


def _lines(path: Path) -> Iterator[Record]:
    try:
        with cast(IO[bytes], gzip.open(path) if path.suffix == ".gz" else path.open("rb")) as file:
            while line := file.readline(LONGEST_LINE + 1):
                whole = line
                while whole and not whole.endswith(b"\n"):  # the rest of a line that is too long
                    whole = file.readline(LONGEST_LINE)
                yield line
    except (OSError, EOFError, zlib.error) as error:
        raise ScoringInputError(
            f"{path} cannot be read ({error}). Give a JSON Lines or Parquet file."
        ) from None


def _parquet(path: Path) -> Iterator[Record]:
    try:
        with pq.ParquetFile(path) as file:
            columns = [name for name in COLUMNS if name in file.schema_arrow.names]
            for batch in file.iter_batches(batch_size=PARQUET_ROWS, columns=columns):
                yield from batch.to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise ScoringInputError(
            f"{path} cannot be read ({error}). Give a JSON Lines or Parquet file."
        ) from None
