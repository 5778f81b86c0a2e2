"""Pairs that cover the pool: greedy k-centre, and quotas over clusters.

k-centre (core-set) asks for the labelled pairs C that leave no pair of the pool far from all of them:
min_C max_x min_{c ∈ C} d(x, c), with d(x, c) = min(‖x − c‖, ‖x + c‖), for a pair and its swap are one point.
Farthest-first, always taking the pair with the largest distance to the nearest centre, comes within a factor
of 2 of the best C (Gonzalez 1985; Sener & Savarese 2018). It knows no density: outliers come first, so
close them beforehand.

Quotas take from each cluster in proportion to its share of the pool, at random within (Xu et al. 2007 is the
clustered ancestor; as a cold start it is stratified random sampling with known chances).
"""

from __future__ import annotations

import numpy as np
from sklearn.cluster import MiniBatchKMeans

from activelearning.acquisition.pair_geometry import PairGeometry
from activelearning.acquisition.picking import largest, open_rows
from activelearning.acquisition.pool import Floats, Mask, PoolError, Positions, Reals

FIT_POINTS = 20_000
BLOCK_POINTS = 16_384
SIGN_ROUNDS = 8


class KCentre:
    """Farthest-first over N candidates; centres are the labelled pairs and every pick.

    z: (n, q) features; first, second: (N,) and known_first, known_second: (m,) rows of z. Before the first
    centre the longest difference is taken. A pick costs one product over the responses, O(nq + N).
    """

    def __init__(
        self,
        z: Reals,
        first: Positions,
        second: Positions,
        known_first: Positions,
        known_second: Positions,
    ) -> None:
        self._pairs = PairGeometry(z, first, second)
        centres = np.asarray(z[known_first], dtype=np.float64) - z[known_second]
        self._squared = self._pairs.nearest(centres)
        self._centres = len(centres)

    def distances(self) -> Floats:
        """Distance of every candidate to its nearest centre, (N,), ∞ while there is none."""
        return np.sqrt(self._squared)

    def next(self, open: Mask) -> int:
        """The open candidate farthest from every centre, ties to the lower position."""
        return largest(self._squared if self._centres else self._pairs.lengths2, open)

    def observe(self, index: int) -> None:
        centre = self._pairs.difference(index)
        self._squared = np.minimum(self._squared, self._pairs.squared_distances(centre))
        self._centres += 1


class ClusterQuota:
    """Always the cluster with the lowest (labelled + picked)/share, uniformly at random within it.

    cluster: (N,) labels 0…k−1 of the candidates; known_counts: (k,) labelled pairs of each; a cluster's share
    is its part of the candidates. Equal ratios go to the larger share, then to the lower label. So the only
    chance is the draw within the cluster: last_chance = 1/(its open candidates), 0 before the first draw.
    """

    def __init__(self, cluster: Positions, known_counts: Positions, rng: np.random.Generator) -> None:
        self._cluster = np.array(cluster, dtype=np.int64)
        self._taken = np.array(known_counts, dtype=np.float64)
        k = len(self._taken)
        if len(self._cluster) and (self._cluster.min() < 0 or self._cluster.max() >= k):
            raise PoolError(
                f"Clusters run from {self._cluster.min()} to {self._cluster.max()}, but {k} have a count of "
                "labelled pairs; give one count for every cluster."
            )
        self._share = np.bincount(self._cluster, minlength=k) / max(1, len(self._cluster))
        self._rng = rng
        self.last_chance = 0.0

    def next(self, open: Mask) -> int:
        """Draws anew at each call."""
        here = np.flatnonzero(np.bincount(self._cluster[open_rows(open)]))
        ratio = self._taken[here] / self._share[here]
        poorest = here[np.lexsort((here, -self._share[here], ratio))[0]]
        rows = np.flatnonzero(open & (self._cluster == poorest))
        self.last_chance = 1.0 / len(rows)
        return int(self._rng.choice(rows))

    def observe(self, index: int) -> None:
        self._taken[self._cluster[index]] += 1


def cluster_prompts(points: Reals, k: int, rng: np.random.Generator) -> Positions:
    """Labels (P,) < k of points (P, f) by mini-batch k-means (Sculley 2010), fitted on 20,000 at most."""
    centres = _centres(points, k, rng)
    return _assign(points, centres)[0]


def cluster_pairs(points: Reals, k: int, rng: np.random.Generator) -> Positions:
    """Labels (N,) < k of pair differences (N, q), the same for x and −x.

    Differences are first turned to one side of their principal direction; then k-means is run to its end with
    the sign of every pair free: each joins the centre c with the largest |x·c| − ‖c‖²/2, on the side it lies.
    """
    fitted = _sample(points, rng)
    centres = _centres(_one_side(fitted), k, rng)
    for _ in range(SIGN_ROUNDS):
        label, sign = _assign(fitted, centres, signed=True)
        total = np.zeros_like(centres)
        np.add.at(total, label, fitted * sign[:, None])
        count = np.bincount(label, minlength=len(centres))
        moved = np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], centres)
        if np.allclose(moved, centres):
            break
        centres = moved
    return _assign(points, centres, signed=True)[0]


def _sample(points: Reals, rng: np.random.Generator) -> Floats:
    rows = np.arange(len(points))
    if len(points) > FIT_POINTS:
        rows = np.sort(rng.choice(len(points), FIT_POINTS, replace=False))
    return np.asarray(points[rows], dtype=np.float64)


def _centres(points: Reals, k: int, rng: np.random.Generator) -> Floats:
    fitted = _sample(points, rng)
    if k < 1 or len(fitted) == 0:
        raise PoolError(f"{k} clusters of {len(fitted)} points; at least one of each is needed.")
    search = MiniBatchKMeans(min(k, len(fitted)), random_state=int(rng.integers(1 << 31)), n_init=3)
    return np.asarray(search.fit(fitted).cluster_centers_, dtype=np.float64)


def _one_side(x: Floats) -> Floats:
    """x or −x, whichever lies on the positive side of the principal direction (of the first axis not 0)."""
    side = x @ np.linalg.eigh(x.T @ x)[1][:, -1]
    leading = x[np.arange(len(x)), np.argmax(x != 0, axis=1)]
    return np.asarray(x * np.where(side != 0, np.sign(side), np.sign(leading))[:, None])


def _assign(points: Reals, centres: Floats, *, signed: bool = False) -> tuple[Positions, Floats]:
    """The nearest centre of every point, where signed of x or −x, and the sign of the side it lies on."""
    label = np.empty(len(points), dtype=np.int64)
    sign = np.ones(len(points))
    half = np.einsum("ij,ij->i", centres, centres) / 2
    for begin in range(0, len(points), BLOCK_POINTS):
        rows = slice(begin, begin + BLOCK_POINTS)
        along = np.asarray(points[rows], dtype=np.float64) @ centres.T
        label[rows] = np.argmax((np.abs(along) if signed else along) - half, axis=1)
        if signed:
            chosen = np.take_along_axis(along, label[rows, None], axis=1)[:, 0]
            sign[rows] = np.where(chosen < 0, -1.0, 1.0)
    return label, sign
