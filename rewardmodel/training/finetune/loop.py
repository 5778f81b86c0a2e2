"""Train one member: AdamW on whole prompts, every response of a step encoded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rewardmodel.likelihood import objective as likelihood
from rewardmodel.likelihood.objective import Objective, Pairs, Parameters, Term
from rewardmodel.training.failure import DivergedError
from rewardmodel.training.finetune import backbone, batches, objective
from rewardmodel.training.finetune.config import FinetuneConfig
from rewardmodel.training.finetune.members import Member
from rewardmodel.training.finetune.processes import Processes

MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Problem:
    """n responses as token ids to P prompts, and what people said of them."""

    sequences: Sequence[Sequence[int]]
    pad_id: int
    prompts: int  # P
    terms: Objective  # what is learned from
    rows: batches.Rows  # of the terms
    watched: Pairs  # never learned from; their NLL is the curve's validation
    watched_rows: batches.Rows
    tau: float  # where the tie parameter begins


def problem(
    sequences: Sequence[Sequence[int]],
    pad_id: int,
    prompts: int,
    terms: Objective,
    watched: Pairs,
    tau: float,
) -> Problem:
    length = np.array([len(sequence) for sequence in sequences])
    rows, seen = batches.rows(terms, length), batches.rows((watched,), length)
    return Problem(sequences, pad_id, prompts, terms, rows, watched, seen, tau)


@dataclass(frozen=True)
class Draw:
    """What one member sees: the terms weighed by its bootstrap, and its steps in order."""

    terms: Objective
    votes: float  # of an epoch
    steps: list[np.ndarray]  # rows of the terms
    parameters: Parameters  # where those beside the rewards begin


def draw(problem: Problem, config: FinetuneConfig, member: int) -> Draw:
    """Poisson(1) counts per prompt (all one when there is a single member) and the order of the rows."""
    rng = np.random.default_rng([config.seed, 4, member])
    counts = np.ones(problem.prompts, dtype=np.float32)
    if config.members > 1:
        counts = rng.poisson(1.0, len(counts)).astype(np.float32)
    if not counts[problem.rows.prompt].any():  # of very few prompts a bootstrap may draw none
        counts[:] = 1
    chosen = np.flatnonzero(counts[problem.rows.prompt])
    orders = [batches.steps(problem.rows, chosen, config.effective_batch, rng) for _ in range(config.epochs)]
    terms = objective.weighted(problem.terms, torch.from_numpy(counts))
    parameters = objective.start(terms, problem.prompts, problem.tau)
    return Draw(terms, objective.votes(terms), [step for order in orders for step in order], parameters)


class Learner:
    """A member, its optimiser, and how far it is."""

    def __init__(self, member: Member, problem: Problem, drawn: Draw, config: FinetuneConfig) -> None:
        self.member, self.problem, self.drawn, self.config = member, problem, drawn, config
        self.step = 0
        own = {id(value) for value in member.parameters.values()}
        weights = [value for value in member.trained().values() if id(value) not in own]
        self.optimiser = torch.optim.AdamW(
            [
                {
                    "params": weights,
                    "weight_decay": config.weight_decay,
                    "base": config.learning_rate,
                },
                {
                    "params": list(member.parameters.values()),
                    "weight_decay": 0.0,  # they have priors of their own
                    "base": config.tau_learning_rate,
                },
            ],
            lr=config.learning_rate,
        )

    def state(self) -> dict[str, Tensor]:
        """Weights and moments by name."""
        found: dict[str, Tensor] = {}
        for name, value in self.member.trained().items():
            found[f"weight.{name}"] = value
            for moment in MOMENTS:
                found[f"{moment}.{name}"] = self.optimiser.state[value][moment]
        return found

    def restore(self, tensors: dict[str, Tensor], step: int) -> None:
        self.step = step
        for name, value in self.member.trained().items():
            with torch.no_grad():
                value.copy_(tensors[f"weight.{name}"])
            moments = {key: torch.empty_like(value).copy_(tensors[f"{key}.{name}"]) for key in MOMENTS}
            self.optimiser.state[value] = {"step": torch.tensor(float(step)), **moments}

    def advance(self, processes: Processes) -> float:
        """One step. Returns its mean NLL per vote with priors and centring, in nats."""
        rows = self.drawn.steps[self.step]
        whole = objective.Whole(objective.votes(self._take(rows)), len(rows))
        self.optimiser.zero_grad(set_to_none=True)
        loss = self._prior() if processes.first else torch.zeros((), device=self.member.on.place)
        together = _share(self.problem, rows, processes.count)
        parts = batches.passes(self.problem.rows, rows, self.config.tokens_per_pass, together)
        for part in parts[processes.rank :: processes.count]:
            loss += self._backward(part, whole)
        moved = list(self.member.trained().values())
        for value in moved:
            value.grad = torch.zeros_like(value) if value.grad is None else value.grad
        processes.add([loss, *(value.grad for value in moved if value.grad is not None)])
        norm = torch.nn.utils.clip_grad_norm_(moved, self.config.clip)
        if not bool(torch.isfinite(loss)) or not bool(torch.isfinite(norm)):
            raise DivergedError(
                f"The loss of member {self.member.number} is no longer a number at step {self.step}. "
                "Use a lower learning_rate."
            )
        for group in self.optimiser.param_groups:
            group["lr"] = group["base"] * rate(self.step, len(self.drawn.steps), self.config.warmup)
        self.optimiser.step()
        self.step += 1
        return float(loss)

    def _prior(self) -> Tensor:
        """Add the gradient of the priors; returns their share of the loss."""
        prior = likelihood.penalty(self.member.parameters, self.drawn.terms).sum() / self.drawn.votes
        if prior.requires_grad:
            torch.autograd.backward(prior)
        return prior.detach().to(self.member.on.place)

    def _backward(self, part: batches.Pass, whole: objective.Whole) -> Tensor:
        """Add the gradient of this pass; returns its share of the loss.

        What does not fit into memory at once is encoded twice: first for the rewards, whose gradient the
        answers give, then chunk by chunk with that gradient (Gao et al. 2021, "Scaling deep contrastive
        learning batch size under memory limited setup").
        """
        terms, parameters = self._terms(part), self.member.parameters
        if len(part.chunks) == 1:
            rewards = self._rewards(part.chunks[0])
            loss = objective.objective(rewards, parameters, terms, whole, self.config.centring)
            torch.autograd.backward(loss)
            return loss.detach()
        with torch.no_grad():
            rewards = torch.cat([self._rewards(chunk) for chunk in part.chunks])
        rewards.requires_grad_()
        loss = objective.objective(rewards, parameters, terms, whole, self.config.centring)
        torch.autograd.backward(loss)
        assert rewards.grad is not None  # noqa: S101
        for chunk, gradient in zip(
            part.chunks, torch.split(rewards.grad, [len(chunk) for chunk in part.chunks]), strict=True
        ):
            torch.autograd.backward(self._rewards(chunk), gradient)
        return loss.detach()

    def _rewards(self, responses: np.ndarray) -> Tensor:
        ids, mask = backbone.pad([self.problem.sequences[row] for row in responses], self.problem.pad_id)
        return backbone.rewards(self.member.model, ids, mask, self.member.on)

    def _take(self, rows: np.ndarray) -> Objective:
        """These rows of the terms."""
        parts = zip(self.drawn.terms, self.problem.rows.of_terms(rows), strict=True)
        return tuple(term.take(torch.from_numpy(mine)) for term, mine in parts if len(mine))

    def _terms(self, part: batches.Pass) -> Objective:
        """The rows of a pass, with its responses in the order in which they are encoded."""
        return tuple(self._placed(term, part) for term in self._take(part.rows))

    def _placed(self, term: Term, part: batches.Pass) -> Term:
        order = torch.from_numpy(part.responses)
        return term.among(order, len(self.problem.sequences)).to(self.member.on.place)

    def validation(self) -> float:
        """Mean NLL per vote on the watched pairs, in nats."""
        watched, rows, total = self.problem.watched, self.problem.watched_rows, 0.0
        self.member.model.eval()
        with torch.no_grad():
            for part in batches.passes(rows, np.arange(len(watched)), self.config.tokens_per_pass):
                rewards = torch.cat([self._rewards(chunk) for chunk in part.chunks])
                mine = self._placed(watched.take(torch.from_numpy(part.rows)), part)
                total += float(mine.losses(rewards.unsqueeze(1), self.member.parameters).sum())
        self.member.model.train()
        return total / float(watched.votes.sum())


def rate(step: int, steps: int, warmup: float) -> float:
    """Share of the learning rate at a step: linearly up over the warm-up, then linearly down to 0."""
    rising = max(1, round(warmup * steps))
    return min((step + 1) / rising, (steps - step) / max(1, steps - rising + 1))


def _share(problem: Problem, rows: np.ndarray, processes: int) -> int | None:
    """Tokens of the step for each process, so that all of them have something to encode."""
    if processes == 1:
        return None
    return max(1, int(problem.rows.length[problem.rows.among(rows)].sum()) // processes)
