"""Which groups of responses may be put before people, and drawing some of them by chance.

A group is a set of two or more responses to one prompt. Those that wait as items are candidates as they are:
somebody has put them together. Beside them the responses of a prompt can form new groups, as long as one of
their pairs is neither asked about already nor part of a group that waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from activelearning.acquisition.groups import group_pairs
from activelearning.acquisition.pool import Ids, Mask, PoolError, Positions, find_positions, pair_keys


@dataclass(frozen=True, eq=False)
class OpenGroups:
    """Rows are those of a table of n responses.

    waiting: groups that are items already; free: of each prompt with an open pair, the responses that have
    one; taken: `pair_keys` of pairs that were asked about; covered: of those and of the groups that wait.
    """

    n: int
    prompt: Positions
    waiting: tuple[Positions, ...]
    free: tuple[Positions, ...]
    taken: Positions
    covered: Positions

    def __len__(self) -> int:
        """How many there are to draw among: groups that wait, and one of each prompt with free responses."""
        return len(self.waiting) + len(self.free)

    def asked(self, groups: Iterable[Positions]) -> OpenGroups:
        """What is open once these groups are asked about, too."""
        groups = list(groups)
        gone = {frozenset(rows.tolist()) for rows in groups}
        waiting = tuple(rows for rows in self.waiting if frozenset(rows.tolist()) not in gone)
        new = _keys(groups, self.n)
        covered = np.union1d(self.covered, new)
        free = _free(self.free, covered, self.n)
        return OpenGroups(self.n, self.prompt, waiting, free, np.union1d(self.taken, new), covered)

    def of(self, prompts: Mask) -> OpenGroups:
        """Those of some prompts. prompts: (P,) by number."""
        waiting = tuple(rows for rows in self.waiting if prompts[self.prompt[rows[0]]])
        free = tuple(rows for rows in self.free if prompts[self.prompt[rows[0]]])
        return OpenGroups(self.n, self.prompt, waiting, free, self.taken, self.covered)

    def closed(self, first: Positions, second: Positions) -> Mask:
        """(N,) whether each pair of rows was asked about or is part of a group that waits."""
        return np.isin(pair_keys(first, second, self.n), self.covered)

    def pairs(self) -> tuple[Positions, Positions]:
        """Every pair that an answer to one of the groups could tell of, as rows (first, second)."""
        first, second, _, _ = group_pairs([*self.waiting, *self.free])
        fresh = ~np.isin(pair_keys(first, second, self.n), self.taken)
        key = pair_keys(first[fresh], second[fresh], self.n)
        once = np.unique(key, return_index=True)[1]
        return first[fresh][once], second[fresh][once]


@dataclass(frozen=True, eq=False)
class DrawnGroup:
    """rows: of its responses; pair: an open one of it, drawn uniformly; chance: with which it was drawn."""

    rows: Positions
    pair: tuple[int, int]
    chance: float


def open_groups(
    response_id: Ids,
    prompt_id: Ids,
    *,
    waiting: Sequence[Sequence[str]] = (),
    taken: Sequence[Sequence[str]] = (),
) -> OpenGroups:
    """What may be asked. waiting: response ids of items that nobody has answered; taken: of those which were
    answered, are gold or queued: their pairs are asked about.

    Raises UnknownResponseError for an id that is not in the table, PoolError for a group across two prompts.
    """
    n = len(response_id)
    prompt = np.unique(prompt_id, return_inverse=True)[1].astype(np.int64)
    sizes = np.array([len(ids) for ids in (*waiting, *taken)], dtype=np.int64)
    rows = find_positions(response_id, [one for ids in (*waiting, *taken) for one in ids])
    ends = np.cumsum(sizes)
    found = [rows[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    for group in found:
        if len(np.unique(prompt[group])) > 1:
            raise PoolError(f"Responses {response_id[group].tolist()} answer different prompts.")
    open_items = tuple(group for group in found[: len(waiting)] if len(group) > 1)
    asked = _keys([group for group in found[len(waiting) :] if len(group) > 1], n)
    covered = np.union1d(asked, _keys(open_items, n))
    order = np.argsort(prompt, kind="stable").astype(np.int64)
    starts = np.searchsorted(prompt[order], np.arange(prompt.max() + 1 if n else 0))
    by_prompt = np.split(order, starts[1:]) if n else []
    return OpenGroups(n, prompt, open_items, _free(by_prompt, covered, n), asked, covered)


def draw_groups(found: OpenGroups, n: int, size: int, rng: np.random.Generator) -> list[DrawnGroup]:
    """Up to n groups by chance, each of at most `size` responses where it is new.

    Uniformly among what `len(found)` counts; of a prompt's free responses an open pair uniformly, then the
    others. Where that is fewer than n, another round follows with what is open then, and the chances are
    those of that round.
    """
    drawn: list[DrawnGroup] = []
    while len(drawn) < n and len(found := found.asked(one.rows for one in drawn) if drawn else found):
        part = min(n - len(drawn), len(found))
        places = rng.choice(len(found), part, replace=False)
        fresh = [draw_one(found, int(place), size, rng, part / len(found)) for place in places]
        drawn += fresh
    return drawn


def draw_one(
    found: OpenGroups, place: int, size: int, rng: np.random.Generator, chance: float = 1.0
) -> DrawnGroup:
    """The group that waits at this place, or one of the free responses there. chance: of the place."""
    if size < 2:
        raise PoolError(f"Groups of {size} responses; compare at least two.")
    waits = place < len(found.waiting)
    rows = found.waiting[place] if waits else found.free[place - len(found.waiting)]
    first, second, _, _ = group_pairs([rows])
    fresh = np.ones(len(first), dtype=np.bool_) if waits else ~found.closed(first, second)
    one = int(rng.choice(np.flatnonzero(fresh)))
    pair = (int(first[one]), int(second[one]))
    if waits:
        return DrawnGroup(rows, pair, chance)
    others = rows[~np.isin(rows, pair)]
    more = min(size, len(rows)) - 2
    group = np.sort(np.concatenate([np.array(pair, dtype=np.int64), rng.choice(others, more, replace=False)]))
    a, b, _, _ = group_pairs([group])
    inside = int((~found.closed(a, b)).sum())
    return DrawnGroup(group, pair, chance * inside / (int(fresh.sum()) * comb(len(others), more)))


def _free(by_prompt: Sequence[Positions], covered: Positions, n: int) -> tuple[Positions, ...]:
    """Of each prompt the responses that have an open pair; prompts without one are left out."""
    able = [rows for rows in by_prompt if len(rows) > 1]
    first, second, _, _ = group_pairs(able)
    is_open = ~np.isin(pair_keys(first, second, n), covered)
    has = np.zeros(n, dtype=np.bool_)
    has[first[is_open]] = has[second[is_open]] = True
    kept = (rows[has[rows]] for rows in able)
    return tuple(rows for rows in kept if len(rows) > 1)


def _keys(groups: Sequence[Positions], n: int) -> Positions:
    first, second, _, _ = group_pairs(groups)
    return np.unique(pair_keys(first, second, n))
