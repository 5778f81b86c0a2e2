"""How much of the reward is length?"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from rewardmodel.evaluation.accuracy import decisions
from rewardmodel.evaluation.rank_correlation import spearman


@dataclass(frozen=True)
class LengthBias:
    pearson: float | None  # of reward with log length, both centred within each prompt
    spearman: float | None
    responses: int
    longer_wins_model: (
        float | None
    )  # share of decided pairs of unequal length in which the model prefers the longer
    longer_wins_votes: float | None  # … in which the voters did
    pairs: int

    def as_dict(self) -> dict[str, float | int | None]:
        return asdict(self)


def length_bias(
    reward: np.ndarray,
    log_length: np.ndarray,
    prompt_of_response: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    shares: np.ndarray,
) -> LengthBias:
    """reward, log_length, prompt_of_response: (n,); left, right: (m,) rows of them; shares: (m, 3)."""
    x, y = _centred(reward, prompt_of_response), _centred(log_length, prompt_of_response)
    varied = len(x) > 2 and x.std() > 1e-12 and y.std() > 1e-12
    gap, decided = np.sign(log_length[left] - log_length[right]), decisions(shares)
    rows = (gap != 0) & (decided != 0)
    model = (np.sign(reward[left] - reward[right]) * gap)[rows]
    return LengthBias(
        float(np.corrcoef(x, y)[0, 1]) if varied else None,
        spearman(x, y) if varied else None,
        len(x),
        float((model > 0).mean()) if rows.any() else None,
        float(((decided * gap)[rows] > 0).mean()) if rows.any() else None,
        int(rows.sum()),
    )


def _centred(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    groups = int(group.max()) + 1 if len(group) else 0
    total = np.bincount(group, weights=values, minlength=groups)
    count = np.maximum(np.bincount(group, minlength=groups), 1)
    return np.asarray(values - (total / count)[group])
