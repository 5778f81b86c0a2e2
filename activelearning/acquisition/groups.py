"""Rankings and ratings: which groups of responses to put before people, by the same information gain.

An answer to a group of k responses is an answer to each of its k(k − 1)/2 pairs, but not that many
independent ones: as in the likelihood a pair of a ranking counts 2/k, so that a group of two is a pair. The
gain of a group is the sum over its pairs of what each would gain as the next pick; once a group is picked all
its pairs update the posterior one after the other, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from activelearning.acquisition.design import GreedyDesign
from activelearning.acquisition.knowledge import Knowledge, outlook
from activelearning.acquisition.pool import Floats, PoolError, Positions


@dataclass(frozen=True, eq=False)
class GroupPicks:
    """groups: the picked ones in order; gains: the summed gain of each at its turn; decisive: rows of the
    pair that gained most in each.
    """

    groups: Positions
    gains: Floats
    decisive: tuple[tuple[int, int], ...]


def group_pairs(groups: Sequence[Positions]) -> tuple[Positions, Positions, Positions, Floats]:
    """All pairs of all groups: (first, second, number of the group, weight 2/k), each (N,).

    Raises PoolError for a group with fewer than two responses or one response twice.
    """
    first, second, number, weight = [], [], [], []
    for i, group in enumerate(groups):
        members = np.asarray(group, dtype=np.int64)
        if len(members) < 2 or len(np.unique(members)) != len(members):
            raise PoolError(f"Group {i} has the responses {members.tolist()}; give two or more, each once.")
        low, high = np.triu_indices(len(members), k=1)
        first.append(members[low])
        second.append(members[high])
        number.append(np.full(len(low), i, dtype=np.int64))
        weight.append(np.full(len(low), 2.0 / len(members)))
    none = np.zeros(0, dtype=np.int64)
    return (
        np.concatenate([none, *first]),
        np.concatenate([none, *second]),
        np.concatenate([none, *number]),
        np.concatenate([np.zeros(0), *weight]),
    )


def choose_groups(
    known: Knowledge, groups: Sequence[Positions], n: int, *, target: Floats | None = None
) -> GroupPicks:
    """Greedily the min(n, len(groups)) groups that tell most.

    groups: rows of known.z of the responses of each candidate group. target: M (q, q) for I-optimality, see
    `target.moment`; None for D-optimality. Ties go to the group named first.
    """
    first, second, number, weight = group_pairs(groups)
    v = outlook(known, first, second).information * weight
    design = GreedyDesign(known.z, first, second, v, known.posterior.covariance, target)
    open_groups = np.ones(len(groups), dtype=np.bool_)
    picks, gains, decisive = [], [], []
    for _ in range(min(n, len(groups))):
        each = np.maximum(design.gains(), 0.0)
        total = np.bincount(number, weights=each, minlength=len(groups))
        best = int(np.argmax(np.where(open_groups, total, -1.0)))
        rows = np.flatnonzero(number == best)
        top = rows[int(np.argmax(each[rows]))]
        open_groups[best] = False
        picks.append(best)
        gains.append(float(total[best]))
        decisive.append((int(first[top]), int(second[top])))
        for row in rows:
            design.pick(int(row))
    return GroupPicks(np.array(picks, dtype=np.int64), np.array(gains), tuple(decisive))


def form_groups(
    known: Knowledge, candidates: Sequence[Positions], size: int, *, target: Floats | None = None
) -> list[Positions]:
    """One group of at most `size` responses of each prompt: its most telling pair, then one response after
    the other that adds most. candidates: rows of known.z of the responses of each prompt that may be shown.

    Prompts with a single response give none.
    """
    if size < 2:
        raise PoolError(f"Groups of {size} responses; compare at least two.")
    able = [np.asarray(rows, dtype=np.int64) for rows in candidates if len(rows) > 1]
    formed = []
    for rows in able:
        first, second, _, _ = group_pairs([rows])
        v = outlook(known, first, second).information
        gain = GreedyDesign(known.z, first, second, v, known.posterior.covariance, target).gains()
        table = np.zeros((len(rows), len(rows)))
        low, high = np.triu_indices(len(rows), k=1)
        table[low, high] = table[high, low] = np.maximum(gain, 0.0)
        best = int(np.argmax(gain))
        chosen = [int(low[best]), int(high[best])]
        while len(chosen) < min(size, len(rows)):
            added = table[:, chosen].sum(axis=1)
            added[chosen] = -1.0
            chosen.append(int(np.argmax(added)))
        formed.append(rows[sorted(chosen)])
    return formed
