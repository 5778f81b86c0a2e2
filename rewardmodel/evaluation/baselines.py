"""What a model must beat: length alone, and always saying the same.

A reward does not know which of two responses stands first, so r_A - r_B changes sign when they change
places. The same is asked of a baseline: "always the same side" is right in one order and wrong in the other,
½ on average, whatever order a file happens to have (where the chosen response always comes first it would
else be right always, and nothing a reward knows). How often the first response wins is reported beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rewardmodel.evaluation.accuracy import TIE, A, B, decisions
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
    """Neither side, with the training share of ties: always the same, averaged over both orders."""

    shares: np.ndarray  # (3,)

    def predict(self, pairs: int) -> np.ndarray:
        return np.zeros(pairs)


def fit_majority(shares: np.ndarray, weight: np.ndarray) -> MajorityModel:
    """shares: (m, 3); weight: (m,) votes. Shares are shrunk by half a vote per outcome."""
    total = (shares * weight[:, None]).sum(axis=0) + 0.5
    side = (total[A] + total[B]) / 2
    return MajorityModel(np.array([side, side, total[TIE]]) / total.sum())
