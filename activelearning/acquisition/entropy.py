"""Prompts that differ from those already asked about: BAL-PM (Melo et al., NeurIPS 2024).

BALD alone keeps returning to one corner of the prompts. BAL-PM adds how much a prompt would raise the entropy
of the acquired prompts, by the estimator of Kraskov, Stögbauer & Grassberger (2004), whose radius comes from
the whole pool, acquired or not:

    a(x) = BALD(x) + β h(x),    h(x) = log(D_k(x)/D̄ + ε) − ψ(n(x) + 1)/d.

D_k(x) is the Euclidean distance of x's prompt to its k-th nearest other prompt, n(x) the number of acquired
pairs whose prompt lies within D_k(x) of it (a prompt asked about twice counts twice, its own included), ψ the
digamma function. Terms of the estimator that all prompts share are left out. D̄, the mean of D_k, makes h
independent of the unit of the features, and ε = 10⁻⁴ keeps copies of one prompt (D_k = 0) finite.

d stands for the dimension. With the number of features in its place ψ/d would be next to nothing, and what
was acquired would not matter; the authors' code has it as a setting of its own, 1 unless told otherwise, and
uses k = 13 and β = 0.01 for BALD in nats. So does this module. (Their list of the k nearest contains the
prompt itself, so their 13th neighbour is the 12th here.)
"""

from __future__ import annotations

import numpy as np
from scipy.special import digamma
from sklearn.neighbors import NearestNeighbors

from activelearning.acquisition.picking import largest
from activelearning.acquisition.pool import Floats, Mask, PoolError, Positions, Reals

NEIGHBOURS = 13
BETA = 0.01
SMALLEST_RADIUS = 1e-4  # ε, of the mean radius
ROUNDING = 1e-12  # of the largest squared length: at this distance of the rim a prompt is on it
BLOCK_PROMPTS = 64


class PromptEntropy:
    """h of every candidate, exact after every pick. Its arrays are copies.

    prompt_features: (P, f) of all prompts of the pool; prompt_of: (N,) the row of each candidate's prompt;
    acquired_prompts: (m,) the row of each labelled pair's prompt, repeated as often as it was asked about.
    With P ≤ k the farthest other prompt gives the radius.
    """

    def __init__(
        self,
        prompt_features: Reals,
        prompt_of: Positions,
        acquired_prompts: Positions,
        k: int = NEIGHBOURS,
        dimension: float = 1.0,
    ) -> None:
        if k < 1 or not dimension > 0:
            raise PoolError(f"k is {k} and the dimension {dimension}; both must be positive.")
        features = np.asarray(prompt_features, dtype=np.float64)
        self._features = features - features.mean(axis=0) if len(features) else features
        self._squared = np.einsum("ij,ij->i", self._features, self._features)
        self._prompt_of = np.array(prompt_of, dtype=np.int64)
        self._dimension = dimension
        radius = kth_distances(self._features, k)
        self._rim = radius**2 + ROUNDING * float(self._squared.max(initial=0.0))
        mean = float(radius.mean()) if len(radius) else 0.0
        self._spread = np.log(radius / (mean or 1.0) + SMALLEST_RADIUS)
        self.inside = np.zeros(len(features), dtype=np.int64)
        """n of every prompt, (P,)."""
        prompts, times = np.unique(np.asarray(acquired_prompts, dtype=np.int64), return_counts=True)
        for begin in range(0, len(prompts), BLOCK_PROMPTS):
            rows = slice(begin, begin + BLOCK_PROMPTS)
            self.inside += self._reached(prompts[rows]) @ times[rows]
        self._score = self._spread - digamma(self.inside + 1.0) / dimension

    def scores(self) -> Floats:
        """h of every candidate under what was acquired so far, (N,)."""
        return np.asarray(self._score[self._prompt_of])

    def observe(self, index: int) -> None:
        """Candidate `index` was acquired: h falls for the prompts whose radius contains its prompt."""
        rows = np.flatnonzero(self._reached(self._prompt_of[index : index + 1])[:, 0])
        self.inside[rows] += 1
        self._score[rows] = self._spread[rows] - digamma(self.inside[rows] + 1.0) / self._dimension

    def _reached(self, prompts: Positions) -> Mask:
        """(P, len(prompts)): whether each prompt lies within the radius of each prompt of the pool."""
        product = self._features @ self._features[prompts].T
        squared = self._squared[:, None] + self._squared[prompts] - 2.0 * product
        return np.asarray(squared <= self._rim[:, None])


class BalPm:
    """The candidate with the largest BALD + β h. bald: (N,) nats."""

    def __init__(self, bald: Floats, entropy: PromptEntropy, beta: float = BETA) -> None:
        self._bald = np.array(bald, dtype=np.float64)
        self._entropy = entropy
        self._beta = beta

    def scores(self) -> Floats:
        """a(x) of every candidate, (N,)."""
        return self._bald + self._beta * self._entropy.scores()

    def next(self, open: Mask) -> int:
        return largest(self.scores(), open)

    def observe(self, index: int) -> None:
        self._entropy.observe(index)


def kth_distances(points: Floats, k: int) -> Floats:
    """Euclidean distance of each point (P, f) to its k-th nearest other, (P,); 0 for a point on its own."""
    k = min(k, len(points) - 1)
    if k < 1:
        return np.zeros(len(points))
    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(points)
    return np.asarray(search.kneighbors()[0][:, -1], dtype=np.float64)
