"""Fit all heads at once: full-batch Adam on the one objective, each head stopped by its own validation.

For head j, with prompt weights b_pj (bootstrap) and votes n_i of row i:

    minimise  [ Σ_i b_{p(i) j} · loss_ij  +  λ · ½ |w_j|²  +  priors_j ]  /  Σ_i b_{p(i) j} n_i

λ, the weight decay, is the precision of a normal prior and so counts votes: more data, less shrinkage. A
head keeps the weights with the lowest NLL on the prompts which its bootstrap left out. The fit stops when no
head has found better ones for `patience` steps; until then every head goes on, and may still find some.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rewardmodel.likelihood import objective
from rewardmodel.training import heads
from rewardmodel.training.config import TrainingConfig
from rewardmodel.training.failure import DivergedError

CHUNK = 1_000_000  # row x model losses held in memory at once; a few megabytes stay in the cache
BETAS, EPSILON = (0.9, 0.999), 1e-8
TOLERANCE = 1e-5  # nats per vote that count as better


@dataclass(frozen=True)
class Problem:
    """n responses, P prompts, M models."""

    features: Tensor  # (n, f)
    terms: objective.Objective  # of rows of the features and rows of the bootstrap
    draws: heads.Bootstrap  # (P, M)


@dataclass
class State:
    """All that a resumed run needs; the step decides the learning rate, nothing else is random."""

    parameters: heads.Parameters
    best: heads.Parameters
    lowest: Tensor  # (M,) validation NLL of `best`
    stalled: Tensor  # (M,) steps since then
    first: heads.Parameters  # Adam's moments
    second: heads.Parameters
    step: int = 0


def start(parameters: heads.Parameters) -> State:
    models = parameters["tau"].shape[0]
    return State(
        parameters,
        {name: value.clone() for name, value in parameters.items()},
        torch.full((models,), torch.inf),
        torch.zeros(models),
        {name: torch.zeros_like(value) for name, value in parameters.items()},
        {name: torch.zeros_like(value) for name, value in parameters.items()},
    )


def fit(
    problem: Problem, config: TrainingConfig, state: State, on_step: Callable[[State, float, float], None]
) -> State:
    """Run from `state` to the end. `on_step(state, train, validation)` gets mean NLL per vote, in nats."""
    votes_of_prompt = torch.zeros(problem.draws.inside.shape[0])
    for term in problem.terms:
        votes_of_prompt.index_add_(0, term.prompt, term.votes)
    inside = votes_of_prompt @ problem.draws.inside
    outside = votes_of_prompt @ problem.draws.outside
    while state.step < config.max_steps and bool((state.stalled < config.patience).any()):
        loss, gradient = _losses(problem, state.parameters, config.weight_decay / inside, inside)
        train = (loss * problem.draws.inside).sum(0) / inside
        validation = (loss * problem.draws.outside).sum(0) / outside
        if not bool(torch.isfinite(train).all()):
            raise DivergedError(
                f"The loss of {int((~torch.isfinite(train)).sum())} heads is no longer a number at step "
                f"{state.step}. "
                "Use a lower learning_rate."
            )
        _keep_best(state, validation)
        _adam(state, gradient, config.learning_rate * (1 - state.step / config.max_steps))
        state.step += 1
        on_step(state, float(train.mean()), float(validation.mean()))
    return state


def _losses(
    problem: Problem, parameters: heads.Parameters, decay: Tensor, total: Tensor
) -> tuple[Tensor, heads.Parameters]:
    """Loss of every prompt under every model, (P, M), and the gradient of the objective.

    Rows are gone through in chunks, so memory is bounded whatever their number.
    """
    leaves = {name: value.detach().requires_grad_() for name, value in parameters.items()}
    rewards = heads.rewards(leaves, problem.features)
    scores = rewards.detach().requires_grad_()
    by_prompt = torch.zeros_like(problem.draws.inside)
    weight = problem.draws.inside / total
    for term in problem.terms:
        size = max(1, CHUNK // (rewards.shape[1] * term.width))
        for begin in range(0, len(term), size):
            part = term.take(slice(begin, begin + size))
            losses = part.losses(scores, leaves)
            torch.autograd.backward((losses * weight.index_select(0, part.prompt)).sum())
            by_prompt.index_add_(0, part.prompt, losses.detach())
    if scores.grad is not None:
        torch.autograd.backward(rewards, scores.grad)
    prior = heads.penalty(leaves) * decay + objective.penalty(leaves, problem.terms) / total
    torch.autograd.backward(prior.sum())
    empty = {name: torch.zeros_like(value) for name, value in parameters.items()}
    return by_prompt, {name: empty[name] if leaf.grad is None else leaf.grad for name, leaf in leaves.items()}


def _keep_best(state: State, validation: Tensor) -> None:
    """Copy the weights of every model whose validation NLL is lower than ever."""
    better = validation < state.lowest - TOLERANCE
    state.lowest = torch.where(better, validation, state.lowest)
    state.stalled = torch.where(better, 0.0, state.stalled + 1)
    for name, value in state.parameters.items():
        mask = better.repeat(value.shape[-1] // better.shape[0])
        state.best[name] = torch.where(mask, value, state.best[name])


def _adam(state: State, gradient: heads.Parameters, rate: float) -> None:
    """One step of Adam (Kingma and Ba 2015)."""
    t = state.step + 1
    for name, g in gradient.items():
        state.first[name] = BETAS[0] * state.first[name] + (1 - BETAS[0]) * g
        state.second[name] = BETAS[1] * state.second[name] + (1 - BETAS[1]) * g.square()
        mean, square = state.first[name] / (1 - BETAS[0] ** t), state.second[name] / (1 - BETAS[1] ** t)
        state.parameters[name] = state.parameters[name] - rate * mean / (square.sqrt() + EPSILON)
