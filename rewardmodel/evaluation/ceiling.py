"""How well could anyone do? One voter against the majority of the others, on the same pairs as the model."""

from __future__ import annotations

import numpy as np

from rewardmodel.evaluation import clustered
from rewardmodel.evaluation.accuracy import A, B, decisions
from rewardmodel.evaluation.clustered import Interval


def one_voter_against_the_others(
    shares: np.ndarray, votes: np.ndarray, prompt: np.ndarray, draws: np.ndarray
) -> Interval:
    """Agreement of a voter who takes a side with the decision of the remaining voters; n counts pairs.

    Every vote for A or B is left out in turn; where the rest decide for a side, it agrees or not. A model
    which has learnt the taste of the crowd can be above this: a single voter is noisier than the crowd.

    shares: (m, 3) over (A, B, tie); votes: (m,) raw counts. Shares which are not vote shares (re-weighted
    labels) are rounded to counts.
    """
    counts = np.rint(shares * votes[:, None])
    agreed, asked = np.zeros(len(votes)), np.zeros(len(votes))
    for outcome, side in ((A, 1), (B, -1)):
        rest = counts.copy()
        rest[:, outcome] -= 1
        usable = (counts[:, outcome] > 0) & (rest.sum(axis=1) > 0)
        decided = np.where(usable, decisions(rest), 0)
        asked += counts[:, outcome] * (decided != 0)
        agreed += counts[:, outcome] * (decided == side)
    rows = asked > 0
    if not rows.any():
        return Interval(None, None, None, 0)
    total = draws @ clustered.sums_by_prompt(agreed[rows], prompt[rows], draws.shape[1])
    of = draws @ clustered.sums_by_prompt(asked[rows], prompt[rows], draws.shape[1])
    low, high = np.quantile(total[of > 0] / of[of > 0], [0.025, 0.975])
    return Interval(float(agreed.sum() / asked.sum()), float(low), float(high), int(rows.sum()))
