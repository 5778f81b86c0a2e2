"""Trainings on fewer votes, nested in one another, each tested on the same held-out pairs.

Where a test split is used, whole prompts are left out, as a project that has collected less would lack
them. Where every prompt is held out once, there are too few prompts for that, and votes are left out: rows
of the objective, that is pairs with all their votes, or single answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from rewardmodel.likelihood import objective
from rewardmodel.likelihood.objective import Objective
from rewardmodel.training import features, heads, loop
from rewardmodel.training.config import TrainingConfig
from rewardmodel.training.data import Snapshot
from rewardmodel.training.plan import Plan
from rewardmodel.training.report.assessment import Assessment, assess
from rewardmodel.training.votes import Votes

FRACTIONS = (1 / 8, 1 / 4, 1 / 2, 1.0)
FOLDS = 5  # few: the curve must cost a fraction of the training
MIN_ROWS = 20


@dataclass(frozen=True)
class Size:
    votes: int  # effective ones trained on; under cross-fitting the mean over the folds
    assessed: Assessment


def sizes(
    snapshot: Snapshot,
    votes: Votes,
    plan: Plan,
    inputs: np.ndarray,
    config: TrainingConfig,
    check: Callable[[], None],
) -> list[Size]:
    """Train on growing parts of the votes. `check` is called at every step and may raise to stop."""
    rng = np.random.default_rng([config.seed, 4])
    plan = _coarser(plan, rng)
    terms = votes.renumbered(plan.prompts)
    ranks = _ranks(terms, plan, rng)
    found: list[Size] = []
    for fraction in FRACTIONS:
        part = tuple(
            term.take(torch.from_numpy(np.flatnonzero(rank < fraction)))
            for term, rank in zip(terms, ranks, strict=True)
        )
        part = tuple(term for term in part if len(term))
        size = _train(snapshot, plan, inputs, part, config, check)
        if size is not None and (not found or size.votes > found[-1].votes):
            found.append(size)
    return found


def _coarser(plan: Plan, rng: np.random.Generator) -> Plan:
    """With fewer folds, for the cost; without the group of the ensemble that is kept."""
    if plan.fold is None:
        return plan
    count = min(FOLDS, len(plan.prompts))
    fold = rng.permutation(len(plan.prompts)) % count + 1
    return replace(plan, held_out=tuple(fold == f for f in range(1, count + 1)), fold=fold)


def _ranks(terms: Objective, plan: Plan, rng: np.random.Generator) -> list[np.ndarray]:
    """When each row of each term comes in, in [0, 1): one below x is among the first x of all. Rows that
    are never trained on come at 2."""
    if plan.fold is not None:
        return [rng.permutation(len(term)) / len(term) for term in terms]
    usable = np.flatnonzero(~plan.held_out[0])
    place = np.full(len(plan.prompts), 2.0)
    place[usable] = rng.permutation(len(usable)) / len(usable)
    return [place[term.prompt.numpy()] for term in terms]


def _train(
    snapshot: Snapshot,
    plan: Plan,
    inputs: np.ndarray,
    terms: Objective,
    config: TrainingConfig,
    check: Callable[[], None],
) -> Size | None:
    """Heads for every group on these rows only. None when they are too few, or of too few prompts."""
    if sum(map(len, terms)) < MIN_ROWS:
        return None
    present = np.unique(np.concatenate([term.prompt.numpy() for term in terms]))
    masks = [mask[present] for mask in plan.held_out]
    if min(int((~mask).sum()) for mask in masks) < 2:
        return None
    count = min(config.curve_heads, config.heads)
    rng = np.random.default_rng([config.seed, 5])
    draws = heads.bootstrap(masks, len(present), count, rng)
    problem = _problem(inputs, terms, present, draws)
    initial = heads.initialise(count * len(masks), inputs.shape[1], config.hidden, rng)
    initial |= objective.start(problem.terms, draws.inside)
    state = loop.fit(problem, config, loop.start(initial), lambda now, train, validation: check())
    assessed = _assess(snapshot, plan, inputs, state, count)
    trained = [_votes(problem.terms, ~mask) for mask in masks]
    return Size(round(float(np.mean(trained))), assessed)


def _problem(
    inputs: np.ndarray, terms: Objective, present: np.ndarray, draws: heads.Bootstrap
) -> loop.Problem:
    """Only with the prompts and the responses of these rows."""
    used = torch.unique(torch.cat([term.responses.flatten() for term in terms]))
    known = torch.from_numpy(present)
    renumbered = tuple(
        replace(
            term,
            responses=torch.searchsorted(used, term.responses),
            prompt=torch.searchsorted(known, term.prompt),
        )
        for term in terms
    )
    return loop.Problem(torch.from_numpy(inputs[used.numpy()]), renumbered, draws)


def _assess(snapshot: Snapshot, plan: Plan, inputs: np.ndarray, state: loop.State, count: int) -> Assessment:
    with torch.inference_mode():
        rewards = heads.rewards(state.best, torch.from_numpy(inputs)).double().numpy()
    by_group = rewards.reshape(len(rewards), len(plan.held_out), count)
    tau = state.best["tau"].double().numpy().reshape(-1, count).mean(axis=1)
    if plan.fold is not None:  # a place for the ensemble that is kept, which nothing here asks
        by_group, tau = np.concatenate([by_group[:, :1], by_group], axis=1), np.append(tau[0], tau)
    return assess(snapshot, plan, by_group, tau, inputs[:, features.LENGTH])


def _votes(terms: Sequence[objective.Term], allowed: np.ndarray) -> float:
    known = torch.from_numpy(allowed)
    return sum(float(term.votes[known[term.prompt]].sum()) for term in terms)
