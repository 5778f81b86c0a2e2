"""Percent agreement: the chance that two raters of one unit chose the same category.

    p_a = 1/N₂ Σ_u Σ_c n_uc (n_uc − 1) / (m_u (m_u − 1))        over the N₂ units with m_u ≥ 2

Every unit counts once, however many rated it. Source: K. Gwet (2014), Handbook of Inter-Rater Reliability,
4th ed., ch. 2.
"""

import numpy as np

from annotation.agreement.estimate import Estimate, Statistic, point_estimate
from annotation.agreement.units import FloatArray, UnitCounts


def percent_agreement(counts: UnitCounts) -> Estimate:
    """p_a in 0 … 1, without an interval."""
    return point_estimate(counts, percent)


def percent(counts: UnitCounts) -> Statistic:
    """The coefficient p_a; NaN in draws where no unit has two ratings."""
    sizes, paired = counts.sizes, counts.paired
    same = counts.patterns.power(2).sum(axis=1) - sizes
    agreed = np.divide(same, sizes * (sizes - 1), out=np.zeros(len(sizes)), where=paired)
    both = np.stack([agreed, paired], axis=1)

    def statistic(weights: FloatArray) -> FloatArray:
        total, units = (weights @ both).T
        out = np.full(len(weights), np.nan)
        return np.asarray(np.divide(total, units, out=out, where=units > 0))

    return statistic
