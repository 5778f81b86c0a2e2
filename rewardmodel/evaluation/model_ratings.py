"""How strong are the models that wrote the responses? One number each, from who was preferred to whom.

Bradley-Terry with ties (Davidson 1970), fitted to vote shares. With models a and b behind the two responses,

    d = θ_a - θ_b + z·γ,    P(A, B, tie) = softmax(d/2, -d/2, τ)

where z are the differences in style of the two responses (evaluation.style; none in the raw ratings), so that
θ compares models at equal style. Without a single tie τ is left out and this is logistic regression.

Every θ and γ has a weak normal prior of mean 0. It keeps a model finite that never lost, or never won, and
puts the mean of every group of models that met one another at 0; two such groups cannot be compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from rewardmodel.evaluation.accuracy import TIE, A, B
from rewardmodel.evaluation.calibration import log_probabilities

PRIOR = 0.01  # precision of θ and γ, in votes: a standard deviation of 10 log-odds, 1,700 points of Elo
ELO = 400 / math.log(10)  # points per unit of log-odds: 400 points are odds of ten to one
MOST_STEPS = 100
TOLERANCE = 1e-6  # the largest move of the last Newton step, in log-odds; its square is what is missing

Solve = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Games:
    """m pairs of responses by models 0…p-1, and what the voters said."""

    first: np.ndarray  # (m,) the model behind A
    second: np.ndarray  # (m,) the model behind B
    shares: np.ndarray  # (m, 3) over (A, B, tie)
    weight: np.ndarray  # (m,) effective votes
    prompt: np.ndarray  # (m,) in 0…G-1: pairs of one prompt are not independent
    style: np.ndarray  # (m, S) differences A - B, standardised; S = 0 without style control
    models: int  # p

    @property
    def ties(self) -> bool:
        """Whether a tie parameter can be fitted."""
        return bool((self.weight * self.shares[:, TIE]).sum() > 0)


@dataclass(frozen=True, eq=False)
class Fit:
    """theta (p,) and gamma (S,) in log-odds; tau is -inf without ties."""

    theta: np.ndarray
    gamma: np.ndarray
    tau: float

    @property
    def beta(self) -> np.ndarray:
        """All that was fitted, in the order of gradients and curvatures: θ, γ, τ where there is one."""
        return np.concatenate([self.theta, self.gamma, [self.tau] if math.isfinite(self.tau) else []])


@dataclass(frozen=True, eq=False)
class Slopes:
    """Derivatives of each pair's log-likelihood by d and τ, weights included."""

    by_d: np.ndarray  # (m,)
    by_tau: np.ndarray
    dd: np.ndarray  # minus the second derivatives
    d_tau: np.ndarray
    tau_tau: np.ndarray

    def times(self, factor: np.ndarray) -> Slopes:
        """With the votes of each pair counted `factor` (m,) times."""
        return Slopes(*(factor * one for one in (self.by_d, self.by_tau, self.dd, self.d_tau, self.tau_tau)))


def fit(games: Games, prior: float = PRIOR) -> Fit:
    """Maximum a posteriori by Newton steps, halved while they do not help; the problem is concave."""
    beta = np.zeros(games.models + games.style.shape[1] + games.ties)
    value = _log_posterior(games, beta, prior)
    for _ in range(MOST_STEPS):
        move = newton_step(games, slopes(games, beta), beta, prior)
        length = 1.0
        while (tried := _log_posterior(games, beta + length * move, prior)) < value and length > 1e-6:
            length /= 2
        beta, value = beta + length * move, tried
        if np.abs(move).max(initial=0) < TOLERANCE:
            break
    return Fit(*unpack(games, beta))


def unpack(games: Games, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """θ (p,), γ (S,) and τ."""
    p, end = games.models, games.models + games.style.shape[1]
    return beta[:p], beta[p:end], float(beta[end]) if games.ties else -math.inf


def slopes(games: Games, beta: np.ndarray) -> Slopes:
    theta, gamma, tau = unpack(games, beta)
    d = theta[games.first] - theta[games.second] + games.style @ gamma
    p, w, s = np.exp(log_probabilities(d, 1.0, tau)), games.weight, games.shares
    lead = (p[:, A] - p[:, B]) / 2
    return Slopes(
        by_d=w * ((s[:, A] - s[:, B]) / 2 - lead),
        by_tau=w * (s[:, TIE] - p[:, TIE]),
        dd=w * ((p[:, A] + p[:, B]) / 4 - lead**2),
        d_tau=-w * lead * p[:, TIE],
        tau_tau=w * p[:, TIE] * (1 - p[:, TIE]),
    )


def newton_step(games: Games, at: Slopes, beta: np.ndarray, prior: float) -> np.ndarray:
    return solver(curvature(games, at, prior))(gradient(games, at, beta, prior))


def gradient(games: Games, at: Slopes, beta: np.ndarray, prior: float) -> np.ndarray:
    """Of the log-posterior, (p + S + 1 with ties,)."""
    found = np.concatenate([_by_model(games, at.by_d), at.by_d @ games.style, _if(games, at.by_tau.sum())])
    return np.asarray(found - _prior(games, prior) * beta)


def curvature(games: Games, at: Slopes, prior: float) -> np.ndarray:
    """Minus the matrix of second derivatives; positive definite with a prior."""
    p = games.models
    crossed = np.bincount(games.first * p + games.second, at.dd, p * p).reshape(p, p)
    met = crossed + crossed.T
    models = np.diag(met.sum(axis=1)) - met
    by_style = np.stack([_by_model(games, at.dd * z) for z in games.style.T] or [np.zeros(p)])
    by_style = by_style[: games.style.shape[1]].T  # (p, S)
    style = games.style.T @ (at.dd[:, None] * games.style)
    whole = np.block([[models, by_style], [by_style.T, style]])
    if games.ties:
        edge = np.concatenate([_by_model(games, at.d_tau), at.d_tau @ games.style])
        whole = np.block([[whole, edge[:, None]], [edge, at.tau_tau.sum()]])
    whole[np.diag_indices_from(whole)] += _prior(games, prior)
    return np.asarray(whole)


def solver(matrix: np.ndarray) -> Solve:
    """x ↦ matrix⁻¹ x."""
    factor = cho_factor(matrix)
    return lambda right: np.asarray(cho_solve(factor, right))


def _log_posterior(games: Games, beta: np.ndarray, prior: float) -> float:
    theta, gamma, tau = unpack(games, beta)
    log_p = log_probabilities(theta[games.first] - theta[games.second] + games.style @ gamma, 1.0, tau)
    if not games.ties:
        log_p = log_p[:, :TIE]
    likely = (games.weight[:, None] * games.shares[:, : log_p.shape[1]] * log_p).sum()
    return float(likely - (_prior(games, prior) * beta**2).sum() / 2)


def _by_model(games: Games, values: np.ndarray) -> np.ndarray:
    """Summed over the pairs of each model, minus where it stands second, (p,)."""
    for_first, for_second = (np.bincount(side, values, games.models) for side in (games.first, games.second))
    return np.asarray(for_first - for_second)


def _prior(games: Games, prior: float) -> np.ndarray:
    """The precision of each parameter; τ is known from all votes together and needs none."""
    return np.concatenate([np.full(games.models + games.style.shape[1], prior), _if(games, 0.0)])


def _if(games: Games, value: float) -> list[float]:
    return [float(value)] if games.ties else []
