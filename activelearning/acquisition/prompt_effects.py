"""What the votes of one prompt tell about other prompts: less with every vote.

What makes a response better is not quite the same in every prompt: θ_p = θ + u_p with u_p ~ N(0, σ² I),
each prompt its own, beside θ ~ N(0, I/λ). Votes in prompt p with A_p = Σ v x xᵀ then tell of θ, and
so of all other prompts,

    B_p = A_p (I + σ² A_p)⁻¹,    Σ = (λI + Σ_p B_p)⁻¹,

never more than I/σ² however many they are. One vote more on x adds exactly v̂ x̃ x̃ᵀ, where

    x̃ = C_p x,    v̂ = v/(1 + σ² v xᵀC_p x),    C_p = (I + σ² A_p)⁻¹,    C_p' = C_p − σ² v̂ x̃ x̃ᵀ:

what a prompt has told already is taken off the directions that its pairs still open. σ = 0 is the model in
which every prompt is alike (Woodbury's identity throughout).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from activelearning.acquisition.pool import Floats, Positions
from activelearning.acquisition.posterior import Posterior
from activelearning.acquisition.projection import Singles

Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class PromptEffects:
    """variance: σ² of a prompt's own part in every direction; z: (n, q) the responses as C_p z; prompt: (n,)
    prompt number of each; posterior: over θ, its covariance with the prompts' own parts integrated out.
    """

    variance: float
    z: Singles
    prompt: Positions
    posterior: Posterior


def prompt_effects(
    z: Singles,
    prompt: Positions,
    first: Positions,
    second: Positions,
    votes: Floats,
    posterior: Posterior,
    variance: float,
) -> PromptEffects:
    """After votes (m,) on the pairs (first, second) (m,), rows of z (n, q). variance: σ² > 0.

    The mean stays that of `posterior`: only how sure it is changes.
    """
    q = z.shape[1]
    left = np.array(z, dtype=np.float32)
    precision = posterior.prior_precision * np.eye(q)
    order = np.argsort(prompt[first], kind="stable")
    responses = np.argsort(prompt, kind="stable")
    numbers = prompt[responses]
    for rows in np.split(order, np.flatnonzero(np.diff(prompt[first[order]])) + 1) if len(order) else []:
        x = (z[first[rows]] - z[second[rows]]).astype(np.float64)
        p = expit(x @ posterior.mean)
        x *= np.sqrt(votes[rows] * p * (1 - p))[:, None]
        # C = I − σ² Xᵀ(I + σ² XXᵀ)⁻¹X, by the smaller of the two sides
        if len(x) < q:
            told = x.T @ np.linalg.solve(np.eye(len(x)) + variance * (x @ x.T), x)
        else:
            a = x.T @ x
            told = np.linalg.solve(np.eye(q) + variance * a, a)
        precision += (told + told.T) / 2
        number = prompt[first[rows[0]]]
        own = responses[np.searchsorted(numbers, number) : np.searchsorted(numbers, number, "right")]
        left[own] = z[own] - variance * (z[own].astype(np.float64) @ told)
    covariance = np.linalg.inv(precision)
    return PromptEffects(
        variance, left, prompt, replace(posterior, covariance=(covariance + covariance.T) / 2)
    )


def first_votes(
    effects: PromptEffects, z: Singles, first: Integers, second: Integers, information: Floats
) -> Floats:
    """v̂ (N,) of the next vote on each pair of rows of z (n, q); information: v (N,) where all are alike."""
    return _saturated(effects.variance, information, _reach(z, effects.z, first, second))


def _saturated(variance: float, vote: Floats, reach: Floats) -> Floats:
    """v̂ of votes of v (N,) on pairs of xᵀC_p x (N,)."""
    return np.asarray(vote / (1.0 + variance * vote * np.maximum(reach, 0.0)), dtype=np.float64)


def _reach(z: Singles, left: Singles, first: Integers, second: Integers) -> Floats:
    """xᵀC_p x (N,) of pairs of rows of z (n, q) and of `left`, which is C_p z."""
    found = np.empty(len(first))
    for begin in range(0, len(first), 1 << 14):
        rows = slice(begin, begin + (1 << 14))
        a, b = first[rows], second[rows]
        found[rows] = np.einsum("ij,ij->i", z[a] - z[b], left[a] - left[b])
    return found


class Saturation:
    """x̃ and v̂ of N candidates while a batch grows. z: (n, q) responses before, left: C_p z; both are kept,
    `left` is changed in place. first, second: (N,) rows of z; information: v (N,); prompt: (n,).
    """

    def __init__(
        self,
        variance: float,
        z: Singles,
        left: Singles,
        prompt: Positions,
        first: Integers,
        second: Integers,
        information: Floats,
    ) -> None:
        self._variance, self._z, self.left = variance, z, left
        self._first, self._second, self._vote = first, second, information
        self._own = _Rows(prompt[first])
        self._responses = _Rows(prompt)
        self._prompt = prompt
        self._reach = _reach(z, left, first, second)

    def information(self) -> Floats:
        """v̂ (N,)."""
        return _saturated(self._variance, self._vote, self._reach)

    def observe(self, index: int, x: Floats, v: float) -> Told:
        """Candidate `index` of x̃ = x (q,) and v̂ = v was picked: what that leaves of its prompt's pairs."""
        number = int(self._prompt[self._first[index]])
        pairs, responses = self._own(number), self._responses(number)
        along = self._z[responses] @ x
        left = self.left[responses] - self._variance * v * along[:, None] * x
        self.left[responses] = left
        first, second = self._responses.place[self._first[pairs]], self._responses.place[self._second[pairs]]
        self._reach[pairs] -= self._variance * v * (along[first] - along[second]) ** 2
        votes = _saturated(self._variance, self._vote[pairs], self._reach[pairs])
        return Told(pairs, responses, left, first, second, votes)


@dataclass(frozen=True, eq=False)
class Told:
    """pairs: (m,) the candidates of a prompt; responses: (k,) rows of its responses, z: (k, q) they as C_p z;
    first, second: (m,) rows of that; information: v̂ (m,).
    """

    pairs: Positions
    responses: Positions
    z: Floats
    first: Positions
    second: Positions
    information: Floats

    def quadratic_form(self, matrix: Floats) -> Floats:
        """x̃ᵀ(matrix)x̃ of each, (m,), for a symmetric matrix: one product over the responses, the fewer."""
        half = self.z @ matrix
        a, b = self.first, self.second
        if len(self.z) ** 2 <= 4 * len(a):  # most pairs of the prompt are candidates
            table = half @ self.z.T  # symmetric, as the matrix is
            own = table.diagonal()
            return own.take(a) + own.take(b) - 2.0 * table.take(a * len(self.z) + b)
        x = self.z[a] - self.z[b]
        return np.asarray(np.einsum("ij,ij->i", half[a] - half[b], x), dtype=np.float64)


class _Rows:
    """Where a number stands, in ascending order."""

    def __init__(self, numbers: Integers) -> None:
        self._order = np.argsort(numbers, kind="stable")
        self._sorted = numbers[self._order]
        self.place = np.empty(len(numbers), dtype=np.int64)  # of each among those with its number
        starts = np.flatnonzero(np.diff(self._sorted, prepend=self._sorted[:1] - 1))
        self.place[self._order] = np.arange(len(numbers)) - np.repeat(
            starts, np.diff(np.append(starts, len(numbers)))
        )

    def __call__(self, number: int) -> Positions:
        low, high = np.searchsorted(self._sorted, [number, number + 1])
        return np.asarray(self._order[low:high], dtype=np.int64)
