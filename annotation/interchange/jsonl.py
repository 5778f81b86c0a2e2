"""JSON Lines, the import format: one item per line, UTF-8, plain or gzip."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from annotation.interchange.byte_lines import TooLong, UnreadableFileError, byte_lines
from annotation.interchange.records import (
    DEFAULT_CRITERION,
    GoldRecord,
    ItemRecord,
    Kind,
    ResponseRecord,
    VoteRecord,
)
from annotation.interchange.rows import item_from_row
from annotation.interchange.strict_json import RowFaultError, parse

MAX_LINE_BYTES = 8 << 20
MAX_EXPANSION = 200


@dataclass(frozen=True, slots=True)
class RowError:
    """Why one line is no item, and what to do. `fatal`: nothing (or nothing more) could be read."""

    line: int
    message: str
    fatal: bool = False


def read_jsonl(
    stream: BinaryIO,
    *,
    kind: Kind | None = None,
    max_line_bytes: int = MAX_LINE_BYTES,
    max_expansion: int = MAX_EXPANSION,
) -> Iterator[ItemRecord | RowError]:
    """Yield an ItemRecord or a RowError for every line that is not blank, in order; never raises on content.

    kind            the project's, for rows that do not state one (a row that does keeps its own)
    max_line_bytes  a longer line is a RowError and is read past without being held
    max_expansion   a gzip file that grows by more than this factor (beyond 64 MiB) is refused as a bomb

    An id that two lines share is for the caller to resolve: the reader remembers nothing between lines.
    """
    last, rows = 0, 0
    try:
        for last, line in byte_lines(stream, max_line_bytes=max_line_bytes, max_expansion=max_expansion):
            if isinstance(line, TooLong):
                rows += 1
                yield RowError(
                    last,
                    f"the line has {line.number_of_bytes:,} bytes, at most {max_line_bytes:,} are read:"
                    " write one item per line",
                )
            elif line and not line.isspace():
                rows += 1
                yield _item(line, last, kind)
    except UnreadableFileError as error:
        yield RowError(last + 1, str(error), fatal=True)
        return
    if rows == 0:
        yield RowError(1, "the file has no rows: write one JSON object per line", fatal=True)


def encode_item(item: ItemRecord) -> bytes:
    """One line that reads back as an equal record; keys that hold nothing are left out."""
    row = _without_empty(
        {
            "id": item.id,
            "prompt": [{"role": turn.role, "content": turn.content} for turn in item.prompt],
            "responses": [_response(response) for response in item.responses],
            "kind": item.kind,
            "metadata": dict(item.metadata),
            "gold": _gold(item.gold),
            "votes": [_vote(vote) for vote in item.votes],
        }
    )
    return json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _item(line: bytes, number: int, kind: Kind | None) -> ItemRecord | RowError:
    try:
        return item_from_row(parse(line), line=number, kind=kind)
    except RowFaultError as fault:
        return RowError(number, str(fault))


def _response(response: ResponseRecord) -> dict[str, Any]:
    return _without_empty(
        {
            "id": response.id,
            "text": response.text,
            "model": response.model,
            "metadata": dict(response.metadata),
        }
    )


def _gold(gold: Sequence[GoldRecord]) -> dict[str, Any] | list[dict[str, Any]]:
    answers = [_answer(one) for one in gold]
    return answers[0] if len(answers) == 1 else answers


def _answer(answer: GoldRecord | VoteRecord) -> dict[str, Any]:
    ratings = answer.ratings
    fields = {
        "choice": answer.choice,
        "ranks": None if answer.ranks is None else list(answer.ranks),
        "ratings": None if ratings is None else {name: list(values) for name, values in ratings.items()},
        "criterion": None if answer.criterion == DEFAULT_CRITERION else answer.criterion,
    }
    # An empty reason is kept: it reads back as it was written.
    return _without_empty(fields) | ({} if answer.reason is None else {"reason": answer.reason})


def _vote(vote: VoteRecord) -> dict[str, Any]:
    rest = {
        "strength": vote.strength,
        "seconds": vote.seconds,
        "at": None if vote.at is None else vote.at.isoformat(),
    }
    present = {key: value for key, value in rest.items() if value is not None}
    return {"annotator": vote.annotator} | _answer(vote) | present


def _without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None and value != {} and value != []}
