"""Do the probabilities mean what they say? Scores against vote shares, and the temperature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from rewardmodel.evaluation import clustered
from rewardmodel.evaluation.accuracy import TIE, A, B
from rewardmodel.evaluation.clustered import Interval

BINS = 15
SIGNS = 400  # draws of the wild bootstrap
PRIOR = (
    1.0  # precision of the normal prior on log T and on the move of τ: keeps a handful of pairs from T = 0
)


@dataclass(frozen=True)
class Temperature:
    """P(A, B, tie) = softmax(d / 2T, -d / 2T, τ)."""

    temperature: float
    tau: float
    pairs: int  # fitted on


def log_probabilities(d: np.ndarray, temperature: float, tau: float) -> np.ndarray:
    """(…) -> (…, 3) over (A, B, tie); of a tie -inf where tau is."""
    half = np.asarray(d, dtype=np.float64) / (2 * temperature)
    logits = np.stack([half, -half, np.full_like(half, tau)], axis=-1)
    logits -= logits.max(axis=-1, keepdims=True)
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True)))


def fit_temperature(d: np.ndarray, shares: np.ndarray, weight: np.ndarray, tau: float) -> Temperature:
    """Temperature and tie parameter with the least NLL on pairs the model did not learn from (Guo et al.
    2017).

    d: (m,) ensemble-mean differences; shares: (m, 3); weight: (m,) votes; tau: where the tie parameter
    starts. With no pairs at all: T = 1 and the given tau.
    """
    if len(d) == 0:
        return Temperature(1.0, tau, 0)
    lead = shares[:, A] - shares[:, B]

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        log_t, tie = float(x[0]), float(x[1])
        log_p = log_probabilities(d, np.exp(log_t), tie)
        p = np.exp(log_p)
        value = -(weight[:, None] * shares * log_p).sum() + PRIOR / 2 * (log_t**2 + (tie - tau) ** 2)
        half = d / (2 * np.exp(log_t))
        slope = (weight * half * (lead - (p[:, A] - p[:, B]))).sum() + PRIOR * log_t
        tilt = (weight * (p[:, TIE] - shares[:, TIE])).sum() + PRIOR * (tie - tau)
        return float(value), np.array([slope, tilt])

    found = minimize(
        objective, np.array([0.0, tau]), jac=True, method="L-BFGS-B", bounds=[(-5, 5), (-15, 15)]
    )
    return Temperature(float(np.exp(found.x[0])), float(found.x[1]), len(d))


@dataclass(frozen=True)
class Chance:
    """What a model without fault would measure on as many pairs: the mean, and what one in forty exceeds."""

    value: float
    high: float


@dataclass(frozen=True)
class Calibration:
    nll: Interval  # nats per vote: cross-entropy against the shares, mean over pairs
    brier: Interval  # Σ_o (P(o) - share_o)², mean over pairs; 0 … 2
    ece: Interval  # of the expected score P(A) + ½ P(tie)
    ece_tie: Interval  # of P(tie)
    ece_by_chance: Chance  # what few pairs alone make of it
    bins: tuple[tuple[float, float, int], ...]  # mean expected score, mean share, pairs


def calibration(log_p: np.ndarray, shares: np.ndarray, prompt: np.ndarray, draws: np.ndarray) -> Calibration:
    """Proper scores and calibration error of (m, 3) log-probabilities against (m, 3) vote shares."""
    p = np.exp(log_p)
    expected, seen = p[:, A] + p[:, TIE] / 2, shares[:, A] + shares[:, TIE] / 2
    return Calibration(
        clustered.mean(-(shares * log_p).sum(axis=1), prompt, draws),
        clustered.mean(((p - shares) ** 2).sum(axis=1), prompt, draws),
        expected_calibration_error(expected, seen, prompt, draws),
        expected_calibration_error(p[:, TIE], shares[:, TIE], prompt, draws),
        error_by_chance(expected, seen, prompt),
        tuple(
            (float(expected[rows].mean()), float(seen[rows].mean()), len(rows))
            for rows in equal_mass_bins(expected)
        ),
    )


def equal_mass_bins(predicted: np.ndarray, bins: int = BINS) -> list[np.ndarray]:
    """Row numbers of each bin, in order of the prediction: as many pairs in each as can be with equal
    predictions together, as which of them comes first says nothing."""
    order = np.argsort(predicted, kind="stable")
    rising = predicted[order]
    number = np.repeat(np.arange(bins), [len(rows) for rows in np.array_split(order, bins)])
    middle = (np.searchsorted(rising, rising) + np.searchsorted(rising, rising, side="right") - 1) // 2
    return [order[number[middle] == i] for i in np.unique(number[middle])]


def expected_calibration_error(
    predicted: np.ndarray, seen: np.ndarray, prompt: np.ndarray, draws: np.ndarray, bins: int = BINS
) -> Interval:
    """Σ_bins n_bin / m · |mean prediction - mean share|, with bins of equal mass (Naeini et al. 2015).

    The interval resamples prompts with the bins held fixed; the absolute value biases both upwards when
    there are few pairs.
    """
    if len(predicted) == 0:
        return Interval(None, None, None, 0)
    value, drawn = resampled_error(predicted, seen, prompt, draws, bins)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(value, float(low), float(high), len(predicted))


def resampled_error(
    predicted: np.ndarray, seen: np.ndarray, prompt: np.ndarray, draws: np.ndarray, bins: int = BINS
) -> tuple[float, np.ndarray]:
    """The expected calibration error of all pairs, and of every resample (B,) that has any."""
    m = len(predicted)
    gaps = np.zeros((m, bins))
    for i, rows in enumerate(equal_mass_bins(predicted, bins)):
        gaps[rows, i] = predicted[rows] - seen[rows]
    per_prompt = clustered.sums_by_prompt(gaps, prompt, draws.shape[1])
    pairs = draws @ clustered.sums_by_prompt(np.ones(m), prompt, draws.shape[1])
    drawn = np.abs(draws @ per_prompt).sum(axis=1)[pairs > 0] / pairs[pairs > 0]
    return float(np.abs(gaps.sum(axis=0)).sum() / m), np.asarray(drawn)


def error_by_chance(predicted: np.ndarray, seen: np.ndarray, prompt: np.ndarray, bins: int = BINS) -> Chance:
    """The expected calibration error if the predictions were right on average and off by chance alone.

    The wild bootstrap: the residuals of a whole prompt change sign or not, which keeps how large they are and
    how they go together within and across bins (Liu 1988; clusters: Cameron, Gelbach and Miller 2008).
    Predictions that are wrong have larger residuals, so the bound errs towards chance. prompt: (m,) in 0…P-1.
    """
    m, prompts = len(predicted), int(prompt.max(initial=-1)) + 1
    if m == 0:
        return Chance(0.0, 0.0)
    signs = np.random.default_rng(SIGNS).choice([-1.0, 1.0], size=(SIGNS, prompts))  # the same for every run
    found = np.zeros(SIGNS)
    for rows in equal_mass_bins(predicted, bins):
        found += np.abs(signs @ np.bincount(prompt[rows], (predicted - seen)[rows], prompts)) / m
    return Chance(float(found.mean()), float(np.quantile(found, 0.975)))
