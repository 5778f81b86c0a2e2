"""What a model must beat: length alone, and always saying the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rewardmodel.evaluation.accuracy import decisions
from rewardmodel.evaluation.calibration import fit_temperature


@dataclass(frozen=True)
class LengthModel:
    """d = slope · (log characters of A - log characters of B), with a tie parameter."""

    slope: float
    tau: float

    def predict(self, gap: np.ndarray) -> np.ndarray:
        return self.slope * gap


def fit_length(gap: np.ndarray, shares: np.ndarray, weight: np.ndarray) -> LengthModel:
    """Learn from training pairs whether the longer or the shorter response wins, and by how much.

    gap: (m,) log-length differences; shares: (m, 3); weight: (m,) votes.
    """
    decided = decisions(shares)
    longer = float((weight * decided * np.sign(gap)).sum())
    sign = 1.0 if longer >= 0 else -1.0
    fitted = fit_temperature(sign * gap, shares, weight, 0.0)
    return LengthModel(sign / fitted.temperature, fitted.tau)


@dataclass(frozen=True)
class MajorityModel:
    """Always the side which won more often in training, with the training shares as probabilities."""

    side: int  # +1 A, -1 B
    shares: np.ndarray  # (3,)

    def predict(self, pairs: int) -> np.ndarray:
        return np.full(pairs, float(self.side))


def fit_majority(shares: np.ndarray, weight: np.ndarray) -> MajorityModel:
    """shares: (m, 3); weight: (m,) votes. Shares are shrunk by half a vote per outcome."""
    decided = decisions(shares)
    total = (shares * weight[:, None]).sum(axis=0) + 0.5
    return MajorityModel(1 if (decided > 0).sum() >= (decided < 0).sum() else -1, total / total.sum())
