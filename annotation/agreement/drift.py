"""Has agreement fallen, or does it only look so? Krippendorff's α of two windows of units, compared.

The units of an earlier and of a later window are different items, so their α are independent:

    Δ = α_later − α_earlier
    Δ*_d = α*_later,d − α*_earlier,d        d = 1 … D, each from its own item bootstrap

and the percentile interval of Δ* is the interval of the difference. Agreement has fallen where that interval
lies below 0 **and** Δ ≤ −.1: with many units a fall too small to matter would be beyond chance too. By
chance alone the upper end of a 95 % interval is below 0 in 2.5 % of comparisons; whoever compares every hour
will be alarmed for nothing now and then.

Source: B. Efron, R. Tibshirani (1993), An Introduction to the Bootstrap, ch. 8 (two-sample problems) and
ch. 13 (percentile interval); α: K. Krippendorff (2011), Computing Krippendorff's Alpha-Reliability.
"""

from dataclasses import dataclass

import numpy as np

from annotation.agreement.bootstrap import resampled
from annotation.agreement.estimate import UndefinedError, prepare
from annotation.agreement.krippendorff import Level, alpha
from annotation.agreement.units import FloatArray, UnitCounts

FEWEST_UNITS = 30
"""With two ratings or more, in each window: a percentile interval of fewer is too narrow to be believed."""

SMALLEST_FALL = 0.1


@dataclass(frozen=True, slots=True)
class Drift:
    """before, now: α of the two windows, None where undefined. difference = now − before with its interval.

    fallen: beyond chance, and by enough to matter. reason: why nothing can be said, or None.
    """

    before: float | None
    now: float | None
    difference: float | None
    low: float | None
    high: float | None
    units: tuple[int, int]
    fallen: bool = False
    reason: str | None = None


def drift(
    earlier: UnitCounts,
    later: UnitCounts,
    *,
    rng: np.random.Generator,
    level: Level = "ordinal",
    draws: int = 1000,
    confidence: float = 0.95,
) -> Drift:
    """Compare the later window with the earlier one."""
    units = (earlier.paired_units, later.paired_units)
    if min(units) < FEWEST_UNITS:
        return _unknown(units, f"{min(units)} units with two ratings in a window; it takes {FEWEST_UNITS}")
    try:
        before, drawn_before = _alphas(earlier, level, rng, draws)
        now, drawn_now = _alphas(later, level, rng, draws)
    except UndefinedError as undefined:
        return _unknown(units, str(undefined))
    differences = drawn_now - drawn_before
    differences = differences[~np.isnan(differences)]
    if len(differences) < 0.95 * draws:
        return _unknown(units, f"α is undefined in {draws - len(differences)} of {draws} resamples")
    low, high = np.quantile(differences, [(1 - confidence) / 2, (1 + confidence) / 2])
    fall = now - before
    return Drift(
        before=before,
        now=now,
        difference=fall,
        low=float(low),
        high=float(high),
        units=units,
        fallen=bool(high < 0 and fall <= -SMALLEST_FALL),
    )


def _alphas(
    counts: UnitCounts, level: Level, rng: np.random.Generator, draws: int
) -> tuple[float, FloatArray]:
    """α of the window, and (draws,) of its resamples."""
    statistic = prepare(counts, alpha(level))
    observed = counts.multiplicity[None, :].astype(np.float64)
    blocks = [statistic(weights) for weights in resampled(counts, rng=rng, draws=draws)]
    return float(statistic(observed)[0]), np.concatenate(blocks)


def _unknown(units: tuple[int, int], reason: str) -> Drift:
    return Drift(None, None, None, None, None, units, reason=reason)
