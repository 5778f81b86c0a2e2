"""Simulated rankings, ratings and strengths, by the same people as `simulated` has for pairs.

Everything is in display terms: entry k is about the response shown in place k of n. With s, β, τ of the
profile and latent quality q_k,

    ranking   u_k = s·q_k + β·[k = 0] + ε_k, ε standard Gumbel; ranked by u, neighbours closer than
              TIE_WIDTH·e^τ level. Of two responses the left one wins with σ(s·Δq + β), as for pairs.
    rating    middle + (points − 1)/4 · (q_k + τ' + η_k/s) rounded and cut to the scale, η standard logistic,
              τ' = τ + 0.4 somebody's mildness; the first shown gets β/4 more

Whoever lapses does not look: ranks as shown or at random, gives one number to all or any. Seconds grow by
half of a pair's for each further response.

Sources: Plackett (1975) and Luce (1959) for the ranking.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotation.aggregation.simulated import AnnotatorProfile, ProfileError

TIE_WIDTH = 0.5
CLEAR, MUCH = 1.0, 2.5  # felt differences from which a side is clearly, much better
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SimulatedOrder:
    """numbers: ranks (1 best, dense) or points, one per response as shown."""

    numbers: tuple[int, ...]
    seconds: float


def ranking(
    profile: AnnotatorProfile, qualities: npt.ArrayLike, rng: np.random.Generator, *, ties: bool = True
) -> SimulatedOrder:
    q = _finite(qualities)
    n = len(q)
    looks = bool(rng.random() >= profile.lapse)
    if not looks:
        ranks = np.arange(1, n + 1) if rng.random() < 0.5 else rng.permutation(n) + 1
        return SimulatedOrder(tuple(ranks.tolist()), _seconds(profile, n, 0.0, rng))
    felt = profile.sensitivity * q + rng.gumbel(size=n)
    felt[0] += profile.left_bias
    order = np.argsort(-felt)
    gaps = -np.diff(felt[order])
    steps = gaps >= (TIE_WIDTH * np.exp(profile.tie) if ties else 0.0)
    if not ties:
        steps[:] = True
    ranks = np.empty(n, dtype=np.int64)
    ranks[order] = np.concatenate([[1], 1 + np.cumsum(steps)])
    closeness = float(np.exp(-np.mean(gaps))) if n > 1 else 0.0
    return SimulatedOrder(tuple(ranks.tolist()), _seconds(profile, n, closeness, rng))


def rating(
    profile: AnnotatorProfile, qualities: npt.ArrayLike, rng: np.random.Generator, *, points: int
) -> SimulatedOrder:
    q = _finite(qualities)
    n = len(q)
    if rng.random() < profile.lapse:
        same = rng.random() < 0.5
        given = np.full(n, rng.integers(1, points + 1)) if same else rng.integers(1, points + 1, size=n)
        return SimulatedOrder(tuple(given.tolist()), _seconds(profile, n, 0.0, rng))
    noise = rng.logistic(size=n) / max(profile.sensitivity, 0.3)
    felt = q + profile.tie + 0.4 + noise
    felt[0] += profile.left_bias / 4
    given = np.clip(np.rint((points + 1) / 2 + (points - 1) / 4 * felt), 1, points).astype(np.int64)
    return SimulatedOrder(tuple(given.tolist()), _seconds(profile, n, 0.5, rng))


def strength(profile: AnnotatorProfile, difference: float) -> int:
    """1 slightly, 2 clearly, 3 much better, for a difference of qualities."""
    felt = abs(profile.sensitivity * difference)
    return 1 + (felt >= CLEAR) + (felt >= MUCH)


def _seconds(profile: AnnotatorProfile, n: int, closeness: float, rng: np.random.Generator) -> float:
    typical = profile.median_seconds * (1 + 0.5 * max(n - 2, 0)) * (1 + 0.5 * closeness)
    return float(typical * np.exp(profile.spread * rng.standard_normal()))


def _finite(qualities: npt.ArrayLike) -> FloatArray:
    q = np.asarray(qualities, dtype=np.float64)
    if q.ndim != 1 or not len(q) or not np.isfinite(q).all():
        raise ProfileError(f"qualities are {q}; give one finite number per response.")
    return q
