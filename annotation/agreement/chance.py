"""What the chance-corrected coefficients share: (p_a − p_e) / (1 − p_e), and the category shares behind
p_e."""

import numpy as np

from annotation.agreement.units import BoolArray, FloatArray, UnitCounts


def category_shares(counts: UnitCounts, weights: FloatArray) -> FloatArray:
    """(D, q) mean over rated units of the share of the unit's ratings in each category: π_c = 1/N Σ_u n_uc
    / m_u.

    With equally many raters everywhere it is the share of all ratings, as in Fleiss (1971); otherwise it is
    Gwet's generalisation, in which units with a single rating count too (irrCAC does the same).
    """
    shares = (weights / counts.sizes) @ counts.patterns
    return np.asarray(shares / np.maximum(weights.sum(axis=1, keepdims=True), 1))


def corrected(observed: FloatArray, expected: FloatArray, defined: BoolArray) -> FloatArray:
    """(D,) agreement beyond chance, NaN where not `defined`."""
    out = np.full(len(observed), np.nan)
    return np.asarray(np.divide(observed - expected, 1 - expected, out=out, where=defined))
