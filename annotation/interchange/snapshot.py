"""The snapshot folder, the only hand-off to training: responses.parquet, preferences.parquet (soft labels),
judgments.parquet (the answers behind them) and manifest.json.

Immutable: written once under a temporary name and renamed, every file's SHA-256 in the manifest. Rows are
sorted by (prompt_id, response_id), (prompt_id, pair_id, criterion) and (prompt_id, item_id, annotator,
criterion); the same input gives the same bytes. Folders of format 1 have no judgments and no categories.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from annotation.interchange.atomic_folder import FileSum, atomic_folder, file_sum
from annotation.interchange.records import Kind
from annotation.interchange.snapshot_answers import (
    ANSWER_SCHEMA,
    AnswerRow,
    SplitAnswer,
    answer_values,
    checked_answers,
)
from annotation.interchange.snapshot_rows import (
    PREFERENCE_SCHEMA,
    RESPONSE_SCHEMA,
    PreferenceCheck,
    PreferenceRow,
    ResponseRow,
    SnapshotError,
    SplitPreference,
    checked_responses,
    preference_values,
    response_values,
)
from annotation.interchange.sorted_rows import Row, sorted_rows
from annotation.interchange.split import FRACTIONS, assign_splits

FORMAT = "laurel-snapshot/2"
RESPONSES, PREFERENCES, JUDGMENTS = "responses.parquet", "preferences.parquet", "judgments.parquet"
MANIFEST = "manifest.json"
HELD = {"laurel-snapshot/1": {RESPONSES, PREFERENCES}, FORMAT: {RESPONSES, PREFERENCES, JUDGMENTS}}
ROW_GROUP_ROWS = 4096


class SnapshotChangedError(SnapshotError):
    """A file of a snapshot is not what its manifest says."""


@dataclass(frozen=True, slots=True)
class Manifest:
    project: str
    created_at: str
    kind: Kind
    criteria: tuple[str, ...]
    split: Mapping[str, Any]
    files: Mapping[str, FileSum]
    counts: Mapping[str, int]
    left_out: Mapping[str, int]
    guideline_version: int | str | None
    criteria_weights: Mapping[str, float] | None = None  # in the overall reward; none: nobody said

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            **asdict(self),
            "criteria": list(self.criteria),
            "left_out": [
                {"reason": reason, "count": count} for reason, count in sorted(self.left_out.items())
            ],
        }


def write_snapshot(
    folder: Path,
    *,
    responses: Iterable[ResponseRow],
    preferences: Iterable[PreferenceRow],
    answers: Iterable[AnswerRow] = (),
    project: str,
    kind: Kind,
    criteria: Sequence[str],
    created_at: datetime,
    split_seed: int,
    left_out: Mapping[str, int],
    guideline_version: int | str | None,
    criteria_weights: Mapping[str, float] | None = None,
    fractions: Mapping[str, float] = FRACTIONS,
    audit_prompts: Collection[str] = (),
) -> Manifest:
    """Write a snapshot folder, whole or not at all, from rows in any order; each iterable is read once.

    Prompts that carry a preference are split by `assign_splits`; `audit_prompts` measure the model and are in
    "test" whatever their hash. Memory: 100,000 rows while sorting, and the ids. Raises SnapshotError on rows
    that contradict one another, FolderInTheWayError if `folder` exists.
    """
    if created_at.tzinfo is None:
        raise SnapshotError(f"created_at {created_at.isoformat()} has no zone: pass an aware time")
    with atomic_folder(folder) as partial, TemporaryDirectory(dir=partial.parent, prefix=".sort-") as scratch:
        response_runs, preference_runs, answer_runs = (
            Path(scratch, name) for name in ("responses", "preferences", "judgments")
        )
        for runs in (response_runs, preference_runs, answer_runs):
            runs.mkdir()
        judged: dict[str, None] = {}
        noted = _noting_prompts(preferences, judged)
        preference_rows = sorted_rows(noted, itemgetter(1, 0, 4), preference_runs)
        response_rows = sorted_rows(map(response_values, responses), itemgetter(0, 1), response_runs)
        splits = assign_splits(judged, split_seed, fractions, always_test=audit_prompts)
        prompt_of: dict[str, str] = {}
        written = _write(partial / RESPONSES, RESPONSE_SCHEMA, checked_responses(response_rows, prompt_of))
        check = PreferenceCheck(frozenset(criteria), prompt_of, splits)
        labels = _write(partial / PREFERENCES, PREFERENCE_SCHEMA, check.passing(preference_rows))
        answer_rows = sorted_rows(map(answer_values, answers), itemgetter(0, 1, 2, 3), answer_runs)
        passing = checked_answers(answer_rows, check.criteria, prompt_of, splits)
        judgments = _write(partial / JUDGMENTS, ANSWER_SCHEMA, passing)
        prompts = Counter(splits.values())
        manifest = Manifest(
            project=project,
            created_at=created_at.astimezone(UTC).isoformat(),
            kind=kind,
            criteria=tuple(criteria),
            split={
                "seed": split_seed,
                "fractions": dict(fractions),
                "prompts": {name: prompts[name] for name in fractions},
                "pairs": {name: check.pairs[name] for name in fractions},
                "audit_prompts": len(judged.keys() & set(audit_prompts)),
            },
            files={
                RESPONSES: file_sum(partial / RESPONSES, written),
                PREFERENCES: file_sum(partial / PREFERENCES, labels),
                JUDGMENTS: file_sum(partial / JUDGMENTS, judgments),
            },
            counts={
                "prompts": len(set(prompt_of.values())),
                "responses": written,
                "pairs": sum(check.pairs.values()),
                "preferences": labels,
                "votes": check.votes,
                "judgments": judgments,
            },
            left_out=dict(left_out),
            guideline_version=guideline_version,
            criteria_weights=None if criteria_weights is None else dict(criteria_weights),
        )
        text = json.dumps(manifest.as_json(), ensure_ascii=False, indent=2) + "\n"
        (partial / MANIFEST).write_text(text, encoding="utf-8")
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Raises SnapshotError when there is no manifest of this format."""
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_bytes())
        if found["format"] not in HELD:
            raise SnapshotError(
                f"{path} has format {found['format']!r}, this version reads {', '.join(HELD)}"
            )
        if missing := HELD[found["format"]] - found["files"].keys():
            raise SnapshotError(f"the manifest of {folder} does not list {min(missing)}: make it again")
        return Manifest(
            project=found["project"],
            created_at=found["created_at"],
            kind=found["kind"],
            criteria=tuple(found["criteria"]),
            split=found["split"],
            files={name: FileSum(**file) for name, file in found["files"].items()},
            counts=found["counts"],
            left_out={entry["reason"]: entry["count"] for entry in found["left_out"]},
            guideline_version=found["guideline_version"],
            criteria_weights=found.get("criteria_weights"),
        )
    except FileNotFoundError as error:
        raise SnapshotError(f"{folder} is not a snapshot: it has no {MANIFEST}") from error
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SnapshotError(f"{path} is no snapshot manifest ({error!r}): make the snapshot again") from error


def verify_snapshot(folder: Path) -> Manifest:
    """Hash every file. Raises SnapshotChangedError naming the first that is missing or differs."""
    manifest = read_manifest(folder)
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise SnapshotChangedError(f"{path} is missing: make the snapshot again")
        if (found := file_sum(path, expected.rows)) != expected:
            raise SnapshotChangedError(
                f"{path} was changed: its SHA-256 is {found.sha256[:12]}… ({found.bytes} bytes), the manifest"
                f" says {expected.sha256[:12]}… ({expected.bytes} bytes); make the snapshot again"
            )
    return manifest


def read_responses(folder: Path) -> Iterator[ResponseRow]:
    """Stream the responses, sorted by (prompt_id, response_id)."""
    for row in _read(folder / RESPONSES):
        yield ResponseRow(**row)


def read_preferences(folder: Path) -> Iterator[SplitPreference]:
    """Stream the preferences, sorted by (prompt_id, pair_id, criterion)."""
    for row in _read(folder / PREFERENCES):
        split = row.pop("split")
        yield SplitPreference(PreferenceRow(**row), split)


def read_splits(folder: Path) -> dict[str, str]:
    """The split of every prompt that carries a preference."""
    table = pq.read_table(folder / PREFERENCES, columns=["prompt_id", "split"])
    return dict(zip(table["prompt_id"].to_pylist(), table["split"].to_pylist(), strict=True))


def read_answers(folder: Path) -> Iterator[SplitAnswer]:
    """Stream the answers, sorted by (prompt_id, item_id, annotator, criterion); format 1 has none."""
    if not (folder / JUDGMENTS).is_file():
        return
    for row in _read(folder / JUDGMENTS):
        split = row.pop("split")
        yield SplitAnswer(AnswerRow(**row), split)


def _read(path: Path) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=1024):
            yield from batch.to_pylist()


def _noting_prompts(preferences: Iterable[PreferenceRow], judged: dict[str, None]) -> Iterator[Row]:
    for preference in preferences:
        judged[preference.prompt_id] = None
        yield preference_values(preference)


def _write(path: Path, schema: pa.Schema, rows: Iterator[Row]) -> int:
    """Write rows in groups of a fixed number (so that bytes repeat) and return how many there were."""
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while group := list(islice(rows, ROW_GROUP_ROWS)):
            columns = [
                pa.array(values, type=column.type)
                for values, column in zip(zip(*group, strict=True), schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))
            count += len(group)
    return count
