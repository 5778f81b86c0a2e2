"""What a run learns from: the votes of one criterion as the terms of the one objective, none counted twice.

Rankings, ratings and comparisons with their strength enter as they were answered, from judgments.parquet. The
soft labels of their pairs then stay out, and are what a run is tested on. All other votes enter as the soft
labels of preferences.parquet. As soon as one comparison has a strength, all comparisons enter as answers: a
tie is one of their levels, and a side without its strength is any of its levels.

Snapshots of format 1 hold soft labels only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from rewardmodel.likelihood.objective import Objective, Pairs, Rankings, Ratings, Strengths, Term
from rewardmodel.training.data import JUDGMENTS, REMEDY, Responses, Snapshot
from rewardmodel.training.failure import SnapshotError

LEVELS = 3  # slightly, clearly, much better
_SIDES = {"a": 1, "b": -1, "tie": 0, "both_bad": 0}


@dataclass(frozen=True)
class Votes:
    """The terms speak of the snapshot's responses and prompts by their numbers."""

    terms: Objective
    counts: dict[str, int]  # answers (soft labels: pairs) by kind
    left_out: tuple[tuple[str, int], ...]  # reason, count

    def renumbered(self, prompts: np.ndarray) -> Objective:
        """The terms with their prompts as places in `prompts`, sorted numbers that hold all of them."""
        known = torch.from_numpy(prompts)
        return tuple(replace(term, prompt=torch.searchsorted(known, term.prompt)) for term in self.terms)


def read(folder: Path, snapshot: Snapshot) -> Votes:
    """The votes of the snapshot's criterion. Raises SnapshotError where the answers contradict it."""
    if not snapshot.answered:
        return _votes(snapshot, np.ones(len(snapshot.pairs.ids), dtype=bool), [], {}, {})
    table = pq.read_table(folder / JUDGMENTS, filters=pc.field("criterion") == snapshot.criterion)
    of_kind = {
        kind: _rows(table, pc.equal(table["kind"], kind)) for kind in ("pairwise", "ranking", "rating")
    }
    if not pc.any(pc.is_valid(of_kind["pairwise"]["strength"])).as_py():
        of_kind["pairwise"] = of_kind["pairwise"].slice(0, 0)
    items = pa.concat_tables(of_kind.values())["item_id"].to_pylist()
    left_out = {"answers that weigh nothing": 0, "answers on prompts without a pair": 0}
    compared = np.unique(snapshot.pairs.prompt)
    terms: list[Term] = []
    counts: dict[str, int] = {}
    for kind, rows in of_kind.items():
        weighty = _rows(rows, pc.greater(rows["weight"], 0))
        place = _places(weighty, snapshot.responses)
        known = np.isin(place, compared)
        left_out["answers that weigh nothing"] += len(rows) - len(weighty)
        left_out["answers on prompts without a pair"] += int((~known).sum())
        kept, place = weighty.filter(pa.array(known)), place[known]
        if len(kept):
            counts[_NAMES[kind]] = len(kept)
            terms += _READERS[kind](kept, place, snapshot.responses)
    return _votes(snapshot, _labels_to_learn(snapshot, set(items)), terms, counts, left_out)


def _votes(
    snapshot: Snapshot,
    learned: np.ndarray,
    terms: Sequence[Term],
    counts: dict[str, int],
    left_out: dict[str, int],
) -> Votes:
    labels = (pairs(snapshot, learned),) if learned.any() else ()
    left_out = {"pairs of answers that are learned from as given": int((~learned).sum()), **left_out}
    return Votes(
        (*labels, *terms),
        {"pairs": int(learned.sum()), **counts},
        tuple((reason, count) for reason, count in left_out.items() if count),
    )


def _labels_to_learn(snapshot: Snapshot, answered: set[str]) -> np.ndarray:
    """(m,) bool: soft labels of items whose answers do not enter by themselves. An item's pairs are named
    ITEM or ITEM:RESPONSE-RESPONSE."""
    names = snapshot.pairs.ids
    return np.array([not ({name, name.rpartition(":")[0]} & answered) for name in names], dtype=bool)


def pairs(snapshot: Snapshot, chosen: np.ndarray) -> Pairs:
    """The soft labels of the chosen pairs."""
    of = snapshot.pairs
    return Pairs(
        torch.from_numpy(np.stack([of.left[chosen], of.right[chosen]])),
        torch.from_numpy(of.prompt[chosen]),
        torch.tensor(of.weight[chosen], dtype=torch.float32),
        torch.tensor(of.shares[chosen].T, dtype=torch.float32),
    )


def _strengths(rows: pa.Table, prompt: np.ndarray, responses: Responses) -> list[Strengths]:
    left, right = _responses(rows, responses).reshape(-1, 2).T
    side = np.array([_SIDES[choice] for choice in rows["choice"].to_pylist()], dtype=np.int64)
    given = np.asarray(rows["strength"].fill_null(0), dtype=np.int64)
    weakest, strongest = np.where(given, given, 1) * side, np.where(given, given, LEVELS) * side
    least, most = np.minimum(weakest, strongest), np.maximum(weakest, strongest)
    one, of_answer = np.unique(np.stack([left, right, least, most, prompt]), axis=1, return_inverse=True)
    weight = np.bincount(of_answer, weights=np.asarray(rows["weight"]))
    sides, least, most, prompt = one[:2], *one[2:]
    return [
        Strengths(
            torch.from_numpy(sides),
            torch.from_numpy(prompt),
            torch.tensor(weight, dtype=torch.float32),
            torch.from_numpy(least),
            torch.from_numpy(most),
            LEVELS,
            ties=bool((side == 0).any()),
        )
    ]


def _rankings(rows: pa.Table, prompt: np.ndarray, responses: Responses) -> list[Rankings]:
    """One term for each number of responses; a ranking of one says nothing."""
    length = np.asarray(pc.list_value_length(rows["responses"]))
    terms = []
    for n in np.unique(length[length > 1]):
        mine = rows.filter(pa.array(length == n))
        ranks = _numbers(mine, "ranks").reshape(-1, n)
        order = ranks.argsort(axis=1, kind="stable")
        ordered = np.take_along_axis(_responses(mine, responses).reshape(-1, n), order, axis=1)
        terms.append(
            Rankings(
                torch.from_numpy(ordered.T.copy()),
                torch.from_numpy(prompt[length == n]),
                torch.tensor(np.asarray(mine["weight"]), dtype=torch.float32),
                torch.from_numpy(np.take_along_axis(ranks, order, axis=1).T.copy()),
            )
        )
    return terms


def _ratings(rows: pa.Table, prompt: np.ndarray, responses: Responses) -> list[Ratings]:
    """One term for each scale."""
    terms = []
    for best in pc.unique(rows["points"]).to_pylist():
        chosen = np.asarray(pc.equal(rows["points"], best))
        mine = rows.filter(pa.array(chosen))
        length = np.asarray(pc.list_value_length(mine["responses"]))
        people, who = np.unique(mine["annotator"].to_pylist(), return_inverse=True)
        terms.append(
            Ratings(
                torch.from_numpy(_responses(mine, responses)[None]),
                torch.from_numpy(prompt[chosen].repeat(length)),
                torch.tensor(np.asarray(mine["weight"]).repeat(length), dtype=torch.float32),
                torch.from_numpy(_numbers(mine, "ratings")),
                torch.from_numpy(who.repeat(length)),
                len(people),
                int(best),
            )
        )
    return terms


_Reader = Callable[[pa.Table, np.ndarray, Responses], Sequence[Term]]
_READERS: dict[str, _Reader] = {"pairwise": _strengths, "ranking": _rankings, "rating": _ratings}
_NAMES = {"pairwise": "strengths", "ranking": "rankings", "rating": "ratings"}


def _rows(table: pa.Table, mask: pa.ChunkedArray) -> pa.Table:
    return table.filter(mask).combine_chunks()


def _numbers(rows: pa.Table, column: str) -> np.ndarray:
    """All numbers of a column of lists, one after another."""
    return np.asarray(pc.list_flatten(rows[column]), dtype=np.int64)


def _responses(rows: pa.Table, responses: Responses) -> np.ndarray:
    """The places of all responses of all answers, one after another."""
    names = pc.list_flatten(rows["responses"])
    found = pc.index_in(names, value_set=pa.array(responses.ids, names.type))
    if found.null_count:
        stranger = names.filter(pc.is_null(found))[0].as_py()
        raise SnapshotError(f"{JUDGMENTS} names {stranger!r}, not in responses.parquet. {REMEDY}")
    return np.asarray(found, dtype=np.int64)


def _places(rows: pa.Table, responses: Responses) -> np.ndarray:
    """(answers,) the prompt of each: that of all its responses."""
    length = np.asarray(pc.list_value_length(rows["responses"]), dtype=np.int64)
    prompt = responses.prompt[_responses(rows, responses)]
    first = prompt[np.cumsum(length) - length]
    if (prompt != first.repeat(length)).any():
        raise SnapshotError(f"An answer in {JUDGMENTS} is about responses to two prompts. {REMEDY}")
    return np.asarray(first)
