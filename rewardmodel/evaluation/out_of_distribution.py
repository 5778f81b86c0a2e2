"""Is a response unlike anything the model learned from? Its Mahalanobis distance in embedding space.

    distance(x)² = (x - μ)ᵀ Σ⁻¹ (x - μ) / d

with μ and Σ of the training responses, Σ shrunk towards a multiple of the identity (Ledoit and Wolf, "A
well-conditioned estimator for large-dimensional covariance matrices", 2004), because there are often fewer
responses than dimensions. The division by d makes about 1 the usual distance. A response beyond the 99 %
quantile of distances of responses whose prompts were left out of μ and Σ is flagged (Lee et al., "A simple
unified framework for detecting out-of-distribution samples", 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from rewardmodel.training import files

QUANTILE = 0.99
FOLDS = 5
ENOUGH = 5_000  # responses that μ and Σ are estimated from; more change neither
CHUNK = 8_192


def ledoit_wolf(x: np.ndarray) -> tuple[np.ndarray, float]:
    """Σ = (1 - s) S + s (tr S / d) I of rows x (n, d) with the mean taken off, and the shrinkage s."""
    n, d = x.shape
    centred = x - x.mean(axis=0)
    sample = centred.T @ centred / n
    level = float(np.trace(sample)) / d
    spread = float(np.square(sample).sum()) - d * level**2  # |S - level I|²
    noise = (float(np.square(np.square(centred).sum(axis=1)).sum()) / n - float(np.square(sample).sum())) / n
    shrinkage = 1.0 if spread <= 0 else float(np.clip(noise / spread, 0, 1))
    return (1 - shrinkage) * sample + shrinkage * level * np.eye(d), shrinkage


@dataclass(frozen=True)
class Reference:
    """The responses an ensemble knows: distances of others from them, and where "too far" begins."""

    mean: np.ndarray  # (d,) float32
    whitening: np.ndarray  # (d, d) float32: W with W Wᵀ = Σ⁻¹ / d
    threshold: float

    def distance(self, x: np.ndarray) -> np.ndarray:
        """(n, d) embedding columns -> (n,) float64; about 1 for a usual response."""
        parts = [
            np.linalg.norm((x[i : i + CHUNK].astype(np.float32) - self.mean) @ self.whitening, axis=1)
            for i in range(0, len(x), CHUNK)
        ]
        return np.concatenate(parts).astype(np.float64) if parts else np.zeros(0)

    def flag(self, distance: np.ndarray) -> np.ndarray:
        """(n,) bool: beyond the threshold."""
        return np.asarray(distance > self.threshold)

    def save(self, path: Path) -> None:
        """Write one safetensors file, atomically."""
        tensors = {"mean": self.mean, "whitening": self.whitening, "threshold": np.array([self.threshold])}
        files.write_bytes(path, save_tensors(tensors))

    @classmethod
    def load(cls, path: Path) -> Reference:
        """Read what `save` wrote. Raises OSError, SafetensorError or KeyError when it is not that."""
        tensors = load_tensors(path.read_bytes())
        return cls(tensors["mean"], tensors["whitening"], float(tensors["threshold"][0]))


@dataclass(frozen=True)
class LeftOut:
    """One reference for every fold of prompts, which knows the other folds only."""

    fold: np.ndarray  # (n,) 0…F-1
    references: tuple[Reference, ...]  # F, each with the threshold that the other folds give
    distance: np.ndarray  # (n,) of each response from the responses of the other folds

    @property
    def flagged(self) -> np.ndarray:
        """(n,) bool."""
        return np.asarray(self.distance > np.array([one.threshold for one in self.references])[self.fold])

    def distance_at(self, x: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Of other texts x (k, d) in the place of the responses `rows` (k,)."""
        found = np.zeros(len(rows))
        for f in np.unique(self.fold[rows]):
            mine = self.fold[rows] == f
            found[mine] = self.references[f].distance(x[mine])
        return found


def left_out(x: np.ndarray, fold: np.ndarray, rng: np.random.Generator) -> LeftOut:
    """x (n, d), fold (n,): every response judged without its own fold (a single fold: with it)."""
    distance, moments = np.zeros(len(x)), []
    for f in range(int(fold.max()) + 1):
        inside = fold == f
        moments.append(_moments(x if inside.all() else x[~inside], rng))
        distance[inside] = Reference(*moments[-1], np.inf).distance(x[inside])
    references = []
    for f, (mean, whitening) in enumerate(moments):
        others = distance if (fold == f).all() else distance[fold != f]
        references.append(Reference(mean, whitening, float(np.quantile(others, QUANTILE))))
    return LeftOut(fold, tuple(references), distance)


def fit(x: np.ndarray, group: np.ndarray, rng: np.random.Generator, *, folds: int = FOLDS) -> Reference:
    """The reference of responses x (n, d) of prompts group (n,).

    The threshold comes from distances with each response's prompt left out: to itself everything is near.
    """
    distances = left_out(x, fold_of_groups(group, folds, rng), rng).distance
    return Reference(*_moments(x, rng), float(np.quantile(distances, QUANTILE)))


def fold_of_groups(group: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """(n,) in 0…folds-1, the same for all rows of a group."""
    names, which = np.unique(group, return_inverse=True)
    return np.asarray((rng.permutation(len(names)) % min(folds, len(names)))[which])


def _moments(x: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    if len(x) > ENOUGH:
        x = x[np.sort(rng.choice(len(x), ENOUGH, replace=False))]
    x = x.astype(np.float64)
    covariance, _ = ledoit_wolf(x)
    d = x.shape[1]
    covariance[np.diag_indices(d)] += 1e-9 * max(float(np.trace(covariance)) / d, 1e-12)
    # Σ = L Lᵀ, so W = L⁻ᵀ / √d
    whitening = np.linalg.inv(np.linalg.cholesky(covariance)).T / np.sqrt(d)
    return x.mean(axis=0).astype(np.float32), np.ascontiguousarray(whitening, dtype=np.float32)
