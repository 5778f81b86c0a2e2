"""Pools that do not fit in memory: a shortlist from shards of responses, each looked at once.

A shard holds the responses of some prompts; its pairs are formed from them on the spot. Of all pairs a
shortlist keeps the most promising by the gain each would have as the first pick, and a uniformly random rest,
so that what no score favours stays within reach. Memory: one shard and the shortlist, whatever the number of
shards. The shortlist does not depend on how the pool is cut: every pair has a number, and its random key is a
hash of that number and the seed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activelearning.acquisition.arithmetic import NUMPY, Arithmetic
from activelearning.acquisition.pool import Floats, Positions
from activelearning.acquisition.posterior import Posterior
from activelearning.acquisition.projection import Singles

TOP_SHARE = 0.8


@dataclass(frozen=True, eq=False)
class Shard:
    """z: (n, q) features of its responses; response: (n,) their numbers in the whole pool; first, second:
    (N,) pairs as rows of z; number: (N,) the number of each pair in the whole pool, however it is cut.
    """

    z: Singles
    response: Positions
    first: Positions
    second: Positions
    number: Positions


@dataclass(frozen=True, eq=False)
class Shortlist:
    """K pairs in the order of their numbers. z: (n, q) features of the responses that occur, response: (n,)
    their numbers; first, second: (K,) rows of z; number, score: (K,). pairs: how many were looked at.
    """

    z: Singles
    response: Positions
    first: Positions
    second: Positions
    number: Positions
    score: Floats
    pairs: int


def shortlist(
    shards: Iterable[Shard],
    posterior: Posterior,
    target: Floats,
    *,
    keep: int,
    seed: int,
    arithmetic: Arithmetic = NUMPY,
) -> Shortlist:
    """At most `keep` pairs of all shards. target: M (q, q), see `target.moment`, of a sample of the pool;
    arithmetic: who carries out the sums."""
    q = len(posterior.mean)
    spread = posterior.covariance @ target @ posterior.covariance
    top = _Best(int(keep * TOP_SHARE), q)
    drawn = _Best(keep, q)  # the rest is taken from it, as many as the top leaves room for
    pairs = 0
    for shard in shards:
        gain = first_gain(shard.z, shard.first, shard.second, posterior, spread, arithmetic)
        key = random_keys(shard.number, seed)
        top.offer(gain, shard, gain)
        drawn.offer(key, shard, gain)
        pairs += len(gain)
    others = np.flatnonzero(~np.isin(drawn.number, top.number))
    order = others[np.argsort(-drawn.rank[others], kind="stable")][: keep - len(top.number)]
    number = np.concatenate([top.number, drawn.number[order]])
    score = np.concatenate([top.score, drawn.score[order]])
    response = np.concatenate([top.response, drawn.response[order]])
    z = np.concatenate([top.z, drawn.z[order]]).reshape(-1, q)
    by_number = np.argsort(number, kind="stable")
    known, once, place = np.unique(response[by_number].ravel(), return_index=True, return_inverse=True)
    rows = (2 * by_number[:, None] + np.arange(2)).ravel()[once]
    sides = place.reshape(-1, 2)
    return Shortlist(z[rows], known, sides[:, 0], sides[:, 1], number[by_number], score[by_number], pairs)


def first_gain(
    z: Singles,
    first: Positions,
    second: Positions,
    posterior: Posterior,
    spread: Floats,
    arithmetic: Arithmetic = NUMPY,
) -> Floats:
    """v xᵀΣMΣx/(1 + v s²) of every pair, (N,). spread: ΣMΣ (q, q)."""
    reward = np.asarray(z @ posterior.mean.astype(np.float32), dtype=np.float64)
    variance = arithmetic.quadratic_form(z, first, second, posterior.covariance)
    scaled = (reward[first] - reward[second]) / np.sqrt(1 + np.pi * variance / 8)
    v = 1.0 / (2.0 + 2.0 * np.cosh(np.minimum(np.abs(scaled), 500.0)))
    return np.asarray(v * arithmetic.quadratic_form(z, first, second, spread) / (1.0 + v * variance))


def random_keys(number: Positions, seed: int) -> Floats:
    """Uniform in [0, 1) by pair number and seed, (N,): the finaliser of SplitMix64 (Steele et al. 2014)."""
    x = number.astype(np.uint64) + np.uint64((seed * 0x9E3779B97F4A7C15) % (1 << 64))
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((x ^ (x >> np.uint64(31))) >> np.uint64(11), dtype=np.float64) / (1 << 53)


class _Best:
    """The `size` pairs with the largest rank seen so far; equal ranks go to the lower number."""

    def __init__(self, size: int, q: int) -> None:
        self._size = size
        self.rank = self.score = np.zeros(0)
        self.number: Positions = np.zeros(0, dtype=np.int64)
        self.response: Positions = np.zeros((0, 2), dtype=np.int64)
        self.z: NDArray[np.float32] = np.zeros((0, 2, q), dtype=np.float32)

    def offer(self, rank: Floats, shard: Shard, score: Floats) -> None:
        rows = np.arange(len(rank))
        if len(self.rank) == self._size and self._size:
            rows = np.flatnonzero(rank >= self.rank.min())
        if len(rows) > self._size:  # only a shard's own best can be among the best of all
            rows = rows[np.lexsort((shard.number[rows], -rank[rows]))[: self._size]]
        sides = np.stack([shard.first[rows], shard.second[rows]], axis=1)
        every = np.concatenate([self.rank, rank[rows]])
        number = np.concatenate([self.number, shard.number[rows]])
        best = np.lexsort((number, -every))[: self._size]
        self.rank, self.number = every[best], number[best]
        self.score = np.concatenate([self.score, score[rows]])[best]
        self.response = np.concatenate([self.response, shard.response[sides]])[best]
        self.z = np.concatenate([self.z, shard.z[sides]])[best]
