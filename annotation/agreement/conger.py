"""Conger's kappa: Cohen's kappa for several annotators, each with their own leaning towards categories.

    κ = (p_a − p_e) / (1 − p_e),   p_e = Σ_k (p̄_k² − s_k² / r)

p_a is percent agreement; p_gk the share of annotator g's ratings in category k, p̄_k its mean and s_k² its
variance (r − 1) over the r annotators. With two annotators and every unit rated by both it is Cohen's kappa.

Sources: A. Conger (1980), Integration and generalization of kappas for multiple raters, Psychological
Bulletin 88(2); K. Gwet (2014), Handbook of Inter-Rater Reliability, 4th ed., ch. 2.5, for missing ratings.
"""

import numpy as np
import numpy.typing as npt

from annotation.agreement.estimate import NO_PAIR, ONE_CATEGORY, Estimate, with_interval, without_value
from annotation.agreement.percent import percent
from annotation.agreement.units import UnusableRatingsError, from_ratings

ONE_ANNOTATOR = "one annotator alone has rated"


def conger_kappa(unit: npt.ArrayLike, annotator: npt.ArrayLike, value: npt.ArrayLike) -> Estimate:
    """κ without an interval, from one rating a row: which unit (n,), by whom (n,), what (n,)."""
    values, who = np.asarray(value), np.asarray(annotator)
    counts = from_ratings(unit, values)
    if who.shape != values.shape:
        raise UnusableRatingsError(f"annotators {who.shape} and ratings {values.shape} must be as many")
    if counts.paired_units == 0:
        return without_value(counts, NO_PAIR)
    people, row = np.unique(who, return_inverse=True)
    kinds, column = np.unique(values, return_inverse=True)
    if len(people) < 2:
        return without_value(counts, ONE_ANNOTATOR)
    table = np.zeros((len(people), len(kinds)))
    np.add.at(table, (row, column), 1)
    shares = table / table.sum(axis=1, keepdims=True)
    chance = float((shares.mean(axis=0) ** 2 - shares.var(axis=0, ddof=1) / len(people)).sum())
    if chance >= 1:
        return without_value(counts, ONE_CATEGORY)
    agreed = float(percent(counts)(counts.multiplicity[None, :].astype(np.float64))[0])
    return with_interval(counts, (agreed - chance) / (1 - chance), None, None, None, 0)
