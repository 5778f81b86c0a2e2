"""Preference rows for TRL: `trl-dpo` and `trl-reward`, conversational, one JSON object per line.

    {"prompt": [{"role", "content"}, …], "chosen": [{"role": "assistant", "content"}], "rejected": [ … ]}

Both trainers read the same three columns and nothing else is written. TRL takes one winner per row: the side
with the larger share of votes is chosen. Left out and counted: equal shares, pairs whose most frequent answer
is "tie", pairs of equal texts, and labels on other criteria than the one exported. There is no `margin`: TRL
subtracts it from the reward difference inside the loss, so one made from vote shares would be a target set by
hand; the reward models that Laurel trains itself learn from the shares.

The folder opens with `datasets.load_dataset(folder)` and `trl reward|dpo --dataset_name folder`. It holds
train.jsonl, validation.jsonl (the snapshot's calibration split) and test.jsonl; a split without rows has no
file. README.md is the dataset card that names files and column types, so the manifest is not taken for data.
TRL drops (reward) or cuts (DPO) pairs longer than `max_length`, by default 1,024 tokens, without saying so.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

from annotation.interchange.atomic_folder import FileSum, atomic_folder, file_sum
from annotation.interchange.snapshot import (
    MANIFEST,
    Manifest,
    read_preferences,
    read_responses,
    verify_snapshot,
)
from annotation.interchange.snapshot_rows import PreferenceRow, ResponseRow, SnapshotError

FORMAT = "laurel-export/1"
FORMATS = ("trl-dpo", "trl-reward")
FILE_OF_SPLIT: Mapping[str, str] = {
    "train": "train.jsonl",
    "calibration": "validation.jsonl",
    "test": "test.jsonl",
}
EQUAL_SHARES = "as many votes for one side as for the other"
TIE_MOST_FREQUENT = "tie is the most frequent answer"
EQUAL_TEXTS = "the two responses have the same text"
OTHER_CRITERION = "label on another criterion"
SHARE_TOLERANCE = 1e-9


class ExportError(ValueError):
    """An export that cannot be made, and what to do instead."""


@dataclass(frozen=True, slots=True)
class ExportResult:
    out: Path
    format: str
    criterion: str
    files: Mapping[str, FileSum]
    rows: Mapping[str, int]
    left_out: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        return {
            "out": str(self.out),
            "format": self.format,
            "criterion": self.criterion,
            "files": {name: file.as_json() for name, file in self.files.items()},
            "rows": dict(self.rows),
            "left_out": _left_out_json(self.left_out),
        }


def export(snapshot: Path, out: Path, *, format: str, criterion: str | None = None) -> ExportResult:
    """Write the pairs of a verified snapshot to the folder `out`, which must be missing or empty.

    criterion  which labels to write; by default "overall" where the snapshot has it, else its first

    Memory is that of one prompt's responses. The same snapshot gives the same bytes. Raises ExportError on an
    unknown format or criterion or when no row remains, SnapshotChangedError on a damaged snapshot,
    FolderInTheWayError when `out` holds something.
    """
    if format not in FORMATS:
        raise ExportError(f"unknown format {format!r}: choose one of {', '.join(FORMATS)}")
    manifest = verify_snapshot(snapshot)
    chosen_criterion = _criterion(manifest, criterion)
    left_out: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    with atomic_folder(out, accept_empty=True) as partial:
        with ExitStack() as open_files:
            streams: dict[str, BinaryIO] = {}
            for split, row in _rows(snapshot, chosen_criterion, left_out):
                if split not in streams:
                    streams[split] = open_files.enter_context((partial / FILE_OF_SPLIT[split]).open("wb"))
                streams[split].write(_line(row))
                rows[split] += 1
        if not rows:
            raise ExportError(
                f"no pair on {chosen_criterion!r} has a preferred side ({_sentence(left_out)}):"
                " collect more judgments and take a new snapshot"
            )
        by_file = {FILE_OF_SPLIT[split]: rows[split] for split in FILE_OF_SPLIT if rows[split]}
        (partial / "README.md").write_text(_card(manifest, format, by_file), encoding="utf-8")
        files = {name: file_sum(partial / name, count) for name, count in by_file.items()}
        result = ExportResult(out, format, chosen_criterion, files, by_file, dict(left_out))
        text = json.dumps(_manifest(result, manifest, snapshot), ensure_ascii=False, indent=2) + "\n"
        (partial / MANIFEST).write_text(text, encoding="utf-8")
    return result


def reason_without_winner(label: PreferenceRow) -> str | None:
    """Why a label has no winner; None where it has. A side level with "tie" still beats the other."""
    if abs(label.p_a - label.p_b) <= SHARE_TOLERANCE:
        return EQUAL_SHARES
    if label.p_tie > max(label.p_a, label.p_b) + SHARE_TOLERANCE:
        return TIE_MOST_FREQUENT
    return None


def _criterion(manifest: Manifest, asked: str | None) -> str:
    if not manifest.criteria:
        raise ExportError("the snapshot has no criteria: make the snapshot again")
    if asked is None:
        return "overall" if "overall" in manifest.criteria else manifest.criteria[0]
    if asked not in manifest.criteria:
        raise ExportError(f"no criterion {asked!r} in the snapshot: it has {', '.join(manifest.criteria)}")
    return asked


def _rows(snapshot: Path, criterion: str, left_out: Counter[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Join labels to texts, one prompt at a time: both files are sorted by prompt."""
    prompts = groupby(read_responses(snapshot), key=lambda response: response.prompt_id)
    prompt_id: str | None = None
    texts: dict[str, ResponseRow] = {}
    for label, split in read_preferences(snapshot):
        if label.criterion != criterion:
            left_out[OTHER_CRITERION] += 1
            continue
        if (reason := reason_without_winner(label)) is not None:
            left_out[reason] += 1
            continue
        while prompt_id != label.prompt_id:
            prompt_id, responses = next(prompts, (None, iter(())))
            if prompt_id is None:
                raise SnapshotError(f"no responses of prompt {label.prompt_id!r}, or the rows are not sorted")
            texts = {response.response_id: response for response in responses}
        chosen, rejected = texts[label.response_a], texts[label.response_b]
        if label.p_b > label.p_a:
            chosen, rejected = rejected, chosen
        if chosen.text == rejected.text:
            left_out[EQUAL_TEXTS] += 1
            continue
        yield (
            split,
            {
                "prompt": json.loads(chosen.prompt),
                "chosen": [{"role": "assistant", "content": chosen.text}],
                "rejected": [{"role": "assistant", "content": rejected.text}],
            },
        )


def _line(row: Mapping[str, Any]) -> bytes:
    """One JSON line. Unicode's line separators are escaped for readers that split on them."""
    text = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
    for character in "\x85\u2028\u2029":
        if character in text:
            text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode() + b"\n"


def _manifest(result: ExportResult, source: Manifest, snapshot: Path) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "rows_for": result.format,
        "criterion": result.criterion,
        "snapshot": {
            "project": source.project,
            "created_at": source.created_at,
            "guideline_version": source.guideline_version,
            "manifest_sha256": file_sum(snapshot / MANIFEST, 0).sha256,
        },
        "files": {name: file.as_json() for name, file in result.files.items()},
        "counts": {"rows": sum(result.rows.values())},
        "left_out": _left_out_json(result.left_out),
    }


def _left_out_json(left_out: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"reason": reason, "count": count} for reason, count in sorted(left_out.items())]


def _sentence(left_out: Mapping[str, int]) -> str:
    return (
        "; ".join(f"{count} × {reason}" for reason, count in sorted(left_out.items())) or "it has no labels"
    )


def _card(source: Manifest, format: str, by_file: Mapping[str, int]) -> str:
    """The dataset card. It fixes files and types: guessed types turn texts that are dates to timestamps."""
    lines = ["---", "configs:", "- config_name: default", "  data_files:"]
    for name in by_file:
        lines += [f"  - split: {name.removesuffix('.jsonl')}", f"    path: {name}"]
    lines += ["dataset_info:", "  features:"]
    for column in ("prompt", "chosen", "rejected"):
        lines += [f"  - name: {column}", "    list:"]
        for field in ("role", "content"):
            lines += [f"    - name: {field}", "      dtype: string"]
    lines += ["---", "", f"# Preferences of {json.dumps(source.project, ensure_ascii=False)}", ""]
    lines += [
        f"Rows for `{format}`, made by Laurel; counts, hashes and what was left out stand in `{MANIFEST}`.",
        "",
        *(f"- `{name}`: {count} rows" for name, count in by_file.items()),
    ]
    return "\n".join(lines) + "\n"
