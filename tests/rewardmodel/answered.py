"""Snapshots of format 2 for the tests: answers beside the soft labels that are made of them."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from annotation.interchange.snapshot_answers import ANSWER_SCHEMA
from tests.rewardmodel.synthetic import write_tables


def answer(prompt: str, annotator: str, responses: list[str], **said: Any) -> dict[str, Any]:
    """One answer to the item of these responses; `said` is choice (and strength), ranks or ratings."""
    kind = "ranking" if "ranks" in said else "rating" if "ratings" in said else "pairwise"
    return {
        "prompt_id": prompt,
        "item_id": "item-" + "-".join(responses),
        "annotator": annotator,
        "criterion": "overall",
        "kind": kind,
        "responses": responses,
        "points": 5 if kind == "rating" else None,
        "weight": 1.0,
        **said,
    }


def labels(answers: Iterable[dict[str, Any]], split: dict[str, str]) -> list[dict[str, Any]]:
    """The rows of preferences.parquet: each answer as a vote on every pair of its responses."""
    votes: dict[tuple[str, ...], np.ndarray] = defaultdict(lambda: np.zeros(3))
    for one in answers:
        responses = one["responses"]
        for i, a in enumerate(responses):
            for j in range(i + 1, len(responses)):
                name = one["item_id"] if one["kind"] == "pairwise" else f"{one['item_id']}:{a}-{responses[j]}"
                key = (name, one["prompt_id"], a, responses[j], one["criterion"])
                votes[key][_outcome(one, i, j)] += 1
    return [
        {
            **dict(zip(("pair_id", "prompt_id", "response_a", "response_b", "criterion"), key, strict=True)),
            **dict(zip(("p_a", "p_b", "p_tie"), (count / count.sum()).tolist(), strict=True)),
            "votes": int(count.sum()),
            "effective_votes": float(count.sum()),
            "split": split.get(key[1], "train"),
        }
        for key, count in votes.items()
    ]


def _outcome(one: dict[str, Any], i: int, j: int) -> int:
    """0 for A, 1 for B, 2 for a tie."""
    if one["kind"] == "pairwise":
        return {"a": 0, "b": 1}.get(one["choice"], 2)
    sign = -1 if one["kind"] == "ranking" else 1
    lead = sign * (one.get("ranks") or one["ratings"])[i] - sign * (one.get("ranks") or one["ratings"])[j]
    return 2 if lead == 0 else int(lead < 0)


def write_answered(
    folder: Path, answers: list[dict[str, Any]], *, texts: dict[str, str] | None = None, **splits: str
) -> Path:
    """A snapshot of these answers. texts: of responses, else their ids; splits: of prompts, else "train"."""
    described = {
        name: {
            "prompt_id": one["prompt_id"],
            "response_id": name,
            "prompt": json.dumps([{"role": "user", "content": f"Question {one['prompt_id']}"}]),
            "text": (texts or {}).get(name, name),
            "model": "",
        }
        for one in answers
        for name in one["responses"]
    }
    write_tables(folder, list(described.values()), labels(answers, splits))
    rows = [{"split": splits.get(one["prompt_id"], "train"), **one} for one in answers]
    return add_answers(folder, rows)


def add_answers(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """Write judgments.parquet beside the other files and make the manifest vouch for it."""
    pq.write_table(pa.Table.from_pylist(rows, ANSWER_SCHEMA), folder / "judgments.parquet")
    content = (folder / "judgments.parquet").read_bytes()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["format"] = "laurel-snapshot/2"
    manifest["files"]["judgments.parquet"] = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "rows": len(rows),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
