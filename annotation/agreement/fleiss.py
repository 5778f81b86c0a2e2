"""Fleiss' kappa, for equally and for unequally many raters per unit.

    κ = (p_a − p_e) / (1 − p_e),   p_e = Σ_c π_c²,   π_c = 1/N Σ_u n_uc / m_u

p_a is percent agreement. With m raters on every unit π_c = Σ_u n_uc / (N m) and this is exactly J. L.
Fleiss (1971), Measuring nominal scale agreement among many raters, Psychological Bulletin 76(5). With
unequal m it is the generalisation of K. Gwet (2014) as in his R package
irrCAC: p_a over units with two ratings or more, π over all rated units.
"""

from dataclasses import dataclass

import numpy as np

from annotation.agreement.chance import category_shares, corrected
from annotation.agreement.estimate import ONE_CATEGORY, Estimate, Statistic, UndefinedError, point_estimate
from annotation.agreement.percent import percent
from annotation.agreement.units import FloatArray, UnitCounts


class UnequalRatersError(ValueError):
    """The classic formula was asked for units with unequal numbers of ratings."""


@dataclass(frozen=True, slots=True)
class ClassicFleiss:
    """Fleiss' own by-products for m raters on every unit.

    per_category: κ of each category against all others, None for one that was never or always used.
    null_error: standard error of κ if all agreement were chance, for z = κ / null_error; an interval comes
    from the bootstrap instead.
    """

    kappa: float
    per_category: tuple[float | None, ...]
    null_error: float


def fleiss_kappa(counts: UnitCounts) -> Estimate:
    """κ without an interval."""
    return point_estimate(counts, fleiss)


def fleiss(counts: UnitCounts) -> Statistic:
    """The coefficient κ; UndefinedError if all ratings fall in one category."""
    if np.count_nonzero(counts.patterns.sum(axis=0)) < 2:
        raise UndefinedError(ONE_CATEGORY)
    agreement = percent(counts)

    def statistic(weights: FloatArray) -> FloatArray:
        shares = category_shares(counts, weights)
        defined = np.count_nonzero(shares, axis=1) >= 2
        return corrected(agreement(weights), (shares**2).sum(axis=1), defined)

    return statistic


def classic_fleiss(counts: UnitCounts) -> ClassicFleiss:
    """Per-category κ and null standard error where every unit has the same m ≥ 2 ratings.

        κ_c = 1 − Σ_u n_uc (m − n_uc) / (N m (m−1) p_c (1 − p_c))
        se₀ = √2 / (Σ_c p_c q_c √(N m (m−1))) · √((Σ_c p_c q_c)² − Σ_c p_c q_c (q_c − p_c)),   q = 1 − p

    Raises UnequalRatersError elsewhere. Source of se₀: Fleiss, Nee, Landis (1979), Large sample variance of
    kappa in the case of different sets of raters.
    """
    raters = np.unique(counts.sizes)
    if len(raters) != 1 or raters[0] < 2 or counts.unrated:
        raise UnequalRatersError(
            f"ratings per unit {raters.tolist()[:8]}: use fleiss_kappa, which allows them to differ"
        )
    kappa = fleiss_kappa(counts)
    if kappa.value is None:
        raise UndefinedError(kappa.reason or ONE_CATEGORY)
    m, units = float(raters[0]), counts.units
    p = counts.multiplicity @ counts.patterns / (units * m)
    pq = p * (1 - p)
    pairs = units * m * (m - 1)
    split = p * units * m * m - counts.multiplicity @ counts.patterns.power(2)
    per_category = tuple(
        float(1 - s / (pairs * v)) if v > 0 else None for s, v in zip(split, pq, strict=True)
    )
    error = np.sqrt(2 * (pq.sum() ** 2 - (pq * (1 - 2 * p)).sum()) / pairs) / pq.sum()
    return ClassicFleiss(kappa.value, per_category, float(error))
