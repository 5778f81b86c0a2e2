"""The pairs of one selection in canonical form, as rows of the response table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activelearning.acquisition.knowledge import Labels
from activelearning.acquisition.pool import (
    CandidatePairs,
    Floats,
    LabelledPairs,
    Mask,
    PoolError,
    Positions,
    ResponsePool,
    find_positions,
    pair_keys,
)


@dataclass(frozen=True, eq=False)
class PairTable:
    """Pairs as positions in the pool, each once, lower response id first, sorted by ids: the same table
    whatever the order of the candidates. swapped: the caller had the pair the other way round.
    """

    first: Positions
    second: Positions
    swapped: Mask
    sampling_probability: Floats
    prompt: Positions

    def __len__(self) -> int:
        return len(self.first)

    def given(self, row: int) -> tuple[int, int]:
        """The pair the way round in which the caller gave it."""
        low, high = int(self.first[row]), int(self.second[row])
        return (high, low) if self.swapped[row] else (low, high)


def pair_table(pool: ResponsePool, candidates: CandidatePairs, labelled: LabelledPairs | None) -> PairTable:
    """Candidates without repeats and without any pair that is labelled already.

    Raises UnknownResponseError when the candidates or labels name a response which is not in the pool,
    PoolError for a pair across two prompts.
    """
    table = candidates.response_id
    same = table is pool.response_id or np.array_equal(table, pool.response_id)
    moved = np.arange(len(table)) if same else _used_positions(pool, candidates)
    first, second = moved[candidates.first], moved[candidates.second]
    across = np.flatnonzero(pool.prompt_id[first] != pool.prompt_id[second])
    if len(across):
        a, b = pool.response_id[first[across[0]]], pool.response_id[second[across[0]]]
        raise PoolError(
            f"{a!r} and {b!r} answer different prompts; only responses to one prompt can be compared."
        )
    rank = np.argsort(np.argsort(pool.response_id, kind="stable"))
    key, once = np.unique(pair_keys(rank[first], rank[second], len(rank)), return_index=True)
    if labelled is not None and len(labelled):
        a = find_positions(pool.response_id, labelled.response_a)
        b = find_positions(pool.response_id, labelled.response_b)
        judged = pair_keys(rank[a], rank[b], len(rank))
        once = once[~np.isin(key, judged)]
    a, b = first[once], second[once]
    swapped = rank[a] > rank[b]
    prompt = np.unique(pool.prompt_id, return_inverse=True)[1]
    low, high = np.where(swapped, b, a), np.where(swapped, a, b)
    return PairTable(low, high, swapped, candidates.sampling_probability[once], prompt[low])


def label_table(pool: ResponsePool, labelled: LabelledPairs | None) -> Labels:
    """Sorted by ids, so that nothing after it depends on the order of the labels."""
    if labelled is None:
        return Labels.none()
    first = find_positions(pool.response_id, labelled.response_a)
    second = find_positions(pool.response_id, labelled.response_b)
    order = np.lexsort((labelled.response_b, labelled.response_a))
    return Labels(
        first[order], second[order], labelled.shares[order], labelled.votes[order], labelled.held_out[order]
    )


def target_table(pool: ResponsePool, target: CandidatePairs) -> tuple[Positions, Positions]:
    """The target pairs as rows of the pool. Raises UnknownResponseError."""
    moved = _used_positions(pool, target)
    return moved[target.first], moved[target.second]


def _used_positions(pool: ResponsePool, candidates: CandidatePairs) -> Positions:
    used = np.unique(np.concatenate([candidates.first, candidates.second]))
    moved = np.full(len(candidates.response_id), -1, dtype=np.int64)
    moved[used] = find_positions(pool.response_id, candidates.response_id[used])
    return moved
