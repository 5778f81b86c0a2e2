"""How much better with more votes? Accuracy against their number, and what a thousand more would bring.

    accuracy(n) = a + b · n^(-c),  b ≤ 0,  0 ≤ a ≤ 1,  0.1 ≤ c ≤ 1.5

by least squares (power laws of learning: Cortes et al., "Learning curves: asymptotic values and rate of
convergence", 1993; how they extrapolate: Viering and Loog, "The shape of learning curves", 2022). The
exponent is searched on a grid, the rest is exact. Every bootstrap resample of the prompts has a fit of its
own, on all sizes at once, and to each of its accuracies comes the noise that the fit leaves unexplained: a
training on equally many other votes would have come out that differently.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rewardmodel.evaluation import clustered
from rewardmodel.evaluation.clustered import Interval

EXPONENTS = np.linspace(0.1, 1.5, 29)
ENOUGH_SIZES = 4
ENOUGH_PROMPTS = 5
NOTHING = 1e-6
FARTHEST = 2.0  # times the votes there are: no extrapolation beyond


@dataclass(frozen=True)
class Fit:
    """One fit for each row of values."""

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray

    def at(self, n: float) -> np.ndarray:
        return np.asarray(self.a + self.b * n**-self.c)


def fit(n: np.ndarray, values: np.ndarray) -> Fit:
    """n: (S,) votes; values: (R, S) accuracies. Least squares within the bounds, each row by itself."""
    best = np.full(len(values), np.inf)
    a, b, c = (np.zeros(len(values)) for _ in range(3))
    for exponent in EXPONENTS:
        x = n**-exponent
        level, slope = _line(x, values)
        squares = np.square(values - level[:, None] - slope[:, None] * x).sum(axis=1)
        better = squares < best - 1e-15
        best[better], a[better], b[better], c[better] = (
            squares[better],
            level[better],
            slope[better],
            exponent,
        )
    return Fit(a, b, c)


def _line(x: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a and b ≤ 0 of values ≈ a + b x for each row, with a ≤ 1; a is never below 0 then."""
    off = x - x.mean()
    slope = np.minimum(values @ off / max(float(off @ off), 1e-300), 0.0)
    level = values.mean(axis=1) - slope * x.mean()
    above = level > 1
    slope = np.where(above, np.minimum((values - 1) @ x / float(x @ x), 0.0), slope)
    return np.where(above, 1.0, level), slope


@dataclass(frozen=True)
class Curve:
    accuracy: tuple[Interval, ...]  # at each size
    fitted: tuple[float, ...]  # a + b · n^(-c) there
    a: float
    b: float
    c: float
    more: int
    gain: Interval | None  # of `more` votes, in shares; n counts prompts; None where there is a reason
    reason: str | None  # why no extrapolation is warranted


def curve(
    votes: np.ndarray,
    right: np.ndarray,
    prompt: np.ndarray,
    draws: np.ndarray,
    rng: np.random.Generator,
    *,
    more: int = 1000,
) -> Curve:
    """votes: (S,) at each size, increasing; right: (S, m) 1, ½ or 0 on the same m held-out pairs with a
    winner at each; prompt: (m,) in 0…P-1; draws: (B, P)."""
    prompts = draws.shape[1]
    correct = clustered.sums_by_prompt(right.T, prompt, prompts)
    pairs = draws @ clustered.sums_by_prompt(np.ones(right.shape[1]), prompt, prompts)
    drawn = (draws @ correct)[pairs > 0] / pairs[pairs > 0, None]
    n = votes.astype(np.float64)
    whole = fit(n, right.mean(axis=1)[None])
    resampled = fit(n, drawn + rng.normal(scale=_noise(n, right.mean(axis=1), whole), size=drawn.shape))
    now, then = float(n[-1]), float(n[-1]) + more
    gains = resampled.at(then) - resampled.at(now)
    low, high = (float(q) for q in np.quantile(gains, [0.025, 0.975]))
    gain = Interval(float((whole.at(then) - whole.at(now))[0]), low, high, len(np.unique(prompt)))
    reason = _why_not(n, then, gain)
    return Curve(
        tuple(clustered.mean(row, prompt, draws) for row in right),
        tuple(float(whole.at(size)[0]) for size in n),
        float(whole.a[0]), float(whole.b[0]), float(whole.c[0]),
        more, None if reason else gain, reason,
    )  # fmt: skip


def _noise(n: np.ndarray, values: np.ndarray, fitted: Fit) -> float:
    """Standard deviation of the residuals (S,), with the degrees of freedom that three parameters leave."""
    residuals = values - np.array([fitted.at(float(size))[0] for size in n])
    return float(np.sqrt(np.square(residuals).sum() / max(len(n) - 3, 1)))


def _why_not(n: np.ndarray, then: float, gain: Interval) -> str | None:
    if len(n) < ENOUGH_SIZES:
        return f"only {len(n)} sizes could be trained; a curve needs {ENOUGH_SIZES}"
    if gain.n < ENOUGH_PROMPTS:
        return f"only {gain.n} held-out prompts; a curve needs {ENOUGH_PROMPTS}"
    if then > FARTHEST * n[-1]:
        return f"{int(then):,} votes are more than twice the {int(n[-1]):,} there are"
    if (gain.value or 0) < NOTHING:
        return "accuracy does not rise with the number of votes"
    if (gain.low or 0) < NOTHING:
        return "a rise with the number of votes cannot be told from chance"
    return None
