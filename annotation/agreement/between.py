"""Agreement of two groups of people: whether a member of one says what a member of the other says.

    κ = 1 − Σ_ck J_ck δ²_ck / Σ_ck p_c r_k δ²_ck,   J_ck = mean over shared units of (n_uc / n_u)(m_uk / m_u)

n_uc of the first group's n_u ratings and m_uk of the second's m_u are in these categories; J is the table of
one drawn from each group, p and r are its margins. It is Cohen's κ of that table, and with one person in each
group Cohen's κ itself; 1 where all members say the same, 0 where the groups are as good as independent. How
far it stays below the agreement inside each group is how far the groups differ.

    nominal   δ² = [c ≠ k]
    ordinal   δ² = (R_c − R_k)²,  R the mid-ranks of (p + r)/2

Sources: S. Vanbelle, A. Albert (2009), Agreement between two independent groups of raters, Psychometrika
74(3); K. Wong, P. Paritosh, L. Aroyo (2021), Cross-replication reliability, ACL.
"""

from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from annotation.agreement.bootstrap import estimates
from annotation.agreement.clusters import clusters_of
from annotation.agreement.estimate import ONE_CATEGORY, Coefficient, Estimate, Statistic, UndefinedError
from annotation.agreement.units import FloatArray, UnitCounts, UnusableRatingsError, from_matrix

NONE_SHARED = "the two groups share no unit"
BetweenLevel = Literal["nominal", "ordinal"]


def agreement_between(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    levels: tuple[BetweenLevel, ...] = ("nominal", "ordinal"),
    cluster: npt.ArrayLike | None = None,
    rng: np.random.Generator,
    draws: int = 1000,
) -> dict[BetweenLevel, Estimate]:
    """κ at each level with its interval over draws of units.

    first, second: (units, q) how many of each group said what of the same units; those that one group did not
    rate are left out. cluster: (units,) whole numbers where units belong together and are drawn together.
    """
    one, other = np.asarray(first), np.asarray(second)
    if one.shape != other.shape or one.ndim != 2:
        raise UnusableRatingsError(f"counts {one.shape} and {other.shape} must be of the same units")
    shared = (one.sum(axis=1) > 0) & (other.sum(axis=1) > 0)
    if not shared.any():
        none = Estimate(None, None, None, NONE_SHARED, 0, 0, len(one))
        return dict.fromkeys(levels, none)
    table = np.hstack([one[shared], other[shared]])
    counts = from_matrix(table)
    together = None if cluster is None else clusters_of(counts, table, np.asarray(cluster)[shared])
    wanted: dict[str, Coefficient] = {level: partial(_kappa, level=level) for level in levels}
    found = estimates(counts, wanted, rng=rng, draws=draws, clusters=together)
    return {level: found[level] for level in levels}


def _kappa(counts: UnitCounts, level: BetweenLevel) -> Statistic:
    patterns = counts.patterns.toarray()
    width = patterns.shape[1] // 2
    one, other = patterns[:, :width], patterns[:, width:]
    if np.count_nonzero((one + other).sum(axis=0)) < 2:
        raise UndefinedError(ONE_CATEGORY)
    shares = one / one.sum(axis=1, keepdims=True), other / other.sum(axis=1, keepdims=True)
    joint = np.einsum("uc,uk->uck", *shares).reshape(len(patterns), -1)

    def statistic(weights: FloatArray) -> FloatArray:
        drawn = (weights @ joint / weights.sum(axis=1, keepdims=True)).reshape(-1, width, width)
        p, r = drawn.sum(axis=2), drawn.sum(axis=1)
        metric = _metric(level, (p + r) / 2)
        observed = (drawn * metric).sum(axis=(1, 2))
        expected = np.einsum("dc,dk,dck->d", p, r, metric)
        defined = np.count_nonzero(p + r, axis=1) >= 2
        ratio = np.divide(observed, expected, out=np.full(len(p), np.nan), where=defined)
        return np.asarray(1 - ratio)

    return statistic


def _metric(level: BetweenLevel, margins: FloatArray) -> FloatArray:
    """(D, q, q) δ² of each draw; margins (D, q)."""
    if level == "nominal":
        width = margins.shape[1]
        return np.broadcast_to(1 - np.eye(width), (len(margins), width, width))
    ranks = np.cumsum(margins, axis=1) - margins / 2
    return np.asarray((ranks[:, :, None] - ranks[:, None, :]) ** 2)
