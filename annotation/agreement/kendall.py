"""Kendall's coefficient of concordance W: how far several people put the same responses in the same order.

    W = 12 S / (m² (n³ − n) − m Σ_j T_j)       m people, n responses
    S = Σ_i (R_i − m (n + 1)/2)²               R_i = Σ_j r_ij, the sum of the mid-ranks of response i
    T_j = Σ (t³ − t)                           over the groups of t responses that person j ranked level

1 where all orders are the same, 0 where all rank sums are. It is not corrected for chance: orders drawn at
random give 1/m on average. The mean of Spearman's ρ over all pairs of people is, where nobody ranks responses
level, (m W − 1)/(m − 1): that is 0 for chance, and what is worked out beside it.

One item gives one W. A project's is the mean over its items, each counting once.

Sources: M. Kendall, B. Babington Smith (1939), The problem of m rankings; M. Kendall (1948), Rank Correlation
Methods, ch. 6 (ties).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotation.agreement.bootstrap import resampled_means
from annotation.agreement.estimate import NO_PAIR, Estimate
from annotation.agreement.units import BoolArray, FloatArray, IntArray, UnusableRatingsError

ALL_LEVEL = "everybody ranked all responses level"


@dataclass(frozen=True, slots=True, eq=False)
class Concordances:
    """One entry an item with at least one ranking.

    item: (U,) ids, ascending. people: (U,) rankings of the item. responses: (U,) n. w: (U,) in 0 … 1, NaN
    where one person alone ranked the item or everybody ranked all level. rho: (U,) (m W − 1)/(m − 1).
    """

    item: IntArray
    people: IntArray
    responses: IntArray
    w: FloatArray

    @property
    def rho(self) -> FloatArray:
        m = np.where(self.people > 1, self.people, np.nan)
        return np.asarray((m * self.w - 1) / (m - 1))


def concordances(
    item: npt.ArrayLike, ranks: Sequence[npt.ArrayLike], people: npt.ArrayLike | None = None
) -> Concordances:
    """W of each item.

    item: (V,) whole numbers. ranks: V rankings, each of the item's n responses in one order; lower is better,
    equal is level. people: (V,) how many gave that ranking of that item; default one each.
    Raises UnusableRatingsError where the rankings of one item are not of one length, or a count is negative.
    """
    ids = np.asarray(item, dtype=np.int64)
    counts = np.ones(len(ids)) if people is None else np.asarray(people, dtype=np.float64)
    lengths = np.array([np.size(one) for one in ranks], dtype=np.int64)
    if not ids.shape == lengths.shape == counts.shape or (counts < 0).any():
        raise UnusableRatingsError(
            f"{len(ids)} items, {len(lengths)} rankings and {len(counts)} counts, none of them negative, "
            "must be as many"
        )
    items, unit = np.unique(ids, return_inverse=True)
    size = np.zeros(len(items), dtype=np.int64)
    size[unit] = lengths
    if (size[unit] != lengths).any():
        first = ids[size[unit] != lengths][0]
        raise UnusableRatingsError(f"item {first} has rankings of different lengths: rank all its responses")
    people_of = np.bincount(unit, weights=counts, minlength=len(items)).astype(np.float64)
    w = np.full(len(items), np.nan)
    for n in np.unique(size).tolist():
        which = np.flatnonzero(lengths == n)
        mid = mid_ranks(np.array([ranks[place] for place in which.tolist()], dtype=np.float64))
        w_n = _concordance(unit[which], mid, counts[which], people_of)
        w[size == n] = w_n[size == n]
    return Concordances(items, people_of.astype(np.int64), size, w)


def mid_ranks(ranks: FloatArray) -> FloatArray:
    """(V, n) any ranking numbers to ranks 1 … n with level ones at the mean of their places."""
    below = (ranks[:, None, :] < ranks[:, :, None]).sum(axis=2)
    level = (ranks[:, None, :] == ranks[:, :, None]).sum(axis=2)
    return np.asarray(below + (level + 1) / 2)


def mean_concordance(
    found: Concordances, *, rng: np.random.Generator, draws: int = 1000, confidence: float = 0.95
) -> Estimate:
    """The mean W over items, with its item-bootstrap interval; `draws=0` gives the value alone."""
    return _mean(found, found.w, rng, draws, confidence)


def mean_spearman(
    found: Concordances, *, rng: np.random.Generator, draws: int = 1000, confidence: float = 0.95
) -> Estimate:
    """The mean over items of (m W − 1)/(m − 1): 0 for chance."""
    return _mean(found, found.rho, rng, draws, confidence)


def _mean(
    found: Concordances, values: FloatArray, rng: np.random.Generator, draws: int, confidence: float
) -> Estimate:
    used = ~np.isnan(values)
    support = (int(used.sum()), int(found.people[used].sum()), int((~used).sum()))
    if not used.any():
        reason = NO_PAIR if not (found.people > 1).any() else ALL_LEVEL
        return Estimate(None, None, None, reason, *support)
    value = float(values[used].mean())
    if draws == 0:
        return Estimate(value, None, None, None, *support)
    if support[0] < 2:
        return Estimate(value, None, None, "one item gives no interval", *support)
    drawn = resampled_means(values[used], rng=rng, draws=draws)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(value, float(low), float(high), None, *support, draws)


def _concordance(unit: IntArray, mid: FloatArray, counts: FloatArray, people: FloatArray) -> FloatArray:
    """(U,) W of the units whose rankings these are, NaN elsewhere."""
    n, units = mid.shape[1], len(people)
    sums = np.stack([np.bincount(unit, weights=counts * place, minlength=units) for place in mid.T], axis=1)
    spread = ((sums - people[:, None] * (n + 1) / 2) ** 2).sum(axis=1)
    # Σ (t³ − t) of a ranking = n³ − n − 12 Σ (r − (n + 1)/2)²: what levelling took out of its own spread.
    own = 12 * ((mid - (n + 1) / 2) ** 2).sum(axis=1)
    most = people * np.bincount(unit, weights=counts * own, minlength=units)
    defined: BoolArray = (people > 1) & (most > 0)
    return np.asarray(np.divide(12 * spread, most, out=np.full(units, np.nan), where=defined))
