"""Gwet's AC1 and the Brennan-Prediger coefficient: agreement beyond chance that stays usable when one
category prevails.

    AC1:              p_e = 1/(q−1) Σ_c π_c (1 − π_c)
    Brennan-Prediger: p_e = 1/q

q is the number of *possible* categories, so declare them when building the counts. π as for Fleiss' kappa.
Sources: K. Gwet (2008), Computing inter-rater reliability and its variance in the presence of high
agreement, BJMSP 61; R. Brennan, D. Prediger (1981), Coefficient kappa: some uses, misuses, and alternatives.
"""

import numpy as np

from annotation.agreement.chance import category_shares, corrected
from annotation.agreement.estimate import Estimate, Statistic, UndefinedError, point_estimate
from annotation.agreement.percent import percent
from annotation.agreement.units import FloatArray, UnitCounts

ONE_POSSIBLE = "only one category is possible"


def gwet_ac1(counts: UnitCounts) -> Estimate:
    """AC1 without an interval."""
    return point_estimate(counts, ac1)


def brennan_prediger(counts: UnitCounts) -> Estimate:
    """The Brennan-Prediger coefficient without an interval."""
    return point_estimate(counts, uniform_chance)


def ac1(counts: UnitCounts) -> Statistic:
    """The coefficient AC1; UndefinedError if only one category is possible."""
    width = _possible(counts)
    agreement = percent(counts)

    def statistic(weights: FloatArray) -> FloatArray:
        shares = category_shares(counts, weights)
        expected = (shares * (1 - shares)).sum(axis=1) / (width - 1)
        return corrected(agreement(weights), expected, np.ones(len(weights), np.bool_))

    return statistic


def uniform_chance(counts: UnitCounts) -> Statistic:
    """The Brennan-Prediger coefficient; UndefinedError if only one category is possible."""
    width = _possible(counts)
    agreement = percent(counts)

    def statistic(weights: FloatArray) -> FloatArray:
        return corrected(
            agreement(weights), np.full(len(weights), 1 / width), np.ones(len(weights), np.bool_)
        )

    return statistic


def _possible(counts: UnitCounts) -> int:
    if len(counts.categories) < 2:
        raise UndefinedError(ONE_POSSIBLE)
    return len(counts.categories)
