"""Read a snapshot folder: responses.parquet, preferences.parquet and the manifest which vouches for both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rewardmodel.training import files
from rewardmodel.training.failure import SnapshotError

FORMATS = ("laurel-snapshot/1", "laurel-snapshot/2")
RESPONSE_COLUMNS = ("prompt_id", "response_id", "prompt", "text")
PAIR_COLUMNS = (
    "pair_id",
    "prompt_id",
    "response_a",
    "response_b",
    "criterion",
    "p_a",
    "p_tie",
    "p_b",
    "votes",
    "effective_votes",
    "split",
)
JUDGMENTS = "judgments.parquet"
SPLITS = ("train", "calibration", "test")
REMEDY = "Make a new snapshot and train on that."


@dataclass(frozen=True)
class Responses:
    """n responses to P prompts."""

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    prompt_ids: tuple[str, ...]  # P, in order of first appearance
    prompt_texts: tuple[str, ...]  # P
    prompt: np.ndarray  # (n,) int64: which of the P prompts
    turns: tuple[str, ...] = ()  # P, the conversations as JSON lists of role and content


@dataclass(frozen=True)
class Pairs:
    """m judged pairs; `left` and `right` index the responses, in the snapshot's canonical order."""

    ids: tuple[str, ...]
    prompt: np.ndarray  # (m,) int64
    left: np.ndarray  # (m,) int64
    right: np.ndarray  # (m,) int64
    shares: np.ndarray  # (m, 3) float64 over (A, B, tie)
    votes: np.ndarray  # (m,) int64, as cast
    weight: np.ndarray  # (m,) float64, effective votes
    split: np.ndarray  # (m,) of SPLITS


@dataclass(frozen=True)
class Snapshot:
    responses: Responses
    pairs: Pairs
    criterion: str
    sha256: str  # of the manifest, which holds the hashes of the rest
    left_out: tuple[tuple[str, int], ...]  # reason, count: rows of the snapshot not trained on
    weight: float = 1.0  # of the criterion in the overall; 0 where it does not count
    answered: bool = False  # whether the manifest vouches for judgments.parquet


def read(folder: Path, criterion: str | None) -> Snapshot:
    """Read and check one criterion of a snapshot folder.

    criterion: which one to learn; None takes "overall", or the only one there is.
    Raises SnapshotError when a file is missing, is not what the manifest hashed, or contradicts itself.
    """
    opened = _open(folder)
    return opened.of(_criterion(sorted(set(opened.rows["criterion"].tolist())), criterion), alone=True)


def read_criteria(folder: Path, criterion: str | None) -> tuple[Snapshot, ...]:
    """Every criterion of a snapshot folder that has votes; those that count in the overall come first.

    criterion: only that one. Raises as `read` does.
    """
    if criterion is not None:
        return (read(folder, criterion),)
    opened = _open(folder)
    present = set(opened.rows["criterion"].tolist())
    named = [name for name in opened.manifest.get("criteria", ()) if name in present]
    named += sorted(present.difference(named))
    weights = criteria_weights(opened.manifest, named)
    found = [replace(opened.of(name, alone=False), weight=weights[name]) for name in named or ["overall"]]
    return tuple(sorted(found, key=lambda one: one.weight == 0))


def criteria_weights(manifest: Mapping[str, Any], names: Sequence[str]) -> dict[str, float]:
    """How much each criterion counts in the overall: as the manifest says, else "overall" is the overall,
    else all count the same."""
    given = manifest.get("criteria_weights")
    if given is None:
        given = {"overall": 1.0} if "overall" in names else {}
    weights = {name: float(given.get(name, 0.0 if given else 1.0)) for name in names or ["overall"]}
    return weights if any(weights.values()) else dict.fromkeys(weights, 1.0)


@dataclass(frozen=True)
class _Opened:
    """A snapshot folder, read once for all its criteria."""

    manifest: dict[str, Any]
    sha256: str
    responses: Responses
    rows: dict[str, np.ndarray]  # the columns of preferences.parquet

    def of(self, criterion: str, *, alone: bool) -> Snapshot:
        mine = self.rows["criterion"] == criterion
        weighty = self.rows["effective_votes"] > 0 if len(mine) else mine
        left_out = {
            "another criterion": int((~mine).sum()) if alone else 0,
            "no effective votes": int((mine & ~weighty).sum()),
        }
        rows = {name: column[mine & weighty] for name, column in self.rows.items()}
        left_out |= {str(row["reason"]): int(row["count"]) for row in self.manifest.get("left_out", [])}
        return Snapshot(
            self.responses,
            _pairs(rows, self.responses),
            criterion,
            self.sha256,
            tuple((reason, count) for reason, count in left_out.items() if count),
            answered=JUDGMENTS in self.manifest.get("files", {}),
        )


def _open(folder: Path) -> _Opened:
    manifest, digest = _manifest(folder)
    responses = read_responses(folder / "responses.parquet")
    table = _table(folder / "preferences.parquet", PAIR_COLUMNS)
    rows = {name: np.asarray(table.column(name).to_pylist()) for name in PAIR_COLUMNS}
    return _Opened(manifest, digest, responses, rows)


def read_responses(path: Path) -> Responses:
    """Read a file with the columns of responses.parquet."""
    table = _table(path, RESPONSE_COLUMNS)
    columns = {name: table.column(name).to_pylist() for name in RESPONSE_COLUMNS}
    ids = columns["response_id"]
    if len(set(ids)) != len(ids):
        raise SnapshotError(f"{path.name} holds the same response_id twice. {REMEDY}")
    order: dict[str, int] = {}
    texts: list[str] = []
    turns: list[str] = []
    for prompt_id, prompt in zip(columns["prompt_id"], columns["prompt"], strict=True):
        if prompt_id not in order:
            order[prompt_id] = len(order)
            texts.append(conversation(prompt))
            turns.append(prompt)
    index = np.array([order[prompt_id] for prompt_id in columns["prompt_id"]], dtype=np.int64)
    return Responses(tuple(ids), tuple(columns["text"]), tuple(order), tuple(texts), index, tuple(turns))


def conversation(prompt: str) -> str:
    """The text of a prompt column: the contents of its turns, one after the other."""
    try:
        turns = json.loads(prompt)
        return "\n".join(str(turn["content"]) for turn in turns)
    except (json.JSONDecodeError, TypeError, KeyError):
        raise SnapshotError(
            f"A prompt is not a JSON list of turns with role and content: {prompt[:60]!r}. {REMEDY}"
        ) from None


def _manifest(folder: Path) -> tuple[dict[str, Any], str]:
    path = folder / "manifest.json"
    try:
        content = path.read_bytes()
        manifest = json.loads(content)
    except (OSError, ValueError) as error:
        raise SnapshotError(f"{path} cannot be read ({error}). {REMEDY}") from None
    if not isinstance(manifest, dict) or manifest.get("format") not in FORMATS:
        raise SnapshotError(f"{path} is of none of the formats {', '.join(FORMATS)}. {REMEDY}")
    for name in sorted({"responses.parquet", "preferences.parquet", *manifest.get("files", {})}):
        expected = manifest.get("files", {}).get(name, {}).get("sha256")
        try:
            found = files.sha256(folder / name)
        except OSError as error:
            raise SnapshotError(f"{name} cannot be read ({error.strerror}). {REMEDY}") from None
        if found != expected:
            raise SnapshotError(
                f"{name} has changed since the snapshot was made: its SHA-256 is {found}, the manifest says "
                f"{expected}. {REMEDY}"
            )
    return manifest, hashlib.sha256(content).hexdigest()


def _table(path: Path, columns: Sequence[str]) -> pa.Table:
    try:
        names = pq.read_schema(path).names
        missing = [name for name in columns if name not in names]
        if missing:
            raise SnapshotError(f"{path.name} has no column {missing[0]!r}. {REMEDY}")
        return pq.read_table(path, columns=list(columns))
    except (OSError, pa.ArrowInvalid) as error:
        raise SnapshotError(f"{path} cannot be read ({error}).") from None


def _criterion(present: Sequence[str], wanted: str | None) -> str:
    if wanted is None:
        if len(present) <= 1 or "overall" in present:
            return "overall" if "overall" in present or not present else present[0]
        raise SnapshotError(
            f"The snapshot has the criteria {', '.join(present)}. Name the one to learn (`criterion`)."
        )
    if wanted not in present:
        raise SnapshotError(
            f"The snapshot has no votes on the criterion {wanted!r}, only on {', '.join(present) or 'none'}."
        )
    return wanted


def _pairs(rows: dict[str, np.ndarray], responses: Responses) -> Pairs:
    where = {name: i for i, name in enumerate(responses.ids)}
    prompts = {name: i for i, name in enumerate(responses.prompt_ids)}
    try:
        left = np.array([where[name] for name in rows["response_a"]], dtype=np.int64)
        right = np.array([where[name] for name in rows["response_b"]], dtype=np.int64)
        prompt = np.array([prompts[name] for name in rows["prompt_id"]], dtype=np.int64)
    except KeyError as error:
        raise SnapshotError(
            f"preferences.parquet names {error}, not in responses.parquet. {REMEDY}"
        ) from None
    if (responses.prompt[left] != prompt).any() or (responses.prompt[right] != prompt).any():
        raise SnapshotError(f"A pair compares responses of another prompt than its own. {REMEDY}")
    shares = np.stack([rows["p_a"], rows["p_b"], rows["p_tie"]], axis=1).astype(np.float64)
    wrong = ~np.isfinite(shares).all(1) | (shares < 0).any(1) | (np.abs(shares.sum(1) - 1) > 1e-6)
    if wrong.any():
        i = int(np.flatnonzero(wrong)[0])
        raise SnapshotError(
            f"Pair {rows['pair_id'][i]} has shares {shares[i].tolist()}, not adding to 1. {REMEDY}"
        )
    split = rows["split"].astype(str)
    crossing = {(p, s) for p, s in zip(prompt.tolist(), split.tolist(), strict=True)}
    if len(crossing) != len(set(prompt.tolist())) or not set(split.tolist()) <= set(SPLITS):
        raise SnapshotError(f"A prompt is in two splits at once, or in none of {', '.join(SPLITS)}. {REMEDY}")
    return Pairs(
        tuple(rows["pair_id"].tolist()),
        prompt,
        left,
        right,
        shares,
        rows["votes"].astype(np.int64),
        rows["effective_votes"].astype(np.float64),
        split,
    )
