"""Krippendorff's alpha for nominal, ordinal, interval and ratio data with missing ratings.

    α = 1 − D_o / D_e
    D_o = 1/n Σ_u Σ_{c,k} n_uc n_uk δ²_ck / (m_u − 1)         disagreement inside units
    D_e = 1/(n(n−1)) Σ_{c,k} n_c n_k δ²_ck                     disagreement between any two ratings

n_uc ratings of unit u in category c, m_u = Σ_c n_uc ≥ 2 (other units are dropped), n_c = Σ_u n_uc, n = Σ_c
n_c.

    nominal   δ² = [c ≠ k]
    ordinal   δ² = (Σ_{g=c..k} n_g − (n_c + n_k)/2)² = (R_c − R_k)²,  R_c = Σ_{g<c} n_g + n_c/2 the mid-rank
    interval  δ² = (v_c − v_k)²
    ratio     δ² = ((v_c − v_k)/(v_c + v_k))²

Source: K. Krippendorff (2011), Computing Krippendorff's Alpha-Reliability,
https://repository.upenn.edu/asc_papers/43. The ordinal metric depends on the marginals, so it is worked out
anew in every bootstrap draw.
"""

from functools import partial
from typing import Literal

import numpy as np
from scipy import sparse

from annotation.agreement.estimate import (
    ONE_CATEGORY,
    Coefficient,
    Estimate,
    Statistic,
    UndefinedError,
    point_estimate,
)
from annotation.agreement.units import BLOCK_CELLS, BoolArray, FloatArray, UnitCounts

Level = Literal["nominal", "ordinal", "interval", "ratio"]
LEVELS: tuple[Level, ...] = ("nominal", "ordinal", "interval", "ratio")

MAX_RATIO_VALUES = 4096
"""The ratio metric needs a table of values × values: 4,096 of them are 128 MB."""


def krippendorff_alpha(counts: UnitCounts, level: Level = "nominal") -> Estimate:
    """α at one level, without an interval (`bootstrap.estimates` adds it)."""
    return point_estimate(counts, alpha(level))


def alpha(level: Level) -> Coefficient:
    """The coefficient at one level; on counts without an α it raises UndefinedError with the reason."""
    if level not in LEVELS:
        raise ValueError(f"level {level!r} is none of {', '.join(LEVELS)}")
    return partial(_alpha, level=level)


def _alpha(counts: UnitCounts, level: Level) -> Statistic:
    paired = counts.paired
    if np.count_nonzero(counts.patterns[paired].sum(axis=0)) < 2:
        raise UndefinedError(ONE_CATEGORY)
    if level == "ordinal":
        return partial(_ordinal, counts.patterns, counts.sizes, paired)
    if level == "nominal":
        inside = counts.sizes**2 - counts.patterns.power(2).sum(axis=1)
        between = _nominal_between
    elif level == "interval":
        values = _values(counts, level)
        values = (values - values.mean()) / np.ptp(values)
        first, second = counts.patterns @ values, counts.patterns @ values**2
        inside = 2 * np.maximum(counts.sizes * second - first**2, 0)
        between = partial(_interval_between, values)
    else:
        squared = _ratio_metric(_values(counts, level))
        inside = _quadratic(counts.patterns, squared)
        between = partial(_metric_between, squared)
    per_unit = np.divide(inside, counts.sizes - 1, out=np.zeros(len(inside)), where=paired)

    def statistic(weights: FloatArray) -> FloatArray:
        weights = weights * paired
        margins = weights @ counts.patterns
        return _one_minus_ratio(weights @ per_unit, between(margins), margins)

    return statistic


def _one_minus_ratio(inside: FloatArray, between: FloatArray, margins: FloatArray) -> FloatArray:
    """1 − D_o/D_e from the unnormalised sums; NaN where fewer than two categories occur."""
    defined = np.count_nonzero(margins, axis=1) >= 2
    ratio = np.divide(inside, between, out=np.full(len(inside), np.nan), where=defined)
    return np.asarray(1 - (margins.sum(axis=1) - 1) * ratio)


def _ordinal(
    patterns: sparse.csr_array, sizes: FloatArray, paired: BoolArray, weights: FloatArray
) -> FloatArray:
    """Interval α on the mid-ranks of each draw: ranks are centred on their mean n/2 and scaled by n."""
    share = np.divide(1, sizes - 1, out=np.zeros(len(sizes)), where=paired)
    margins = (weights * paired) @ patterns
    total = np.maximum(margins.sum(axis=1, keepdims=True), 1)
    ranks = (np.cumsum(margins, axis=1) - margins / 2) / total - 0.5
    ranks *= margins > 0
    squares = ((weights * (share * sizes)) @ patterns * ranks**2).sum(axis=1)
    sums = (patterns @ ranks.T).T
    inside = 2 * (squares - np.einsum("dp,dp,dp->d", weights * share, sums, sums, optimize=False))
    between = 2 * total[:, 0] * (margins * ranks**2).sum(axis=1)
    return _one_minus_ratio(np.maximum(inside, 0), between, margins)


def _quadratic(patterns: sparse.csr_array, metric: FloatArray) -> FloatArray:
    """(P,) Σ_{c,k} n_c n_k δ²_ck of each pattern, a block of patterns at a time."""
    step = max(1, BLOCK_CELLS // metric.shape[1])
    blocks = [patterns[start : start + step] for start in range(0, patterns.shape[0], step)]
    return np.concatenate([block.multiply(block @ metric).sum(axis=1) for block in blocks])


def _nominal_between(margins: FloatArray) -> FloatArray:
    return np.asarray(margins.sum(axis=1) ** 2 - (margins**2).sum(axis=1))


def _interval_between(values: FloatArray, margins: FloatArray) -> FloatArray:
    return np.asarray(2 * (margins.sum(axis=1) * (margins @ values**2) - (margins @ values) ** 2))


def _metric_between(squared: FloatArray, margins: FloatArray) -> FloatArray:
    return np.asarray(((margins @ squared) * margins).sum(axis=1))


def _values(counts: UnitCounts, level: Level) -> FloatArray:
    if counts.numeric is None:
        raise UndefinedError(f"the categories have no numeric values, which the {level} level needs")
    return counts.numeric


def _ratio_metric(values: FloatArray) -> FloatArray:
    """(q, q) squared differences; zero against zero is no difference."""
    if values[0] < 0:
        raise UndefinedError(f"the ratio level needs values of zero or more, found {values[0]:g}")
    if len(values) > MAX_RATIO_VALUES:
        raise UndefinedError(
            f"the ratio level takes at most {MAX_RATIO_VALUES} distinct values, found {len(values)}"
        )
    sums = np.add.outer(values, values)
    ratio = np.divide(np.subtract.outer(values, values), sums, out=np.zeros_like(sums), where=sums > 0)
    return np.asarray(ratio**2)
