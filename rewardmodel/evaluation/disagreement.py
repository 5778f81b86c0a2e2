"""Does the ensemble know when it is wrong? Disagreement of its heads against its errors.

Disagreement of a pair is Var_k[d_k], the variance over heads of the reward difference: not the sum of the
two rewards' variances, which drops their covariance. Pairs are accepted from the surest on; risk is the
error rate among those accepted, coverage their share (Geifman and El-Yaniv, "Selective classification for
deep neural networks", 2017), and AURC the mean risk over all coverages: as low as the oracle's, which
accepts every right pair first, or as high as the error rate, if disagreement says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rewardmodel.evaluation import clustered
from rewardmodel.evaluation.calibration import equal_mass_bins
from rewardmodel.evaluation.clustered import Interval
from rewardmodel.evaluation.discrimination import auroc
from rewardmodel.evaluation.rank_correlation import spearman

BINS = 10
POINTS = 20  # of the curve that is kept


@dataclass(frozen=True)
class Bin:
    disagreement: float  # mean standard deviation over heads
    error: Interval
    nll: Interval  # nats per vote


@dataclass(frozen=True)
class Disagreement:
    bins: tuple[Bin, ...]
    spearman_error: float | None  # of Var_k[d_k] with being wrong
    spearman_nll: float | None  # … with the negative log-likelihood of the votes
    auroc: Interval  # of being wrong: ½ says nothing
    curve: tuple[tuple[float, float], ...]  # coverage, risk
    curve_by_margin: tuple[tuple[float, float], ...]  # accepting by |d| instead
    aurc: float | None
    aurc_by_margin: float | None
    aurc_oracle: float | None
    error: Interval  # accepting everything


def variance(members: np.ndarray) -> np.ndarray:
    """(m, K) differences under each head -> (m,) their variance, with K - 1."""
    return np.asarray(members.var(axis=1, ddof=1) if members.shape[1] > 1 else np.zeros(len(members)))


def disagreement(
    spread: np.ndarray,
    margin: np.ndarray,
    wrong: np.ndarray,
    nll: np.ndarray,
    prompt: np.ndarray,
    draws: np.ndarray,
) -> Disagreement:
    """On m pairs with a winner: spread Var_k[d_k], margin |d|, wrong 0, ½ or 1, nll of the votes: all (m,).

    prompt: (m,) in 0…P-1; draws: (B, P).
    """
    bins = tuple(
        Bin(
            float(np.sqrt(spread[rows]).mean()),
            clustered.mean(wrong[rows], prompt[rows], draws),
            clustered.mean(nll[rows], prompt[rows], draws),
        )
        for rows in equal_mass_bins(spread, BINS)
    )
    risk, by_margin = risks(spread, wrong), risks(-margin, wrong)
    return Disagreement(
        bins,
        spearman(spread, wrong),
        spearman(spread, nll),
        auroc(spread, wrong > 0.5, prompt, draws),
        _thinned(risk),
        _thinned(by_margin),
        _area(risk),
        _area(by_margin),
        _area(risks(wrong, wrong)),
        clustered.mean(wrong, prompt, draws),
    )


def risks(uncertainty: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """(m,) error rate among the 1, 2, …, m least uncertain pairs; equally uncertain ones count alike."""
    if len(wrong) == 0:
        return np.zeros(0)
    _, level = np.unique(uncertainty, return_inverse=True)
    alike = (np.bincount(level, wrong) / np.bincount(level))[np.sort(level)]
    return np.asarray(np.cumsum(alike) / np.arange(1, len(wrong) + 1))


def _area(risk: np.ndarray) -> float | None:
    return float(risk.mean()) if len(risk) else None


def _thinned(risk: np.ndarray) -> tuple[tuple[float, float], ...]:
    m = len(risk)
    taken = sorted({max(1, round(m * i / POINTS)) for i in range(1, POINTS + 1)}) if m else []
    return tuple((k / m, float(risk[k - 1])) for k in taken)
