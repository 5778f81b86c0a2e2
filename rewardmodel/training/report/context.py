"""What a snapshot says about its pairs beyond the labels: category, origin, and people's rankings."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from rewardmodel.evaluation.rank_correlation import SHORTEST, Listing, by_mean_rank
from rewardmodel.training import overall
from rewardmodel.training.data import Snapshot


@dataclass(frozen=True)
class Context:
    """None in place of what the snapshot does not hold."""

    category: list[str | None] | None  # (m,) of each pair's prompt
    origin: list[str | None] | None  # (m,)
    rankings: tuple[Listing, ...]  # rows and prompts are those of the snapshot's responses


def read(folder: Path, snapshot: Snapshot) -> Context:
    """Read the further columns for the pairs of a snapshot which data.read has checked."""
    return Context(_categories(folder, snapshot), _origins(folder, snapshot), _rankings(folder, snapshot))


def _categories(folder: Path, snapshot: Snapshot) -> list[str | None] | None:
    path = folder / "responses.parquet"
    if "category" not in pq.read_schema(path).names:
        return None
    table = pq.read_table(path, columns=["prompt_id", "category"]).to_pydict()
    of = dict(zip(table["prompt_id"], table["category"], strict=True))
    ids = snapshot.responses.prompt_ids
    return [of[ids[prompt]] for prompt in snapshot.pairs.prompt]


def _origins(folder: Path, snapshot: Snapshot) -> list[str | None] | None:
    path = folder / "preferences.parquet"
    if "origin" not in pq.read_schema(path).names:
        return None
    table = pq.read_table(path, columns=["pair_id", "criterion", "origin"]).to_pydict()
    of: dict[str, str | None] = {}  # of the overall, that of the criterion which comes first
    for pair, criterion, origin in zip(table["pair_id"], table["criterion"], table["origin"], strict=True):
        if snapshot.criterion in (criterion, overall.NAME):
            of.setdefault(pair, origin)
    return [of[pair] for pair in snapshot.pairs.ids]


def _rankings(folder: Path, snapshot: Snapshot) -> tuple[Listing, ...]:
    """One list an item: the mean rank of each response over those who ranked it."""
    path = folder / "judgments.parquet"
    if not path.is_file():
        return ()
    columns = ["item_id", "criterion", "kind", "responses", "ranks", "weight"]
    wanted = [("kind", "==", "ranking"), ("criterion", "==", snapshot.criterion), ("weight", ">", 0)]
    items = defaultdict(list)
    for row in pq.read_table(path, columns=columns, filters=wanted).to_pylist():
        if row["ranks"] is not None and len(row["responses"]) >= SHORTEST:
            items[row["item_id"], tuple(row["responses"])].append((row["ranks"], row["weight"]))
    where = {name: i for i, name in enumerate(snapshot.responses.ids)}
    found = []
    for (_, responses), given in items.items():
        rows = np.array([where[name] for name in responses], dtype=np.int64)
        ranks, weights = (np.array(values, dtype=np.float64) for values in zip(*given, strict=True))
        found.append(by_mean_rank(int(snapshot.responses.prompt[rows[0]]), rows, ranks, weights))
    return tuple(found)
