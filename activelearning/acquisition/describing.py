"""What is known of chosen pairs before the batch, for the people who ask why they were chosen."""

from __future__ import annotations

import numpy as np

from activelearning.acquisition.knowledge import Knowledge, outlook
from activelearning.acquisition.pool import Floats, Positions
from activelearning.acquisition.selection import PairScores
from activelearning.acquisition.uncertainty import pair_differences


def pair_scores(known: Knowledge, first: Positions, second: Positions) -> list[PairScores]:
    """Margin, probability and deviation of each pair, (N,) rows of known.z, and the ensemble's disagreement.

    By the ensemble where there is one, else by the posterior, which says nothing before the first label.
    """
    view = outlook(known, first, second)
    mean = view.mean
    disagreement: Floats | None = None
    if known.members is not None:
        said = pair_differences(known.members, first, second)
        mean, disagreement = said.mean, said.disagreement
    chance = 1 / (1 + np.exp(-np.clip(mean, -500, 500)))
    learned = known.members is not None or len(known.labels) > 0
    return [
        PairScores(
            disagreement=None if disagreement is None else float(disagreement[i]),
            margin=abs(float(mean[i])) if learned else None,
            probability=float(chance[i]) if learned else None,
            deviation=float(np.sqrt(max(view.variance[i], 0.0))),
        )
        for i in range(len(first))
    ]
