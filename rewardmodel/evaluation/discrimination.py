"""AUROC: the chance that a score is higher on a positive than on a negative, equal scores half."""

from __future__ import annotations

import numpy as np

from rewardmodel.evaluation.clustered import Interval


def auroc(score: np.ndarray, positive: np.ndarray, prompt: np.ndarray, draws: np.ndarray) -> Interval:
    """Area under the ROC curve with an interval over prompts (Mann-Whitney U; Hanley and McNeil 1982).

    score: (m,); positive: (m,) bool; prompt: (m,) in 0…P-1; draws: (B, P). Undefined without both kinds;
    resamples without both are left out.
    """
    m = len(score)
    if not positive.any() or positive.all():
        return Interval(None, None, None, m)
    level = np.unique(score, return_inverse=True)[1]
    levels = int(level.max()) + 1
    good = positive.astype(np.float64)

    def area(weight: np.ndarray) -> float:
        up = np.bincount(level, weight * good, levels)
        down = np.bincount(level, weight * (1 - good), levels)
        both = up.sum() * down.sum()
        return float((up * (np.cumsum(down) - down / 2)).sum() / both) if both else np.nan

    drawn = np.array([area(draw[prompt]) for draw in draws])
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (None, None)
    return Interval(
        area(np.ones(m)), None if low is None else float(low), None if high is None else float(high), m
    )
