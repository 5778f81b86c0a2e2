"""A table of model ratings: the fit with its intervals, ranks and what cannot be compared.

Ratings are on the scale of Elo, 1000 + (400 / ln 10) θ: the mean model of each group, or the chosen one,
stands at 1000. Standard errors are a sandwich clustered by prompt (Liang and Zeger 1986; with G/(G - 1)).
Intervals and ranks come of a bootstrap over prompts in which every resample moves the estimate by one Newton
step (Andrews, "Higher-order improvements of the k-step bootstrap", 2002): refitted ones at a fraction of the
time. With many models that step uses the curvature of all pairs, not of the resample (Kline and Santos 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, hstack
from scipy.sparse.csgraph import connected_components

from rewardmodel.evaluation import model_ratings
from rewardmodel.evaluation.accuracy import TIE, A, B
from rewardmodel.evaluation.calibration import log_probabilities
from rewardmodel.evaluation.model_ratings import ELO, PRIOR, Games
from rewardmodel.evaluation.style import FEATURES

MEAN = 1000.0
DRAWS = 200
OWN_CURVATURE = 200  # parameters up to which every resample has its own


@dataclass(frozen=True)
class Rated:
    """One model. Shares count a tie as half a win."""

    model: str
    rating: float
    error: float  # standard error, points
    low: float  # 95 %
    high: float
    rank: int  # within its group
    rank_low: int  # the best and the worst rank that 95 % of the resamples leave
    rank_high: int
    pairs: int
    votes: float  # effective
    won: float  # share of the votes
    field: float  # expected share against every other model of its group, at equal style
    group: int  # models of different groups never met, not even through others
    bounded: bool  # False: it never lost, or never won, and only the prior keeps it finite


@dataclass(frozen=True)
class Coefficient:
    """What one standard deviation more of a style feature is worth, all else equal."""

    feature: str
    value: float  # log-odds
    error: float
    low: float
    high: float

    @property
    def elo(self) -> float:
        return ELO * self.value


@dataclass(frozen=True, eq=False)
class Leaderboard:
    rated: tuple[Rated, ...]  # the best first, group by group, the largest group first
    coefficients: tuple[Coefficient, ...]
    tau: float | None  # None: no vote was a tie
    groups: int
    pairs: int
    prompts: int
    votes: float
    expected: np.ndarray  # (p, p) in the order of `rated`: expected share of the row against the column
    met: np.ndarray  # (p, p) effective votes between the two
    scored: np.ndarray  # (p, p) of these for the row, ties half


def leaderboard(
    names: Sequence[str],
    games: Games,
    *,
    reference: str | None = None,
    draws: int = DRAWS,
    prior: float = PRIOR,
    rng: np.random.Generator,
) -> Leaderboard:
    """Rate the models `names`, all of which play.

    reference: a model to stand at 1000, within its group; else the mean of every group does.
    """
    met, scored = _tables(games)
    group = _groups(met)
    found = model_ratings.fit(games, prior)
    slopes = model_ratings.slopes(games, found.beta)
    spread = _sandwich(games, slopes, prior)
    drawn = _resampled(games, found.beta, slopes, draws, prior, rng)
    shift = _anchor(names, reference, group)
    p = len(names)
    rating, moved = (MEAN + ELO * (theta @ shift.T) for theta in (found.theta[None], drawn[:, :p]))
    low, high = np.quantile(moved, [0.025, 0.975], axis=0)
    best, worst = np.quantile(_ranks(moved, group), [0.025, 0.975], axis=0, method="nearest")
    expected = _expected(found.theta, found.tau)
    votes = met.sum(axis=1)
    columns = {
        "model": list(names),
        "rating": rating[0].tolist(),
        "error": (ELO * np.sqrt(((shift @ spread[:p, :p]) * shift).sum(axis=1).clip(0))).tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
        "rank": _ranks(rating, group)[0].tolist(),
        "rank_low": best.tolist(),
        "rank_high": worst.tolist(),
        "pairs": np.bincount(np.concatenate([games.first, games.second]), minlength=p).tolist(),
        "votes": votes.tolist(),
        "won": (scored.sum(axis=1) / votes).tolist(),
        "field": _field(expected, group),
        "group": group.tolist(),
        "bounded": _bounded(scored).tolist(),
    }
    rows = [Rated(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]
    order = sorted(range(p), key=lambda i: (rows[i].group, rows[i].rank, rows[i].model))
    square = np.ix_(order, order)
    return Leaderboard(
        rated=tuple(rows[i] for i in order),
        coefficients=_coefficients(found.gamma, spread, drawn, p),
        tau=found.tau if games.ties else None,
        groups=int(group.max()) + 1,
        pairs=len(games.first),
        prompts=int(np.unique(games.prompt).size),
        votes=float(games.weight.sum()),
        expected=expected[square],
        met=met[square],
        scored=scored[square],
    )


def _tables(games: Games) -> tuple[np.ndarray, np.ndarray]:
    """Votes between every two models, and those of them for the row; both (p, p)."""
    p, half = games.models, games.shares[:, TIE] / 2
    forth, back = games.first * p + games.second, games.second * p + games.first
    scored = np.bincount(forth, games.weight * (games.shares[:, A] + half), p * p)
    scored += np.bincount(back, games.weight * (games.shares[:, B] + half), p * p)
    scored = scored.reshape(p, p)
    return scored + scored.T, scored


def _groups(met: np.ndarray) -> np.ndarray:
    """Which group of models that met, directly or through others, each belongs to; 0 is the largest."""
    _, label = connected_components(csr_matrix(met > 0), directed=False)
    size = np.bincount(label)
    return np.asarray(np.argsort(np.argsort(-size, kind="stable"))[label])


def _bounded(scored: np.ndarray) -> np.ndarray:
    """Models that both won from and lost to somebody whom they can be compared with in both directions.

    Without a prior a maximum exists only where every model of a group has, by some chain of wins, beaten
    every other (Ford 1957). Those outside the largest such set of their group are held by the prior.
    """
    _, weak = connected_components(csr_matrix(scored > 0), directed=False)
    _, strong = connected_components(csr_matrix(scored > 0), directed=True, connection="strong")
    size = np.bincount(strong)[strong]
    largest = np.zeros(int(weak.max()) + 1, dtype=np.int64)
    np.maximum.at(largest, weak, size)
    return np.asarray((size == largest[weak]) & (size > 1))


def _sandwich(games: Games, slopes: model_ratings.Slopes, prior: float) -> np.ndarray:
    """Covariance of all parameters: H⁻¹ (Σ_g s_g s_gᵀ) H⁻¹ with s_g the gradient of prompt g."""
    m, prompts = len(games.first), int(games.prompt.max()) + 1
    rows = np.arange(m)
    signs = csr_matrix((slopes.by_d, (rows, games.first)), (m, games.models)) - csr_matrix(
        (slopes.by_d, (rows, games.second)), (m, games.models)
    )
    parts = [signs, csr_matrix(slopes.by_d[:, None] * games.style)]
    parts += [csr_matrix(slopes.by_tau[:, None])] if games.ties else []
    of_prompt = csr_matrix((np.ones(m), (games.prompt, rows)), (prompts, m)) @ hstack(parts, "csr")
    inverse = model_ratings.solver(model_ratings.curvature(games, slopes, prior))
    several = np.unique(games.prompt).size
    meat = (of_prompt.T @ of_prompt).toarray() * (several / max(several - 1, 1))
    return inverse(np.asarray(inverse(meat).T))


def _resampled(
    games: Games,
    beta: np.ndarray,
    slopes: model_ratings.Slopes,
    draws: int,
    prior: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Parameters (draws, …) after one Newton step on each resample of the prompts."""
    numbered = np.unique(games.prompt, return_inverse=True)[1]
    prompts = int(numbered.max()) + 1
    shared = model_ratings.solver(model_ratings.curvature(games, slopes, prior))
    found = np.empty((draws, len(beta)))
    for i in range(draws):
        times = np.bincount(rng.integers(prompts, size=prompts), minlength=prompts)[numbered]
        drawn = slopes.times(times.astype(np.float64))
        step = model_ratings.gradient(games, drawn, beta, prior)
        if len(beta) <= OWN_CURVATURE:
            found[i] = beta + model_ratings.solver(model_ratings.curvature(games, drawn, prior))(step)
        else:
            found[i] = beta + shared(step)
    return found


def _anchor(names: Sequence[str], reference: str | None, group: np.ndarray) -> np.ndarray:
    """The matrix (p, p) that takes from every θ the mean of its group, or in its group the reference's."""
    p = len(names)
    same = group[:, None] == group[None, :]
    away = same / same.sum(axis=1, keepdims=True)
    if reference is not None:
        at = list(names).index(reference)
        away[group == group[at]] = np.eye(p)[at]
    return np.asarray(np.eye(p) - away)


def _ranks(ratings: np.ndarray, group: np.ndarray) -> np.ndarray:
    """1 for the highest of each group, (draws, p) -> (draws, p); equals share the better rank."""
    found = np.empty(ratings.shape, dtype=np.int64)
    for one in np.unique(group):
        inside = ratings[:, group == one]
        down = np.sort(-inside, axis=1)
        above = [np.searchsorted(row, -values) for row, values in zip(down, inside, strict=True)]
        found[:, group == one] = np.array(above) + 1
    return found


def _expected(theta: np.ndarray, tau: float) -> np.ndarray:
    p = np.exp(log_probabilities(theta[:, None] - theta[None, :], 1.0, tau))
    return np.asarray(p[..., A] + p[..., TIE] / 2)


def _field(expected: np.ndarray, group: np.ndarray) -> list[float]:
    """Mean against the others of the group: against itself everybody's share is one half."""
    same = group[:, None] == group[None, :]
    return (((expected * same).sum(axis=1) - 0.5) / (same.sum(axis=1) - 1)).tolist()  # type: ignore[no-any-return]


def _coefficients(
    gamma: np.ndarray, spread: np.ndarray, drawn: np.ndarray, p: int
) -> tuple[Coefficient, ...]:
    return tuple(
        Coefficient(
            FEATURES[k],
            float(gamma[k]),
            float(np.sqrt(max(spread[p + k, p + k], 0))),
            *(float(end) for end in np.quantile(drawn[:, p + k], [0.025, 0.975])),
        )
        for k in range(len(gamma))
    )
