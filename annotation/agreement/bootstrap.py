"""Exact item bootstrap: intervals for every coefficient from the same draws.

Resampling N units with replacement and counting how often each of the P distinct patterns came up gives
multiplicities that are Multinomial(N; multiplicity/N), so they are drawn directly: nothing is approximated
and N does not enter the cost of a draw while P ≪ N. Where patterns are hardly fewer than units the unit
indices are drawn instead, which is the same distribution and then cheaper. Units are what is resampled, all
rated ones; those with a single rating come along, as they would if items were collected again. Where units
belong together (`clusters`) whole clusters are drawn, with all their units.

Source: B. Efron, R. Tibshirani (1993), An Introduction to the Bootstrap, ch. 13 (percentile interval).
"""

from collections.abc import Iterator, Mapping

import numpy as np

from annotation.agreement.clusters import Clusters
from annotation.agreement.estimate import (
    Coefficient,
    Estimate,
    Statistic,
    UndefinedError,
    prepare,
    with_interval,
    without_value,
)
from annotation.agreement.units import BLOCK_CELLS, FloatArray, UnitCounts

MULTINOMIAL_COST = 12
"""Drawing one pattern's binomial takes about as long as drawing this many unit indices (measured)."""

LOST_DRAWS = 0.05
"""Share of draws that may be undefined before the interval is withheld: the rest is no fair sample then."""


def resampled(counts: UnitCounts, *, rng: np.random.Generator, draws: int) -> Iterator[FloatArray]:
    """Multiplicities of the patterns in resamples of the units: blocks (d, P), `draws` rows in all."""
    units, width = counts.units, len(counts.multiplicity)
    by_pattern = MULTINOMIAL_COST * width <= units
    owner = np.arange(0) if by_pattern else np.repeat(np.arange(width), counts.multiplicity)
    longest = max(width if by_pattern else units, len(counts.categories), 1)
    step = max(1, BLOCK_CELLS // longest)
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        if by_pattern:
            drawn = rng.multinomial(units, counts.multiplicity / units, size=rows)
        else:
            picked = owner[rng.integers(0, units, size=(rows, units))]
            flat = (picked + np.arange(rows)[:, None] * width).ravel()
            drawn = np.bincount(flat, minlength=rows * width).reshape(rows, width)
        yield drawn.astype(np.float64)


def resampled_clusters(clusters: Clusters, *, rng: np.random.Generator, draws: int) -> Iterator[FloatArray]:
    """The same of resamples of whole clusters."""
    number, width = clusters.incidence.shape
    step = max(1, BLOCK_CELLS // max(number, width, 1))
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        picked = rng.integers(0, number, size=(rows, number))
        flat = (picked + np.arange(rows)[:, None] * number).ravel()
        drawn = np.bincount(flat, minlength=rows * number).reshape(rows, number)
        yield np.asarray(drawn @ clusters.incidence, dtype=np.float64)


def resampled_means(
    values: FloatArray, *, rng: np.random.Generator, draws: int, places: int = 12
) -> FloatArray:
    """(draws,) means of resamples of N values; values equal to so many decimal places are drawn together."""
    distinct, multiplicity = np.unique(np.round(values, places), return_counts=True)
    step = max(1, BLOCK_CELLS // len(distinct))
    blocks = [
        rng.multinomial(len(values), multiplicity / len(values), size=min(step, draws - start)) @ distinct
        for start in range(0, draws, step)
    ]
    return np.concatenate(blocks) / len(values)


def estimates(
    counts: UnitCounts,
    coefficients: Mapping[str, Coefficient],
    *,
    rng: np.random.Generator,
    draws: int = 1000,
    confidence: float = 0.95,
    clusters: Clusters | None = None,
) -> dict[str, Estimate]:
    """Each coefficient with its percentile interval, all from the same draws.

    clusters: units that belong together and are drawn together; they must be those of `counts`.
    A coefficient without a value gets its reason and no interval. `draws=0` gives values alone.
    """
    if draws < 0 or not 0 < confidence < 1:
        raise ValueError(f"draws {draws} must be 0 or more, confidence {confidence} between 0 and 1")
    ready: dict[str, Statistic] = {}
    out: dict[str, Estimate] = {}
    for name, coefficient in coefficients.items():
        try:
            ready[name] = prepare(counts, coefficient)
        except UndefinedError as undefined:
            out[name] = without_value(counts, str(undefined))
    observed = counts.multiplicity[None, :].astype(np.float64)
    collected: dict[str, list[FloatArray]] = {name: [] for name in ready}
    if ready and counts.paired_units > 1:
        blocks = (
            resampled(counts, rng=rng, draws=draws)
            if clusters is None
            else resampled_clusters(clusters, rng=rng, draws=draws)
        )
        for weights in blocks:
            for name, statistic in ready.items():
                collected[name].append(statistic(weights))
    for name, statistic in ready.items():
        values = np.concatenate(collected[name]) if collected[name] else np.zeros(0)
        out[name] = _interval(counts, float(statistic(observed)[0]), values, draws, confidence)
    return {name: out[name] for name in coefficients}


def _interval(
    counts: UnitCounts, value: float, values: FloatArray, draws: int, confidence: float
) -> Estimate:
    if draws == 0:
        return with_interval(counts, value, None, None, None, 0)
    if counts.paired_units < 2:
        return with_interval(counts, value, None, None, "one unit with two ratings gives no interval", 0)
    values = values[~np.isnan(values)]
    if draws - len(values) > LOST_DRAWS * draws:
        reason = f"no interval: the coefficient is undefined in {draws - len(values)} of {draws} resamples"
        return with_interval(counts, value, None, None, reason, len(values))
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return with_interval(counts, value, float(low), float(high), None, len(values))
