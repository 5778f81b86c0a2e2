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
from activelearning.acquisition.pool import Floats, PoolError, Positions, pair_keys


@dataclass(frozen=True, eq=False)
class GroupPicks:
    """groups: the picked ones in order; gains: the summed gain of each at its turn; information: what the
    answer tells at that turn, nats; decisive: rows of the pair that gained most in each. at_first: summed
    gain of every candidate group before anything was picked, (groups,).
    """

    groups: Positions
    gains: Floats
    information: Floats
    decisive: tuple[tuple[int, int], ...]
    at_first: Floats


def group_pairs(groups: Sequence[Positions]) -> tuple[Positions, Positions, Positions, Floats]:
    """All pairs of all groups: (first, second, number of the group, weight 2/k), each (N,).

    Raises PoolError for a group with fewer than two responses or one response twice.
    """
    rows = [np.asarray(group, dtype=np.int64) for group in groups]
    sizes = np.array([len(group) for group in rows], dtype=np.int64)
    wrong = set(np.flatnonzero(sizes < 2).tolist())
    none = np.zeros(0, dtype=np.int64)
    first, second, number, weight = [none], [none], [none], [np.zeros(0)]
    for k in np.unique(sizes[sizes > 1]).tolist():  # many groups of a size at once
        of_size = np.flatnonzero(sizes == k)
        members = np.stack([rows[i] for i in of_size])
        twice = (np.diff(np.sort(members, axis=1), axis=1) == 0).any(axis=1)
        wrong |= set(of_size[twice].tolist())
        low, high = np.triu_indices(k, k=1)
        first.append(members[:, low].ravel())
        second.append(members[:, high].ravel())
        number.append(np.repeat(of_size, len(low)))
        weight.append(np.full(members.shape[0] * len(low), 2.0 / k))
    if wrong:
        i = min(wrong)
        raise PoolError(f"Group {i} has the responses {rows[i].tolist()}; give two or more, each once.")
    order = np.argsort(np.concatenate(number), kind="stable")
    return (
        np.concatenate(first)[order],
        np.concatenate(second)[order],
        np.concatenate(number)[order],
        np.concatenate(weight)[order],
    )


def pair_weights(items: Sequence[int]) -> Floats:
    """2/k for each labelled pair, (m,), where items says of which answered group of k it is one."""
    _, of_group, counts = np.unique(
        np.asarray(items, dtype=np.int64), return_inverse=True, return_counts=True
    )
    k = (1.0 + np.sqrt(1.0 + 8.0 * counts)) / 2.0  # all k(k − 1)/2 of its pairs are there
    return np.asarray(2.0 / k[of_group], dtype=np.float64)


def choose_groups(
    known: Knowledge,
    groups: Sequence[Positions],
    n: int,
    *,
    target: Floats | None = None,
    closed: Positions | None = None,
    asked: Sequence[Positions] = (),
) -> GroupPicks:
    """Greedily the min(n, len(groups)) groups that tell most.

    groups: rows of known.z of the responses of each candidate group. target: M (q, q) for I-optimality, see
    `target.moment`; None for D-optimality. closed: `pair_keys` of pairs that were asked about elsewhere; they
    count nothing towards a group. asked: groups that are asked about in any case, learned of first. Ties go
    to the group named first.
    """
    first, second, number, weight = group_pairs([*asked, *groups])
    begin, every = len(asked), len(asked) + len(groups)
    v = outlook(known, first, second).information * weight
    counts = ~np.isin(pair_keys(first, second, len(known.z)), [] if closed is None else closed)
    sigma = known.posterior.covariance
    design = GreedyDesign(
        known.z, first, second, v, sigma, target, effects=known.effects, arithmetic=known.arithmetic
    )
    at_first = _summed(number, np.maximum(design.gains(), 0.0) * counts, every)[begin:]
    for row in np.flatnonzero(number < begin):
        design.pick(int(row))
    open_groups = np.arange(every) >= begin
    picks, gains, information, decisive = [], [], [], []
    for _ in range(min(n, len(groups))):
        each = np.maximum(design.gains(), 0.0) * counts
        total = _summed(number, each, every)
        best = int(np.argmax(np.where(open_groups, total, -1.0)))
        rows = np.flatnonzero(number == best)
        top = rows[int(np.argmax(each[rows]))]
        open_groups[best] = False
        picks.append(best - begin)
        gains.append(float(total[best]))
        decisive.append((int(first[top]), int(second[top])))
        information.append(sum(design.pick(int(row)) for row in rows))
    return GroupPicks(
        np.array(picks, dtype=np.int64), np.array(gains), np.array(information), tuple(decisive), at_first
    )


def _summed(number: Positions, gain: Floats, groups: int) -> Floats:
    return np.asarray(np.bincount(number, weights=gain, minlength=groups), dtype=np.float64)


def form_groups(
    known: Knowledge,
    candidates: Sequence[Positions],
    size: int,
    *,
    target: Floats | None = None,
    closed: Positions | None = None,
) -> list[Positions]:
    """One group of at most `size` responses of each prompt: its most telling pair, then one response after
    the other that adds most. candidates: rows of known.z of the responses of each prompt that may be shown.
    closed: `pair_keys` of pairs that were asked about already.

    A response whose every pair with the group is closed is not added; prompts with a single response, or
    without an open pair, give no group.
    """
    if size < 2:
        raise PoolError(f"Groups of {size} responses; compare at least two.")
    able = [np.asarray(rows, dtype=np.int64) for rows in candidates if len(rows) > 1]
    first, second, number, _ = group_pairs(able)
    v = outlook(known, first, second).information
    sigma = known.posterior.covariance
    design = GreedyDesign(
        known.z, first, second, v, sigma, target, effects=known.effects, arithmetic=known.arithmetic
    )
    gain = design.gains()
    is_open = ~np.isin(pair_keys(first, second, len(known.z)), [] if closed is None else closed)
    gain = np.where(is_open, np.maximum(gain, 0.0), -1.0)
    ends = np.searchsorted(number, np.arange(len(able) + 1))
    formed = []
    for rows, begin, end in zip(able, ends[:-1], ends[1:], strict=True):
        if is_open[begin:end].any():
            formed.append(_grown(rows, gain[begin:end], size))
    return formed


def _grown(rows: Positions, gain: Floats, size: int) -> Positions:
    """The group of one prompt. gain: of its pairs in the order of `group_pairs`, −1 for a closed one."""
    low, high = np.triu_indices(len(rows), k=1)
    table = np.full((len(rows), len(rows)), -1.0)
    table[low, high] = table[high, low] = gain
    best = int(np.argmax(gain))
    chosen = [int(low[best]), int(high[best])]
    while len(chosen) < min(size, len(rows)):
        with_group = table[:, chosen]
        added = np.where((with_group >= 0).any(axis=1), np.maximum(with_group, 0.0).sum(axis=1), -1.0)
        added[chosen] = -1.0
        if added.max() < 0:
            break
        chosen.append(int(np.argmax(added)))
    return np.asarray(rows[sorted(chosen)])
