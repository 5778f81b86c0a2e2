"""Which candidates a greedy selection looks at: the promising ones, some of every kind, and no outliers."""

from __future__ import annotations

import numpy as np

from activelearning.acquisition.pool import Floats, Mask, Positions, Reals
from activelearning.acquisition.posterior import quadratic_form
from activelearning.acquisition.target import moment


def thin(
    score: Floats | None,
    size: int,
    keep: int,
    rng: np.random.Generator,
    *,
    cluster: Positions | None = None,
    top_share: float = 0.6,
    cluster_share: float = 0.2,
) -> Positions:
    """Positions (sorted) of at most `keep` of `size` candidates: `top_share` of them the best by score,
    `cluster_share` the best of every cluster alike, the rest at random.

    The last two keep what no score favours within reach. cluster: (size,) labels from 0, None for one.
    """
    if size <= keep:
        return np.arange(size)
    chosen = np.zeros(size, dtype=np.bool_)
    if score is not None:
        chosen[np.argpartition(-score, int(keep * top_share))[: int(keep * top_share)]] = True
    if cluster is not None and score is not None:
        order = np.lexsort((-score, cluster))
        starts = np.flatnonzero(np.diff(cluster[order], prepend=-1))
        each = max(1, int(keep * cluster_share) // len(starts))
        place = np.arange(size) - np.repeat(starts, np.diff(np.append(starts, size)))
        chosen[order[place < each]] = True
    missing = keep - int(chosen.sum())
    if missing < 0:  # more clusters than places
        return np.sort(rng.choice(np.flatnonzero(chosen), keep, replace=False))
    chosen[rng.choice(np.flatnonzero(~chosen), missing, replace=False)] = True
    return np.flatnonzero(chosen)


def density_floor(
    z: Reals, first: Positions, second: Positions, quantile: float = 0.99, smallest: int = 200
) -> Mask:
    """False for outliers: leverage xᵀ(XᵀX/N)⁺x above the pool's quantile. D-optimality alone loves outliers.

    x = z[first] − z[second]. Pools under `smallest` pairs are left whole, there a quantile this far out means
    little. The cut keeps ties.
    """
    if len(first) < smallest:
        return np.ones(len(first), dtype=np.bool_)
    spread = moment(z, first, second)
    ridge = 1e-6 * max(float(np.trace(spread)), 1e-12)
    leverage = quadratic_form(z, first, second, np.linalg.inv(spread + ridge * np.eye(len(spread))))
    return np.asarray(leverage <= np.quantile(leverage, quantile), dtype=np.bool_)
