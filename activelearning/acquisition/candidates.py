"""All pairs worth considering: two responses to one prompt, not judged and not queued yet.

Prompts with equally many responses are expanded together in chunks, so memory beyond the result stays bounded
and half a million prompts cost no Python loop each. A prompt with m responses has m(m−1)/2 pairs; where that
exceeds `max_pairs_per_prompt`, that many are drawn uniformly without replacement from its pairs still open,
and `sampling_probability` says with which chance each got in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from activelearning.acquisition.pool import (
    CandidatePairs,
    Floats,
    Ids,
    Mask,
    Positions,
    as_ids,
    find_positions,
)

CHUNK_PAIRS = 1 << 18
MAX_PAIRS_PER_PROMPT = 5_000

Chunk = tuple[Positions, Positions, Floats]


def candidate_pairs(
    response_id: Sequence[str] | Ids,
    prompt_id: Sequence[str] | Ids,
    *,
    taken_a: Sequence[str] | Ids = (),
    taken_b: Sequence[str] | Ids = (),
    rng: np.random.Generator,
    max_pairs_per_prompt: int = MAX_PAIRS_PER_PROMPT,
) -> CandidatePairs:
    """Every open pair of the project.

    taken_a, taken_b: ids of the pairs already judged or queued, in either order. The result does not depend
    on the order of the responses. Raises UnknownResponseError when a taken pair names a response not given.
    """
    table, prompts = as_ids(response_id), as_ids(prompt_id)
    first, second, probability = [], [], []
    for a, b, chance in iterate_candidates(
        table, prompts, taken_a=taken_a, taken_b=taken_b, rng=rng, max_pairs_per_prompt=max_pairs_per_prompt
    ):
        first.append(a)
        second.append(b)
        probability.append(chance)
    sizes = np.unique(prompts, return_counts=True)[1].astype(np.int64)
    every = int((sizes * (sizes - 1) // 2).sum())
    judged = len(_taken_keys(table, prompts, np.arange(len(table)), taken_a, taken_b))
    nothing = np.zeros(0, dtype=np.int64)
    a = np.concatenate([nothing, *first])
    return CandidatePairs(
        table,
        prompts,
        a,
        np.concatenate([nothing, *second]),
        np.concatenate([np.zeros(0), *probability]),
        already_judged=judged,
        left_out_by_cap=every - judged - len(a),
    )


def iterate_candidates(
    response_id: Ids,
    prompt_id: Ids,
    *,
    taken_a: Sequence[str] | Ids = (),
    taken_b: Sequence[str] | Ids = (),
    rng: np.random.Generator,
    max_pairs_per_prompt: int = MAX_PAIRS_PER_PROMPT,
) -> Iterator[Chunk]:
    """Chunks (first, second, sampling_probability) of positions, smallest prompts first."""
    if max_pairs_per_prompt < 1:
        raise ValueError(f"max_pairs_per_prompt is {max_pairs_per_prompt}; it must be at least 1.")
    order = np.lexsort((response_id, prompt_id))
    if len(order) == 0:
        return
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    taken = _taken_keys(response_id, prompt_id, rank, taken_a, taken_b)
    starts, sizes = np.unique(prompt_id[order], return_index=True, return_counts=True)[1:]
    for size in np.unique(sizes[sizes > 1]):
        group = starts[sizes == size]
        pairs = int(size) * (int(size) - 1) // 2
        chunks: Iterable[Chunk] = _expand(group, int(size), taken, len(order))
        if pairs > max_pairs_per_prompt:
            cap = max_pairs_per_prompt
            chunks = (_sample(start, int(size), taken, len(order), cap, rng) for start in group)
        for low, high, chance in chunks:
            yield order[low], order[high], chance


def _expand(starts: Positions, size: int, taken: Positions, n: int) -> Iterator[Chunk]:
    i, j = np.triu_indices(size, k=1)
    step = max(1, CHUNK_PAIRS // len(i))
    for begin in range(0, len(starts), step):
        base = starts[begin : begin + step, None]
        low, high = (base + i).ravel(), (base + j).ravel()
        keep = ~_contains(taken, low * n + high)
        yield low[keep], high[keep], np.ones(int(keep.sum()))


def _sample(start: int, size: int, taken: Positions, n: int, cap: int, rng: np.random.Generator) -> Chunk:
    """`cap` open pairs of one prompt: draw as many more as are taken, drop those taken, keep the first
    `cap`.
    """
    pairs = size * (size - 1) // 2
    begin, end = np.searchsorted(taken, [start * n, (start + size) * n])
    judged = int(end - begin)
    drawn = rng.choice(pairs, min(pairs, cap + judged), replace=False)
    i, j = _unrank(drawn, size)
    low, high = start + i, start + j
    keep = np.flatnonzero(~_contains(taken, low * n + high))[:cap]
    return low[keep], high[keep], np.full(len(keep), len(keep) / max(1, pairs - judged))


def _unrank(index: Positions, size: int) -> tuple[Positions, Positions]:
    """The index-th pair (i < j) in the order (0,1), (0,2), …, (1,2), …: row i starts at i(2·size − i −
    1)/2.
    """
    rows = np.arange(size, dtype=np.int64)
    begins = rows * (2 * size - rows - 1) // 2
    i = np.searchsorted(begins[:-1], index, side="right") - 1
    return i, index - begins[i] + i + 1


def _taken_keys(
    table: Ids, prompts: Ids, rank: Positions, taken_a: Sequence[str] | Ids, taken_b: Sequence[str] | Ids
) -> Positions:
    """Sorted unique keys low·n + high of the taken pairs; what is no pair within one prompt is passed
    over.
    """
    first, second = find_positions(table, taken_a), find_positions(table, taken_b)
    pair = (prompts[first] == prompts[second]) & (first != second)
    a, b = rank[first[pair]], rank[second[pair]]
    return np.unique(np.minimum(a, b) * len(table) + np.maximum(a, b))


def _contains(sorted_keys: Positions, keys: Positions) -> Mask:
    if len(sorted_keys) == 0:
        return np.zeros(len(keys), dtype=np.bool_)
    place = np.minimum(np.searchsorted(sorted_keys, keys), len(sorted_keys) - 1)
    return np.asarray(sorted_keys[place] == keys, dtype=np.bool_)
