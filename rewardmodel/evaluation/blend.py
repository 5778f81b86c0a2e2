"""How far to trust the heads, how far length alone: learned from pairs the heads did not learn from.

With d the difference of the ensemble-mean rewards and g that of the standardised log lengths,

    P(A, B, tie) = softmax(½ (a d + b g), -½ (a d + b g), τ),      a, b ~ N(0, 1 / PRIOR),  a ≥ LEAST.

a = 1/T is the temperature (Guo et al. 2017); b gives or takes what the heads have left of length. Both
baselines are points of this family, (0, slope) and (0, 0), so heads that learned nothing which holds on new
prompts cost no more than three numbers do (stacking: Wolpert 1992; van der Laan, Polley and Hubbard, "Super
Learner", 2007). The prior is worth PRIOR votes: a handful of pairs moves nothing far.

Where the heads have taken length as it is, b is noise around 0. So it is shrunk to b · max(0, 1 - se² / b²),
with its standard error se over prompts, and a and τ are fitted again beside it (the positive part of James
and Stein's estimator: Baranchik 1964): a b within its error is exactly 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from rewardmodel.evaluation import clustered
from rewardmodel.evaluation.accuracy import TIE, A, B
from rewardmodel.evaluation.calibration import log_probabilities

PRIOR = 5.0
LEAST = 0.05  # heads that say nothing still differ from one another: selection needs that
MOST = 20.0
SLOPES, TIES = (-10.0, 10.0), (-15.0, 15.0)


@dataclass(frozen=True)
class Blend:
    """`length` is added to the reward for every standard deviation of log length, on the heads' scale."""

    temperature: float  # T = 1/a
    length: float  # b/a
    tau: float
    pairs: int  # fitted on

    def mix(self, reward: np.ndarray, length: np.ndarray) -> np.ndarray:
        """Mean rewards and standardised log lengths, (n,) each -> rewards (n,) before temperature."""
        return np.asarray(reward + self.length * length)


@dataclass(frozen=True)
class Known:
    """m pairs the heads did not learn from."""

    d: np.ndarray  # (m,) differences of mean rewards
    gap: np.ndarray  # (m,) … of standardised log lengths
    shares: np.ndarray  # (m, 3) over (A, B, tie)
    weight: np.ndarray  # (m,) votes
    prompt: np.ndarray  # (m,) pairs of one prompt are not independent


def fit(known: Known, tau: float) -> Blend:
    """The blend with the highest posterior. tau: centre of the unit normal prior on the tie parameter.
    Without pairs: the heads as they are."""
    if len(known.d) == 0:
        return Blend(1.0, 0.0, tau, 0)
    free = _posterior_mode(known, tau, SLOPES)
    error = _standard_error(known, free)
    slope = free[1] * max(0.0, 1 - (error / free[1]) ** 2) if free[1] else 0.0
    a, b, tie = _posterior_mode(known, tau, (slope, slope))
    return Blend(float(1 / a), float(b / a), float(tie), len(known.d))


def _posterior_mode(known: Known, tau: float, slopes: tuple[float, float]) -> np.ndarray:
    """a, b, τ, with b within `slopes`."""
    lead = known.shares[:, A] - known.shares[:, B]

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        a, b, tie = x
        log_p = log_probabilities(a * known.d + b * known.gap, 1.0, tie)
        p = np.exp(log_p)
        votes = -(known.weight[:, None] * known.shares * log_p).sum()
        value = votes + PRIOR / 2 * (a * a + b * b) + (tie - tau) ** 2 / 2
        slope = known.weight * (p[:, A] - p[:, B] - lead) / 2
        tilt = (known.weight * (p[:, TIE] - known.shares[:, TIE])).sum() + tie - tau
        return float(value), np.array([slope @ known.d + PRIOR * a, slope @ known.gap + PRIOR * b, tilt])

    start = np.array([1.0, np.clip(0.0, *slopes), np.clip(tau, *TIES)])
    bounds = [(LEAST, MOST), slopes, TIES]
    return np.asarray(minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds).x)


def _standard_error(known: Known, at: np.ndarray) -> float:
    """Of b: H⁻¹ M H⁻¹ with H the curvature and M from the slopes of whole prompts, or H⁻¹ if that is larger,
    as M is too small with few prompts (Liang and Zeger 1986)."""
    p = np.exp(log_probabilities(at[0] * known.d + at[1] * known.gap, 1.0, at[2]))
    lean, tie, w = p[:, A] - p[:, B], p[:, TIE], known.weight
    moves = np.stack([known.d / 2, known.gap / 2], axis=1)
    crossed = -moves.T @ (w * lean * tie)
    curvature = np.diag([PRIOR, PRIOR, 1.0])
    curvature[:2, :2] += moves.T @ ((w * (p[:, A] + p[:, B] - lean**2))[:, None] * moves)
    curvature[2, :2] = curvature[:2, 2] = crossed
    curvature[2, 2] += (w * tie * (1 - tie)).sum()
    slopes = np.column_stack(
        [
            (w * (known.shares[:, A] - known.shares[:, B] - lean))[:, None] * moves,
            w * (known.shares[:, TIE] - tie),
        ]
    )
    prompt = np.unique(known.prompt, return_inverse=True)[1]
    by_prompt = clustered.sums_by_prompt(slopes, prompt, int(prompt.max()) + 1)
    inverse = np.linalg.inv(curvature)
    robust = inverse @ (by_prompt.T @ by_prompt) @ inverse
    return float(np.sqrt(max(robust[1, 1], inverse[1, 1])))
