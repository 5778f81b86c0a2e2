"""Cohen's kappa of two raters over the units both judged.

    κ = (p_o − p_e) / (1 − p_e),   p_o = Σ_i p_ii,   p_e = Σ_i p_i· p_·i

with the large-sample standard error of κ (not the one under the null)

    se² = [Σ_i p_ii (1 − (p_i· + p_·i)(1−κ))² + (1−κ)² Σ_{i≠j} p_ij (p_·i + p_j·)² − (κ − p_e (1−κ))²] / (N
    (1−p_e)²)

Sources: J. Cohen (1960), A coefficient of agreement for nominal scales; J. Fleiss, J. Cohen, B. Everitt
(1969), Large sample standard errors of kappa and weighted kappa, Psychological Bulletin 72(5).
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from annotation.agreement.estimate import ONE_CATEGORY
from annotation.agreement.units import FloatArray, UnusableRatingsError

NO_SHARED_UNIT = "the two raters share no unit"


@dataclass(frozen=True, slots=True)
class PairKappa:
    """κ of one pair of raters; value None with `reason` where undefined. low, high: normal interval."""

    value: float | None
    low: float | None
    high: float | None
    standard_error: float | None
    reason: str | None
    units: int


def contingency(first: npt.ArrayLike, second: npt.ArrayLike, categories: int) -> FloatArray:
    """(q, q) table of units by the category each rater gave, from codes 0 … q−1; negative = did not rate."""
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape or a.ndim != 1:
        raise UnusableRatingsError(f"raters' codes {a.shape} and {b.shape} must be flat and of one length")
    if max(a.max(initial=-1), b.max(initial=-1)) >= categories:
        raise UnusableRatingsError(f"codes must be below {categories}, found {max(a.max(), b.max())}")
    both = (a >= 0) & (b >= 0)
    cells = np.bincount(a[both] * categories + b[both], minlength=categories**2)
    return cells.reshape(categories, categories).astype(np.float64)


def cohen_kappa(table: npt.ArrayLike, *, confidence: float = 0.95) -> PairKappa:
    """κ from a contingency table (q, q) of counts, first rater in rows."""
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not (counts >= 0).all():
        raise UnusableRatingsError(f"a contingency table is square and not negative, given {counts.shape}")
    units = counts.sum()
    if units == 0:
        return PairKappa(None, None, None, None, NO_SHARED_UNIT, 0)
    p = counts / units
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    if np.count_nonzero(rows + columns) < 2:
        return PairKappa(None, None, None, None, ONE_CATEGORY, int(units))
    chance = rows @ columns
    kappa = (np.trace(p) - chance) / (1 - chance)
    miss = 1 - kappa
    weight = (miss * np.add.outer(columns, rows)) ** 2
    np.fill_diagonal(weight, (1 - (rows + columns) * miss) ** 2)
    variance = ((p * weight).sum() - (kappa - chance * miss) ** 2) / (units * (1 - chance) ** 2)
    error = float(np.sqrt(max(variance, 0.0)))
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * error
    low, high = max(-1.0, float(kappa) - reach), min(1.0, float(kappa) + reach)
    return PairKappa(float(kappa), low, high, error, None, int(units))
