"""Does the recipe beat random? An offline loop on pairs whose soft labels are known.

Both strategies start from the same random labels, see the same votes for the same pair, train with the same
callable and are measured on the same test pairs, which neither can choose. A seed redraws all of these.
Compare the two at equal label counts with `gap`, paired by seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from activelearning.acquisition.pool import (
    CandidatePairs,
    Floats,
    Ids,
    LabelledPairs,
    Mask,
    Positions,
    Reals,
    ResponsePool,
    find_positions,
)
from activelearning.acquisition.quotas import RecipeConfig
from activelearning.acquisition.recipe import select_batch


@dataclass(frozen=True, eq=False)
class World:
    """Responses with features (n, d), the pairs which may be labelled, and the pairs to be measured on.

    shares, test_shares: (N, 3) and (T, 3) true probabilities of (a, tie, b). votes: how many votes a label
    is made of (drawn from the shares); None uses the shares themselves. held_out_share: share of prompts
    kept from training.
    """

    response_id: Ids
    prompt_id: Ids
    features: Reals
    pairs: CandidatePairs
    shares: Floats
    test: CandidatePairs
    test_shares: Floats
    votes: int | None = 1
    held_out_share: float = 0.1


@dataclass(frozen=True, eq=False)
class Scores:
    """What training returns: rewards (n, K) of every response of the world, temperature, Davidson tie
    logit.
    """

    rewards: Reals
    temperature: float = 1.0
    tau: float = 0.0


Train = Callable[[LabelledPairs, np.random.Generator], Scores]
"""Trains on the pairs which are not held out. Called once a round, strategy and seed."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Per seed and round, (S, R + 1): accuracy on test pairs with a preferred side, and their NLL in nats."""

    accuracy: Floats
    nll: Floats


@dataclass(frozen=True, eq=False)
class LearningCurves:
    """labels: (R + 1,) label counts at which both curves were measured."""

    labels: Positions
    recipe: Curve
    random: Curve


@dataclass(frozen=True)
class Gap:
    """Mean over seeds of recipe − random, averaged over the rounds after the start, with its standard
    error.
    """

    mean: float
    standard_error: float
    seeds: int


def simulate(
    world: World,
    train: Train,
    *,
    rounds: int,
    batch: int,
    start: int,
    seeds: Sequence[int],
    config: RecipeConfig | None = None,
) -> LearningCurves:
    """Learning curves of both strategies: `start` random labels, then `rounds` batches of `batch`."""
    if start + rounds * batch > len(world.pairs):
        raise ValueError(f"{start} + {rounds}·{batch} labels, but there are only {len(world.pairs)} pairs.")
    measured = np.empty((2, 2, len(seeds), rounds + 1))
    for row, seed in enumerate(seeds):
        shares, held_out, first = _draw(world, start, np.random.default_rng([seed, 0]))
        for arm, active in enumerate((True, False)):
            rng = np.random.default_rng([seed, 1])
            known = first
            for turn in range(rounds + 1):
                labelled = _labelled(world, known, shares, held_out)
                scores = train(labelled, rng)
                measured[arm, :, row, turn] = _measure(world, scores)
                if turn < rounds:
                    new = _choose(world, scores, known, labelled, batch, rng, config, active)
                    known = np.concatenate([known, new])
    labels = start + batch * np.arange(rounds + 1)
    return LearningCurves(labels, Curve(*measured[0]), Curve(*measured[1]))


def gap(recipe: Floats, random: Floats) -> Gap:
    """Paired difference of two (S, R + 1) curves over the rounds after the start. Needs R ≥ 1."""
    per_seed = (recipe[:, 1:] - random[:, 1:]).mean(axis=1)
    error = float(per_seed.std(ddof=1) / np.sqrt(len(per_seed))) if len(per_seed) > 1 else float("nan")
    return Gap(float(per_seed.mean()), error, len(per_seed))


def _draw(world: World, start: int, rng: np.random.Generator) -> tuple[Floats, Mask, Positions]:
    """The votes of every pair, which pairs are held out (by prompt), and the pairs labelled at the start."""
    shares = world.shares
    if world.votes is not None:
        shares = rng.multinomial(world.votes, world.shares) / world.votes
    prompts, of_pair = np.unique(world.pairs.prompts, return_inverse=True)
    held_out = (rng.random(len(prompts)) < world.held_out_share)[of_pair]
    return shares, held_out, rng.choice(len(world.pairs), start, replace=False)


def _labelled(world: World, known: Positions, shares: Floats, held_out: Mask) -> LabelledPairs:
    a, b = world.pairs.response_a[known], world.pairs.response_b[known]
    votes = np.full(len(known), float(world.votes or 1))
    return LabelledPairs(a, b, shares[known], votes, held_out[known])


def _choose(
    world: World,
    scores: Scores,
    known: Positions,
    labelled: LabelledPairs,
    batch: int,
    rng: np.random.Generator,
    config: RecipeConfig | None,
    active: bool,
) -> Positions:
    """Positions of the next pairs in world.pairs."""
    if not active:
        return rng.choice(np.setdiff1d(np.arange(len(world.pairs)), known), batch, replace=False)
    pool = ResponsePool(
        world.response_id, world.prompt_id, world.features, scores.rewards, scores.temperature, scores.tau
    )
    chosen = select_batch(pool, world.pairs, labelled, n=batch, rng=rng, config=config).pairs
    n = len(world.response_id)
    key = _keys(world.pairs.first, world.pairs.second, n)
    order = np.argsort(key)
    first = find_positions(world.response_id, [pair.response_a for pair in chosen])
    second = find_positions(world.response_id, [pair.response_b for pair in chosen])
    return order[np.searchsorted(key, _keys(first, second, n), sorter=order)]


def _keys(first: Positions, second: Positions, n: int) -> Positions:
    return np.minimum(first, second) * n + np.maximum(first, second)


def _measure(world: World, scores: Scores) -> tuple[float, float]:
    """Accuracy and NLL on the test pairs; a pair scored exactly even counts half."""
    mean = scores.rewards.mean(axis=1) / scores.temperature
    mu = mean[world.test.first] - mean[world.test.second]
    lead = world.test_shares[:, 0] - world.test_shares[:, 2]
    clear = lead != 0
    accuracy = (np.sign(mu) * np.sign(lead))[clear].mean() / 2 + 0.5
    decided = world.test_shares[:, 0] + world.test_shares[:, 2]
    rows = decided > 0
    p = world.test_shares[rows, 0] / decided[rows]
    q = np.clip(expit(mu[rows]), 1e-12, 1 - 1e-12)
    return float(accuracy), float(-(p * np.log(q) + (1 - p) * np.log(1 - q)).mean())
