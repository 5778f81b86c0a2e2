"""The one objective: what every kind of vote says about the rewards of M models, in nats.

    loss_j = Σ_rows b_{prompt(row) j} · loss(row | r_j, parameters_j)  +  priors_j

Rows come in terms, one a kind of vote. Each refers to responses, belongs to a prompt (by whose bootstrap
weight b the caller multiplies it) and counts as some votes:

| term      | row                               | loss of a vote | parameters of each model       |
|-----------|-----------------------------------|----------------|--------------------------------|
| Pairs     | vote shares of a pair             | pair.py        | tau                            |
| Strengths | one answer with its strength      | strength.py    | strength                       |
| Rankings  | one ranking of n, counts as n - 1 | ranking.py     | tau                            |
| Ratings   | one rating by one annotator       | rating.py      | rating_K.cuts, …shift, …spread |

All have a slope of one in the rewards, so their scales are one scale. Parameters keep the models on their
last axis, as `training.heads` does; every tensor of a term keeps its rows on the last axis. The rewards may
come from anywhere: (n, M) of many heads on frozen features, or (n, 1) of a network that is being tuned.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from torch import Tensor

from rewardmodel.likelihood import pair, ranking, rating, strength

Parameters = dict[str, Tensor]


@dataclass(frozen=True)
class Term(ABC):
    """Rows of one kind."""

    responses: Tensor  # (k, rows) int64: rows of the rewards
    prompt: Tensor  # (rows,) int64
    weight: Tensor  # (rows,) effective votes, reliability and expertise in them

    def __len__(self) -> int:
        return self.responses.shape[1]

    @property
    def votes(self) -> Tensor:
        """(rows,) how many votes each row counts as: what its loss is divided by for a mean per vote."""
        return self.weight

    @property
    def width(self) -> int:
        """Numbers held per row and model while its loss is computed, for chunks of bounded memory."""
        return 1

    def take(self, rows: Tensor | slice) -> Self:
        """Some of the rows."""
        return self._each(lambda value: value[..., rows])

    def to(self, device: torch.device | str) -> Self:
        return self._each(lambda value: value.to(device))

    def among(self, responses: Tensor, count: int) -> Self:
        """The rows that speak of these responses alone, which are renumbered in the order given.

        responses: (b,) distinct, out of 0 … count - 1: those of one batch.
        """
        place = torch.full((count,), -1, device=responses.device)
        place[responses] = torch.arange(len(responses), device=responses.device)
        part = self.take((place[self.responses] >= 0).all(0))
        return replace(part, responses=place[part.responses])

    def start(self, weight: Tensor) -> Parameters:
        """Where this term's own parameters begin. weight: (P, M) of the prompts in each model's training."""
        return {}

    @abstractmethod
    def losses(self, rewards: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        """weight x -log P(row), in nats: rewards (n, M) -> (rows, M)."""

    def penalty(self, parameters: Mapping[str, Tensor]) -> Tensor | float:
        """-log of the priors of this term's parameters, (M,), in nats."""
        return 0.0

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{n: change(v) for n, v in tensors.items() if isinstance(v, Tensor)})


@dataclass(frozen=True)
class Pairs(Term):
    """k = 2; all votes on a pair in one row."""

    shares: Tensor  # (3, rows) over (A, B, tie)

    def start(self, weight: Tensor) -> Parameters:
        return {"tau": weight.new_zeros(weight.shape[1])}

    def losses(self, rewards: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        d = _differences(rewards, self.responses)
        return pair.loss(d, parameters["tau"], self.shares.T.unsqueeze(1), self.weight.unsqueeze(1))


@dataclass(frozen=True)
class Strengths(Term):
    """k = 2; answers of one level to one pair in one row."""

    least: Tensor  # (rows,) int64: -S … S, above nought for the first response
    most: Tensor  # (rows,) int64: the same, or further up where only the side is known
    levels: int  # S
    ties: bool  # whether ties can be given

    def start(self, weight: Tensor) -> Parameters:
        return {"strength": weight.new_zeros(self.levels - (not self.ties), weight.shape[1])}

    def losses(self, rewards: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        t = strength.thresholds(parameters["strength"], ties=self.ties)
        d = _differences(rewards, self.responses)
        return self.weight.unsqueeze(1) * strength.negative_log_likelihood(d, self.least, self.most, t)


@dataclass(frozen=True)
class Rankings(Term):
    """k = n responses, best first; rankings of another length are another term."""

    ranks: Tensor  # (n, rows) int64, rising

    @property
    def votes(self) -> Tensor:
        return self.weight * (len(self.ranks) - 1)

    @property
    def width(self) -> int:
        return len(self.ranks) * (len(self.ranks) - 1) * 2

    def start(self, weight: Tensor) -> Parameters:
        return {"tau": weight.new_zeros(weight.shape[1])}

    def losses(self, rewards: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        ordered = torch.stack([rewards.index_select(0, row) for row in self.responses])
        loss = ranking.negative_log_likelihood(ordered, self.ranks, parameters["tau"])
        return self.weight.unsqueeze(1) * loss


@dataclass(frozen=True)
class Ratings(Term):
    """k = 1; one response rated by one annotator."""

    points: Tensor  # (rows,) int64: 1 … K
    annotator: Tensor  # (rows,) int64 in 0 … U - 1
    annotators: int  # U
    best: int  # K; another scale is another term

    def _name(self, of: str) -> str:
        return f"rating_{self.best}.{of}"

    def start(self, weight: Tensor) -> Parameters:
        seen = weight.index_select(0, self.prompt) * self.weight.unsqueeze(1)
        counts = seen.new_zeros(self.best, seen.shape[1]).index_add(0, self.points - 1, seen)
        nobody = seen.new_zeros(self.annotators, seen.shape[1])
        return {
            self._name("cuts"): rating.start(counts),
            self._name("shift"): nobody,
            self._name("spread"): nobody.clone(),
        }

    def losses(self, rewards: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        cuts = rating.cut_points(parameters[self._name("cuts")])
        own = (parameters[self._name(of)].index_select(0, self.annotator) for of in ("shift", "spread"))
        r = rewards.index_select(0, self.responses[0])
        return self.weight.unsqueeze(1) * rating.negative_log_likelihood(r, self.points, cuts, *own)

    def penalty(self, parameters: Mapping[str, Tensor]) -> Tensor:
        return rating.penalty(parameters[self._name("shift")], parameters[self._name("spread")])


Objective = tuple[Term, ...]


def start(terms: Objective, weight: Tensor) -> Parameters:
    """Where the parameters of all terms begin. weight: (P, M) of the prompts in each model's training."""
    return {name: value for term in terms for name, value in term.start(weight).items()}


def losses(rewards: Tensor, parameters: Mapping[str, Tensor], terms: Objective) -> Tensor:
    """The loss of every row of every term under every model, in nats, (rows, M), one term after another."""
    return torch.cat([term.losses(rewards, parameters) for term in terms])


def penalty(parameters: Mapping[str, Tensor], terms: Objective) -> Tensor:
    """-log of all priors, (M,), in nats; one nought where no term has any."""
    total = torch.zeros(())
    for term in terms:
        total = total + term.penalty(parameters)
    return total


def _differences(rewards: Tensor, sides: Tensor) -> Tensor:
    return rewards.index_select(0, sides[0]) - rewards.index_select(0, sides[1])
