"""Files in the format of RewardBench, and how it scores them.

A row is a prompt with chosen and rejected responses (one of each in RewardBench: Lambert et al. 2024; one
against three, or several right ones, in RewardBench 2: Malik et al. 2025), a subset and an id.

  best of N   1/k where a chosen response is among the k with the highest reward, else 0: a tie is half right.
  Ties        ids ref:X (one right answer) and tied:X (several as right), as in allenai/reward-bench:
              .3 accuracy(tied) + .3 accuracy(ref) + .2 share(gap > spread) + .2 share(min(gap, gap of ref) >
              spread) + .01 mean tanh(min(gap, gap of ref) / spread - 1),
              with gap the lowest right minus the highest wrong reward, spread the highest minus the lowest
              right one, accuracy the share with gap > 0.

The overall score of RewardBench 2 is the mean of its subsets; the share of all rows is given beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rewardmodel.evaluation import clustered
from rewardmodel.evaluation.clustered import Interval

NO_SUBSET = "(no subset)"
WEIGHTS = np.array([0.3, 0.3, 0.2, 0.2, 0.01])  # tied, ref, gap, gap of both, margin


class NotABenchmark(ValueError):
    """The file cannot be read at all; the message says why."""


@dataclass(frozen=True)
class Row:
    number: int  # in the file, from 1
    id: str
    subset: str
    prompt: tuple[tuple[str, str], ...]  # role, content of each turn
    chosen: tuple[str, ...]
    rejected: tuple[str, ...]

    @property
    def tie(self) -> tuple[str, str] | None:
        """("ref" or "tied", X) for a row of the subset of ties."""
        kind, colon, name = self.id.partition(":")
        return (kind, name) if colon and kind in ("ref", "tied") else None


@dataclass(frozen=True)
class Benchmark:
    rows: tuple[Row, ...]
    bad: tuple[tuple[int, str], ...]  # row number, what is wrong with it


def read(path: Path) -> Benchmark:
    """A .parquet, .jsonl or .json-lines file. Rows that are not as they should be are named, not dropped
    in silence. Raises NotABenchmark."""
    rows, bad = [], []
    for number, raw in enumerate(_raw(path), start=1):
        try:
            rows.append(_row(number, json.loads(raw) if isinstance(raw, str) else raw))
        except ValueError as error:
            words = "it is not JSON" if isinstance(error, json.JSONDecodeError) else str(error)
            bad.append((number, words))
    if not rows:
        why = f"row {bad[0][0]}: {bad[0][1]}" if bad else "it is empty"
        raise NotABenchmark(
            f"{path.name} holds no row of prompt, chosen and rejected ({why}). Give a file of RewardBench's "
            "format, parquet or one JSON object a line."
        )
    return Benchmark(tuple(rows), tuple(bad))


def _raw(path: Path) -> Iterator[Any]:
    try:
        if path.suffix == ".parquet":
            yield from pq.read_table(path).to_pylist()
        else:
            with path.open(encoding="utf-8") as lines:
                yield from (line for line in lines if line.strip())
    except (OSError, UnicodeDecodeError, pa.ArrowInvalid) as error:
        raise NotABenchmark(f"{path} cannot be read: {error}.") from None


def _row(number: int, raw: Any) -> Row:
    if not isinstance(raw, Mapping):
        raise ValueError("it is not an object with prompt, chosen and rejected")
    name = raw.get("id")
    return Row(
        number,
        str(number if name is None else name),
        str(raw.get("subset") or NO_SUBSET),
        _turns(raw.get("prompt")),
        _texts(raw.get("chosen"), "chosen"),
        _texts(raw.get("rejected"), "rejected"),
    )


def _turns(prompt: Any) -> tuple[tuple[str, str], ...]:
    if isinstance(prompt, str):
        return (("user", prompt),)
    if isinstance(prompt, list) and prompt and all(
        isinstance(turn, Mapping) and isinstance(turn.get("content"), str) for turn in prompt
    ):  # fmt: skip
        return tuple((str(turn.get("role") or "user"), turn["content"]) for turn in prompt)
    raise ValueError("its prompt is neither a text nor a list of turns with role and content")


def _texts(value: Any, name: str) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"its {name} is neither a text nor a list of texts")
    return tuple(texts)


@dataclass(frozen=True)
class Scores:
    """Share of 1; n counts rows."""

    subsets: dict[str, Interval]
    rows: Interval  # best of N over all rows outside Ties
    mean_of_subsets: float


def score(rows: Sequence[Row], rewards: Sequence[tuple[np.ndarray, np.ndarray]], resamples: int) -> Scores:
    """rewards: for each row those of its chosen and of its rejected responses. Intervals: over prompts."""
    subset = np.array([row.subset for row in rows], dtype=object)
    prompt = np.unique([json.dumps(row.prompt) for row in rows], return_inverse=True)[1]
    credit = np.array([_credit(*pair) for pair in rewards])
    ties = np.array([row.tie is not None for row in rows])
    found = {}
    for name in dict.fromkeys(subset.tolist()):
        mine = np.flatnonzero(subset == name).tolist()
        if ties[mine].all():
            found[name] = _ties([rows[i] for i in mine], [rewards[i] for i in mine], resamples)
        else:
            found[name] = _mean(credit[mine], prompt[mine], resamples)
    values = [one.value for one in found.values() if one.value is not None]
    return Scores(found, _mean(credit[~ties], prompt[~ties], resamples), float(np.mean(values)))


def _credit(chosen: np.ndarray, rejected: np.ndarray) -> float:
    best = max(chosen.max(), rejected.max())
    right = int((chosen == best).sum())
    return right / (right + int((rejected == best).sum()))


def _mean(values: np.ndarray, prompt: np.ndarray, resamples: int) -> Interval:
    names, which = np.unique(prompt, return_inverse=True)
    draws = clustered.resamples(max(len(names), 1), resamples, np.random.default_rng(0))
    return clustered.mean(values, which, draws)


def _ties(rows: Sequence[Row], rewards: Sequence[tuple[np.ndarray, np.ndarray]], resamples: int) -> Interval:
    """The score of the subset of ties; prompts that lack one of the two kinds count for the other alone."""
    gaps: dict[str, dict[str, float]] = {"ref": {}, "tied": {}}
    spread: dict[str, float] = {}
    for row, (chosen, rejected) in zip(rows, rewards, strict=True):
        kind, name = row.tie or ("", "")
        gaps[kind][name] = float(chosen.min() - rejected.max())
        if kind == "tied":
            spread[name] = float(chosen.max() - chosen.min())
    names = sorted({*gaps["ref"], *gaps["tied"]})
    parts = np.full((5, len(names)), np.nan)
    for i, name in enumerate(names):
        tied, ref = gaps["tied"].get(name), gaps["ref"].get(name)
        parts[0, i] = np.nan if tied is None else tied > 0
        parts[1, i] = np.nan if ref is None else ref > 0
        if tied is not None and ref is not None:
            both, apart = min(tied, ref), spread[name]
            margin = np.tanh(both / apart - 1) if apart else float(both > 0)
            parts[2:, i] = tied > apart, both > apart, margin
    weights = clustered.resamples(len(names), resamples, np.random.default_rng(0))
    drawn = _weighted(parts, weights)
    value = float(_weighted(parts, np.ones((1, len(names))))[0])
    if len(names) < 2:
        return Interval(value, None, None, len(rows))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(value, float(low), float(high), len(rows))


def _weighted(parts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(5, P) with gaps, (B, P) -> (B,); a part that nothing gives counts nought."""
    known = np.isfinite(parts)
    total = weights @ np.where(known, parts, 0).T
    count = weights @ known.T.astype(np.float64)
    return np.asarray((total / np.maximum(count, 1)) @ WEIGHTS)
