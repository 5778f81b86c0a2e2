"""What is minimised over the rewards of the responses of a pass.

    L = [ Σ_i b_i loss_i(r) ] / Σ b n  +  priors / N  +  c · mean_i 2/k_i (Σ_{y in i} r_y)²

Rows i are those of the one objective (rewardmodel/likelihood/objective.py): a pair, a comparison with its
strength, a ranking, a rating; loss_i has its votes in it, b is how often the bootstrap drew the prompt. Sums
run over the step, of which a pass holds a part; N are the votes of an epoch, so that an epoch counts the
priors once. Centring fixes the level of the rewards, which no comparison tells: for a pair it is (r_A + r_B)²
(Eisenstein et al. 2023, "Helping or herding?", §2), and for rows of any k it shrinks rewards of mean 0 alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rewardmodel.likelihood import objective as likelihood
from rewardmodel.likelihood.objective import Objective, Parameters, Ratings

ROUNDS = 20  # of L-BFGS; the priors make the optimum a near one


@dataclass(frozen=True)
class Whole:
    """Of the step that the pass is a part of: Σ b n, and how many rows."""

    votes: float
    rows: int


def objective(
    rewards: Tensor, parameters: Mapping[str, Tensor], terms: Objective, whole: Whole, centring: float
) -> Tensor:
    """rewards (n,), of whose rows the terms speak -> this pass's share of L without the priors, in nats per
    vote; shares add up."""
    total = rewards.new_zeros(())
    for term in terms:
        votes = term.losses(rewards.unsqueeze(1), parameters).sum() / whole.votes
        level = rewards[term.responses].sum(0).square().sum() * 2 / len(term.responses)
        total = total + votes + centring * level / whole.rows
    return total


def weighted(terms: Objective, counts: Tensor) -> Objective:
    """The terms with each row's votes times `counts` (P,) of its prompt."""
    return tuple(replace(term, weight=term.weight * counts[term.prompt]) for term in terms)


def votes(terms: Objective) -> float:
    return sum(float(term.votes.sum()) for term in terms)


def start(terms: Objective, prompts: int, tau: float) -> Parameters:
    """Where the parameters beside the rewards begin, (…, 1) each: the tie parameter at `tau`, the scales of
    the annotators where their answers put them if all rewards are nought. A run has few steps for them."""
    found = {"tau": torch.zeros(1), **likelihood.start(terms, torch.ones(prompts, 1))}
    found["tau"] = torch.full((1,), tau)
    own = {name: value.requires_grad_() for name, value in found.items() if of_people(name)}
    if not own:
        return found
    nought = torch.zeros(1 + max(int(term.responses.max()) for term in terms), 1)
    rated = tuple(term for term in terms if isinstance(term, Ratings))
    solver = torch.optim.LBFGS(list(own.values()), max_iter=ROUNDS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        value = likelihood.losses(nought, found, rated).sum() + likelihood.penalty(found, rated).sum()
        torch.autograd.backward(value)
        return value

    solver.step(loss)  # type: ignore[no-untyped-call]
    return {name: value.detach() for name, value in found.items()}


def of_people(name: str) -> bool:
    """Whether a parameter is the annotators' own: what no score needs, and is therefore not handed on."""
    return name.endswith((".shift", ".spread"))
