"""Intervals for averages over pairs which share prompts.

Pairs of one prompt are not independent, so the prompts are resampled, not the pairs (Cameron, Gelbach and
Miller, "Bootstrap-based improvements for inference with clustered errors", 2008; here the percentile
interval).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval and the number of pairs behind it; None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    def as_dict(self) -> dict[str, float | int | None]:
        return asdict(self)


def sums_by_prompt(values: np.ndarray, prompt: np.ndarray, prompts: int) -> np.ndarray:
    """Sum per prompt of values (m,) or (m, c) with prompt (m,) in 0…P-1. Returns (P,) or (P, c)."""
    total = np.zeros((prompts, *values.shape[1:]))
    np.add.at(total, prompt, values)
    return total


def resamples(prompts: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """How often each prompt is drawn in each bootstrap resample, (count, P)."""
    return rng.multinomial(prompts, np.full(prompts, 1 / prompts), size=count).astype(np.float64)


def mean(values: np.ndarray, prompt: np.ndarray, draws: np.ndarray) -> Interval:
    """Mean of one value per pair; without an interval for a single prompt: resampling it draws the same.

    values: (m,); prompt: (m,) in 0…P-1; draws: (B, P) from `resamples`.
    """
    if len(values) == 0:
        return Interval(None, None, None, 0)
    if (prompt == prompt[0]).all():
        return Interval(float(values.mean()), None, None, len(values))
    prompts = draws.shape[1]
    total = draws @ sums_by_prompt(values.astype(np.float64), prompt, prompts)
    count = draws @ sums_by_prompt(np.ones(len(values)), prompt, prompts)
    drawn = total[count > 0] / count[count > 0]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high), len(values))
