"""Kinds of prompts: k-means clusters, the same ones whatever they are for, the map of the pool or a cap."""

from __future__ import annotations

import numpy as np

from activelearning.acquisition.coverage import cluster_prompts
from activelearning.acquisition.pool import Positions, Reals

FEWEST_KINDS, MOST_KINDS = 2, 12


def kinds_of_prompts(points: Reals, others: Reals | None, rng: np.random.Generator) -> Positions:
    """(P + D,) the kind of each prompt, those of others last.

    points: (P, f), k = √(P/2) between 2 and 12; others: (D, f) of deployment prompts, in the same space.
    """
    k = int(np.clip(round(np.sqrt(len(points) / 2)), FEWEST_KINDS, MOST_KINDS))
    if others is not None and len(others):
        points = np.vstack([points, others])
    return cluster_prompts(points, min(k, len(points)), rng)
