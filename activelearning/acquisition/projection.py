"""The space in which pairs are compared: the principal directions of the differences.

Features are rotated to at most 128 principal directions of the *differences* (not of the texts: what two
responses share cancels) and scaled so that the candidates have E‖x‖² = 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activelearning.acquisition.pool import Positions, Reals

Singles = NDArray[np.float32]

MAX_DIMENSIONS = 128
FIT_PAIRS = 20_000


@dataclass(frozen=True, eq=False)
class Projection:
    """Linear map (d, q) from features to the scaled principal directions of pair differences."""

    matrix: Singles

    def apply(self, features: Reals) -> Singles:
        return np.asarray(features, dtype=np.float32) @ self.matrix


def fit_projection(
    features: Reals,
    first: Positions,
    second: Positions,
    rng: np.random.Generator,
    max_dimensions: int = MAX_DIMENSIONS,
) -> Projection:
    """Uncentred PCA of x, on at most 20,000 pairs drawn at random; a rotation is skipped when d is small."""
    rows = np.arange(len(first))
    if len(rows) > FIT_PAIRS:
        rows = np.sort(rng.choice(len(first), FIT_PAIRS, replace=False))
    x = features[first[rows]].astype(np.float64) - features[second[rows]]
    moment = x.T @ x / max(1, len(x))
    d = features.shape[1]
    directions = np.eye(d)
    if d > max_dimensions:
        directions = np.linalg.eigh(moment)[1][:, : -max_dimensions - 1 : -1]
    kept = float(np.einsum("ij,jk,ki->", directions.T, moment, directions))
    scale = 1.0 / np.sqrt(kept) if kept > 0 else 1.0
    return Projection((directions * scale).astype(np.float32))
