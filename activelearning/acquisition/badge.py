"""BADGE for pairs: unsure and unlike each other at once (Ash et al., ICLR 2020).

A pair is placed at the gradient that one vote would cause in a linear Bradley-Terry head if the vote fell as
the model expects. For P(a ≻ b) = p = σ(μ) and the likelier label ŷ it is (p − ŷ) x, x = z(a) − z(b): its
length is min(p, 1 − p) ‖x‖, short where the model is sure or the responses are alike. Its sign depends on
which response is called a, so distances are taken to c or −c, whichever is nearer.

The batch is drawn by the seeding of k-means++ (Arthur & Vassilvitskii 2007): first the longest gradient, then
each with a chance ∝ D², its squared distance to the nearest one picked.
"""

from __future__ import annotations

import numpy as np

from activelearning.acquisition.margin import probability
from activelearning.acquisition.pair_geometry import PairGeometry
from activelearning.acquisition.picking import draw, largest
from activelearning.acquisition.pool import Floats, Mask, Positions, Reals


class Badge:
    """k-means++ over the gradients of N candidates. A pick costs one product over the responses.

    z: (n, q) features; first, second: (N,) rows of z; mean: μ (N,), logits. last_chance: chance of the last
    choice among what was open, 1 for the first, which is no draw; 0 before. Where everything open lies on
    what was picked, every open candidate is as likely.
    """

    def __init__(
        self, z: Reals, first: Positions, second: Positions, mean: Floats, rng: np.random.Generator
    ) -> None:
        self._gradients = PairGeometry(z, first, second, probability(-np.abs(mean)))
        self._squared: Floats | None = None
        self._rng = rng
        self.last_chance = 0.0

    def next(self, open: Mask) -> int:
        """Draws anew at each call."""
        if self._squared is None:
            self.last_chance = 1.0
            return largest(self._gradients.lengths2, open)
        index, self.last_chance = draw(self._squared, open, self._rng)
        return index

    def observe(self, index: int) -> None:
        squared = self._gradients.squared_distances(self._gradients.difference(index))
        self._squared = squared if self._squared is None else np.minimum(self._squared, squared)
