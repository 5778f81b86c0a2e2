"""Does the reward order the responses to a prompt as people do? Spearman's ρ and Kendall's τ-b.

    ρ   = Pearson correlation of average ranks
    τ_b = (concordant - discordant) / √((n₀ - ties in x)(n₀ - ties in y)),  n₀ = n(n - 1)/2

(Kendall, "The treatment of ties in ranking problems", 1945.) One coefficient a list, averaged over lists,
with an interval over prompts. A list in which either side is all equal has no coefficient; such lists are
counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rewardmodel.evaluation import clustered
from rewardmodel.evaluation.accuracy import TIE, A, B
from rewardmodel.evaluation.clustered import Interval

SHORTEST = 3  # with two responses a correlation is accuracy by another name


def ranks(values: np.ndarray) -> np.ndarray:
    """Average ranks from 1, lowest first; importing scipy.stats for this takes longer than the rest."""
    _, which, count = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[which])


def spearman(x: np.ndarray, y: np.ndarray) -> float | None:
    """x, y: (n,). None where either is constant."""
    a, b = ranks(x), ranks(y)
    if len(a) < 2 or a.std() == 0 or b.std() == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def kendall(x: np.ndarray, y: np.ndarray) -> float | None:
    """τ-b of x, y (n,) by all pairs, O(n²). None where either is constant."""
    above = np.triu_indices(len(x), 1)
    a, b = (np.sign(v[above[0]] - v[above[1]]) for v in (x, y))
    among = float(np.abs(a).sum()) * float(np.abs(b).sum())
    return float((a * b).sum() / np.sqrt(among)) if among else None


@dataclass(frozen=True)
class Listing:
    """Responses to one prompt in the order that people put them."""

    prompt: int
    rows: np.ndarray  # (k,) of the responses
    score: np.ndarray  # (k,) the more the better


@dataclass(frozen=True)
class RankCorrelation:
    spearman: Interval  # n counts lists
    kendall: Interval
    prompts: int
    responses: float  # mean length of a list
    undefined: int  # lists where people or the model see no difference at all


def correlate(reward: np.ndarray, lists: Sequence[Listing], draws_of_prompts: np.ndarray) -> RankCorrelation:
    """reward: (n,); draws_of_prompts: (B, P) from clustered.resamples over the prompts of the lists."""
    rho, tau, prompt, sizes = [], [], [], []
    for one in lists:
        r, t = spearman(reward[one.rows], one.score), kendall(reward[one.rows], one.score)
        if r is not None and t is not None:
            rho.append(r)
            tau.append(t)
            prompt.append(one.prompt)
            sizes.append(len(one.rows))
    where = np.array(prompt, dtype=np.int64)
    return RankCorrelation(
        clustered.mean(np.array(rho), where, draws_of_prompts),
        clustered.mean(np.array(tau), where, draws_of_prompts),
        len(set(prompt)),
        float(np.mean(sizes)) if sizes else 0.0,
        len(lists) - len(rho),
    )


def by_mean_rank(
    prompt: int, rows: np.ndarray, ranked: np.ndarray, weight: np.ndarray | None = None
) -> Listing:
    """One list from the rankings of its judges. ranked: (judges, k), 1 = best; weight: (judges,)."""
    return Listing(prompt, rows, -np.average(ranked, axis=0, weights=weight))


def by_wins(left: np.ndarray, right: np.ndarray, shares: np.ndarray, prompt: np.ndarray) -> list[Listing]:
    """Lists from pairs: each response by its mean share of the votes, ties half (Borda's count).

    left, right: (m,) rows of responses; shares: (m, 3); prompt: (m,) in 0…P-1. Prompts with fewer than
    SHORTEST judged responses give no list.
    """
    toward_left = shares[:, A] + shares[:, TIE] / 2
    toward_right = shares[:, B] + shares[:, TIE] / 2
    found = []
    for p in np.unique(prompt):
        mine = prompt == p
        sides = np.concatenate([left[mine], right[mine]])
        rows, which = np.unique(sides, return_inverse=True)
        if len(rows) >= SHORTEST:
            won = np.bincount(which, np.concatenate([toward_left[mine], toward_right[mine]]))
            found.append(Listing(int(p), rows, won / np.bincount(which)))
    return found
