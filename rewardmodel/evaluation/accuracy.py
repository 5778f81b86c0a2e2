"""Pairwise accuracy. Ties are reported apart: a pair which most voters called equal has no right side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rewardmodel.evaluation import clustered
from rewardmodel.evaluation.clustered import Interval

A, B, TIE = 0, 1, 2


def decisions(shares: np.ndarray) -> np.ndarray:
    """What the voters decided, (m,): +1 for A, -1 for B, 0 where neither side has more votes than every
    other answer.

    shares: (m, 3) over (A, B, tie).
    """
    a, b, tie = shares[:, A], shares[:, B], shares[:, TIE]
    return np.where((a > b) & (a > tie), 1, np.where((b > a) & (b > tie), -1, 0))


def hits(d: np.ndarray, decided: np.ndarray) -> np.ndarray:
    """1 where sign(d) is the decision, 0 where it is the other side, ½ where d is exactly 0. Shapes (m,)."""
    return np.asarray((1 + np.sign(d) * decided) / 2)


@dataclass(frozen=True)
class Accuracy:
    decided: Interval  # on pairs with a winner
    leaning: Interval  # on pairs with p_A ≠ p_B, also where "equal" had the most votes
    pairs: int
    ties: int  # pairs without a winner: in no accuracy
    margin_of_ties: float | None  # mean |d| on those ties; the model is unsure of them if this is small
    margin_of_decided: float | None


def pairwise(d: np.ndarray, shares: np.ndarray, prompt: np.ndarray, draws: np.ndarray) -> Accuracy:
    """Accuracy of reward differences d (m,) against vote shares (m, 3).

    prompt: (m,) in 0…P-1; draws: (B, P) from clustered.resamples.
    """
    decided = decisions(shares)
    winner, lean = decided != 0, np.sign(shares[:, A] - shares[:, B])
    right = hits(d, decided)
    leaning = lean != 0
    return Accuracy(
        clustered.mean(right[winner], prompt[winner], draws),
        clustered.mean(hits(d, lean)[leaning], prompt[leaning], draws),
        len(d),
        int((~winner).sum()),
        float(np.abs(d[~winner]).mean()) if (~winner).any() else None,
        float(np.abs(d[winner]).mean()) if winner.any() else None,
    )


def lift(
    d: np.ndarray, other: np.ndarray, shares: np.ndarray, prompt: np.ndarray, draws: np.ndarray
) -> Interval:
    """Accuracy of d minus accuracy of `other` on the same decided pairs: a paired interval."""
    decided = decisions(shares)
    winner = decided != 0
    difference = hits(d, decided) - hits(other, decided)
    return clustered.mean(difference[winner], prompt[winner], draws)


def first_side(shares: np.ndarray, prompt: np.ndarray, draws: np.ndarray) -> Interval:
    """How often the first response of a decided pair wins: ½ unless the order of the file tells something."""
    decided = decisions(shares)
    winner = decided != 0
    return clustered.mean((decided > 0)[winner], prompt[winner], draws)
