"""The quality of responses in a CSV file: what simulated annotators judge by."""

import csv
import math
from pathlib import Path

COLUMNS = ("id", "quality")


class BadQualities(ValueError):
    """The file cannot be read; the message names the line and what to change."""


def read_qualities(path: Path) -> dict[str, float]:
    """Quality by the response's own id. Other columns are passed over. Raises BadQualities."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            return _read(csv.DictReader(stream), path.name)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadQualities(f"{path.name} cannot be read: {error}") from error


def _read(rows: "csv.DictReader[str]", name: str) -> dict[str, float]:
    if lacking := [column for column in COLUMNS if column not in (rows.fieldnames or ())]:
        raise BadQualities(f"{name} has no column “{lacking[0]}”: the columns id and quality are needed.")
    found: dict[str, float] = {}
    for row in rows:
        where, one = f"{name}, line {rows.line_num}", row["id"]
        if not one:
            raise BadQualities(f"{where}: the id is empty.")
        if one in found:
            raise BadQualities(f"{where}: “{one}” is there a second time.")
        found[one] = _number(row["quality"], where)
    return found


def _number(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadQualities(f"{where}: “{text or ''}” is no number.")
    return value
