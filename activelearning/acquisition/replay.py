"""What would a recipe have cost on votes that are already there? Replay without replacement, by seeds.

Every pair keeps its real votes. A seed puts the votes of each pair into an order; the next label of a pair is
its next vote, the same one whichever arm asks. All arms train the same head (the Laplace posterior of
`posterior`) and are measured on the same pairs, which none can choose. A label is one vote: what is paid for.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit

from activelearning.acquisition.batch import grow
from activelearning.acquisition.knowledge import Knowledge, Labels
from activelearning.acquisition.pool import Floats, Mask, Positions
from activelearning.acquisition.posterior import Posterior, fit_posterior
from activelearning.acquisition.projection import Singles
from activelearning.acquisition.quotas import NEED_MEMBERS, Recipe

MEMBERS = 8
BINS = 15


@dataclass(frozen=True, eq=False)
class World:
    """z: (n, q) features; prompt: (n,) prompt numbers; first, second: (N,) the pairs; counts: (N, 3) their
    votes for (a, tie, b). pool: rows that may be labelled; test: rows that are measured.
    """

    z: Singles
    prompt: Positions
    first: Positions
    second: Positions
    counts: Floats
    pool: Positions
    test: Positions


@dataclass(frozen=True)
class Arm:
    """aim: whose pairs the model is to be good for: the pool's, or those it is measured on, whose texts
    (never their votes) are then known. cold: its first batch is the recipe's own; else drawn at random, the
    same one for all arms.
    """

    recipe: Recipe
    aim: Literal["pool", "test"] = "pool"
    cold: bool = True

    @property
    def members(self) -> bool:
        return any(part.rule in NEED_MEMBERS for part in self.recipe.parts)


@dataclass(frozen=True, eq=False)
class Trace:
    """One arm and seed at each label count (R,): accuracy on test pairs with a majority, NLL (nats a vote),
    ECE, share of ties among the labels so far; seconds: (R − 1,) of choosing a batch.
    """

    labels: Positions
    accuracy: Floats
    nll: Floats
    ece: Floats
    ties: Floats
    seconds: Floats


def replay(
    world: World,
    arm: Arm,
    *,
    seed: int,
    batch: int,
    labels: int,
    prior_precision: float,
    double_after: int | None = None,
    draw: int = 0,
) -> Trace:
    """`labels` labels in batches, twice as large from `double_after` labels on.

    draw: another order in which chance takes the pairs, of the same votes: the mean of several tells what
    chance does here with less noise. Raises ValueError when the pool holds fewer pairs than that.
    """
    if labels > len(world.pool) or batch < 1:
        raise ValueError(f"{labels} labels in batches of {batch}, but the pool has {len(world.pool)} pairs.")
    answers = draw_answers(world.counts, np.random.default_rng([seed, 0]))
    rng = np.random.default_rng([seed, 1])
    queue = np.random.default_rng([seed, 2, draw] if draw else [seed, 2]).permutation(len(world.pool))
    posterior = Posterior.prior(world.z.shape[1], prior_precision)
    known = np.zeros(0, dtype=np.int64)  # rows of world.pool
    free = np.ones(len(world.pool), dtype=np.bool_)
    rows: list[tuple[float, ...]] = []
    while True:
        begin = time.perf_counter()
        late = double_after is not None and len(known) >= double_after
        size = min(2 * batch if late else batch, labels - len(known))
        blind = len(arm.recipe.parts) == 1 and arm.recipe.parts[0].rule == "random"
        if blind or (len(known) == 0 and not arm.cold):
            new = queue[free[queue]][:size]
        else:
            new = _choose(world, arm, answers, known, free, posterior, size, rng)
        took = time.perf_counter() - begin
        known = np.concatenate([known, new])
        free[new] = False
        posterior = _fit(world, answers, known, prior_precision, posterior.mean)
        rows.append((len(known), *measure(world, posterior), _tie_share(answers, world, known), took))
        if len(known) >= labels:
            table = np.array(rows)
            return Trace(table[:, 0].astype(np.int64), *table[:, 1:].T)


def draw_answers(counts: Floats, rng: np.random.Generator) -> Positions:
    """(N,) the first vote of each pair in this seed's order: 0 for a, 1 tie, 2 b."""
    reach = np.cumsum(counts, axis=1)
    return np.asarray((rng.random(len(counts))[:, None] * reach[:, -1:] >= reach).sum(axis=1))


def measure(world: World, posterior: Posterior) -> tuple[float, float, float]:
    """Accuracy (a pair scored exactly even counts half), NLL and ECE on the test pairs."""
    a, b = world.first[world.test], world.second[world.test]
    mean = (world.z[a] - world.z[b]) @ posterior.mean
    votes = world.counts[world.test]
    lead = votes[:, 0] - votes[:, 2]
    clear = lead != 0
    accuracy = (np.sign(mean) * np.sign(lead))[clear].mean() / 2 + 0.5
    share = (votes[:, 0] + votes[:, 1] / 2) / votes.sum(axis=1)
    chance = np.clip(expit(mean), 1e-9, 1 - 1e-9)
    nll = -(share * np.log(chance) + (1 - share) * np.log1p(-chance)).mean()
    return float(accuracy), float(nll), expected_calibration_error(chance, share)


def expected_calibration_error(chance: Floats, share: Floats) -> float:
    """Mean |chance − vote share| over 15 bins of equal mass, (T,) each."""
    order = np.argsort(chance, kind="stable")
    parts = np.array_split(order, min(BINS, len(order)))
    return float(sum(abs(float((chance[rows] - share[rows]).sum())) for rows in parts) / len(order))


def bootstrap_members(
    x: Floats, share: Floats, groups: Positions, posterior: Posterior, rng: np.random.Generator
) -> Floats:
    """(q, K) heads on Poisson(1) bootstraps drawn per prompt, each started at the posterior's mean."""
    names, of_pair = np.unique(groups, return_inverse=True)
    heads = []
    for _ in range(MEMBERS):
        votes = rng.poisson(1.0, len(names)).astype(np.float64)[of_pair]
        if not votes.any():
            votes = np.ones(len(of_pair))
        rows = votes > 0
        head = fit_posterior(
            x[rows],
            share[rows],
            votes[rows],
            prior_precision=posterior.prior_precision,
            start=posterior.mean,
        )
        heads.append(head.mean)
    return np.stack(heads, axis=1)


def _choose(
    world: World,
    arm: Arm,
    answers: Positions,
    known: Positions,
    free: Mask,
    posterior: Posterior,
    size: int,
    rng: np.random.Generator,
) -> Positions:
    rows = world.pool[known]
    shares = np.eye(3)[answers[rows]]
    a, b = world.first[rows], world.second[rows]
    none = np.zeros(len(rows), dtype=np.bool_)
    members = None
    if arm.members and len(rows):
        x = (world.z[a] - world.z[b]).astype(np.float64)
        heads = bootstrap_members(x, 1 - answers[rows] / 2, world.prompt[a], posterior, rng)
        members = world.z @ heads
    aim = world.pool if arm.aim == "pool" else world.test
    knowledge = Knowledge(
        world.z,
        world.prompt,
        Labels(a, b, shares, np.ones(len(rows)), none),
        posterior,
        members=members,
        target_first=world.first[aim],
        target_second=world.second[aim],
    )
    open_rows = np.flatnonzero(free)
    pairs = world.pool[open_rows]
    grown = grow(knowledge, world.first[pairs], world.second[pairs], n=size, recipe=arm.recipe, rng=rng)
    return open_rows[[pick.candidate for pick in grown.picks]]


def _fit(
    world: World, answers: Positions, known: Positions, prior_precision: float, start: Floats
) -> Posterior:
    rows = world.pool[known]
    x = (world.z[world.first[rows]] - world.z[world.second[rows]]).astype(np.float64)
    share = 1 - answers[rows] / 2
    return fit_posterior(x, share, np.ones(len(rows)), prior_precision=prior_precision, start=start)


def _tie_share(answers: Positions, world: World, known: Positions) -> float:
    return float((answers[world.pool[known]] == 1).mean())
