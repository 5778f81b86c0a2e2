"""Two learning curves side by side: how many labels does the one need for what the other reaches with m?

Curves are (S, R): a seed a row, a label count a column; larger is better (negate losses). Both are means over
seeds, made monotone from the left (a level once reached counts as reached) and linear between their points.
Intervals resample the seeds, both arms together, for they are paired.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activelearning.acquisition.pool import Floats, Positions

RESAMPLES = 2_000


@dataclass(frozen=True)
class Ratio:
    """Labels needed over labels of the reference. value, low, high: 95 % interval. censored: the level was
    not reached with the labels there were, so `value` is a lower bound; censored_share: of the resamples.
    """

    value: float
    low: float
    high: float
    censored: bool
    censored_share: float
    seeds: int


@dataclass(frozen=True)
class Gain:
    """Mean of a paired difference over seeds with its 95 % t-interval."""

    value: float
    low: float
    high: float
    seeds: int


def label_ratio(
    curve: Floats, labels: Positions, reference: Floats, reference_labels: Positions, *, at: int
) -> Ratio:
    """Labels with which `curve` reaches what `reference` has at `at` labels, divided by `at`.

    Where it never does, the ratio counts as the last label count over `at` (censored, not dropped): the bound
    is one of the interval too. Raises ValueError when the reference does not reach to `at`.
    """
    if not reference_labels[0] <= at <= reference_labels[-1]:
        raise ValueError(
            f"{at} labels, but the reference runs from {reference_labels[0]} to {reference_labels[-1]}."
        )
    seeds = len(curve)
    rng = np.random.default_rng(0)
    found = _needed(curve.mean(axis=0), labels, reference.mean(axis=0), reference_labels, at)
    drawn = [
        _needed(curve[rows].mean(axis=0), labels, reference[rows].mean(axis=0), reference_labels, at)
        for rows in rng.integers(0, seeds, (RESAMPLES, seeds))
    ]
    last = float(labels[-1])
    values = np.array([last if one is None else one for one in drawn]) / at
    low, high = np.percentile(values, [2.5, 97.5])
    missed = float(np.mean([one is None for one in drawn]))
    value = (last if found is None else found) / at
    return Ratio(value, float(low), float(high), found is None, missed, seeds)


def area_gain(curve: Floats, reference: Floats) -> Gain:
    """ΔAULC: mean over label counts of curve − reference at equal counts, (S, R) each, paired by seed."""
    return paired_gain((curve - reference).mean(axis=1))


def paired_gain(differences: Floats) -> Gain:
    """Mean of (S,) paired differences; the interval is by Student's t."""
    from scipy.stats import t  # slow to import, and only figures ask for it

    seeds = len(differences)
    mean = float(differences.mean())
    if seeds < 2:
        return Gain(mean, float("-inf"), float("inf"), seeds)
    reach = float(t.ppf(0.975, seeds - 1) * differences.std(ddof=1) / np.sqrt(seeds))
    return Gain(mean, mean - reach, mean + reach, seeds)


def _needed(
    curve: Floats, labels: Positions, reference: Floats, reference_labels: Positions, at: int
) -> float | None:
    """Labels at which the monotone curve meets the level; None where it never does."""
    level = float(np.interp(at, reference_labels, np.maximum.accumulate(reference)))
    risen = np.maximum.accumulate(curve)
    if risen[-1] < level:
        return None
    place = int(np.argmax(risen >= level))
    if place == 0:
        return float(labels[0])
    below, above = risen[place - 1], risen[place]
    part = (level - below) / (above - below)
    return float(labels[place - 1] + part * (labels[place] - labels[place - 1]))
