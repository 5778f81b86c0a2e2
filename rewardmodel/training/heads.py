"""Many reward heads as one batched weight tensor, and the bootstrap that makes them differ.

Model j gives the response with features x the reward

    r_j(x) = w_j · x                                   (hidden = 0)
    r_j(x) = w_j · x + v_j · tanh(U_j x + c_j)         (hidden = h)

and has a tie parameter τ_j of its own. Tensors keep the models on the last axis, so that the rewards of all
models are one matrix product and a pair is a difference of two rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Parameters = dict[str, Tensor]

SPREAD = 0.01  # of the initial linear weights


def initialise(models: int, inputs: int, hidden: int, rng: np.random.Generator) -> Parameters:
    """Independent small random weights for each model."""

    def normal(*shape: int, scale: float) -> Tensor:
        return torch.tensor(rng.normal(scale=scale, size=shape), dtype=torch.float32)

    parameters = {"linear": normal(inputs, models, scale=SPREAD), "tau": torch.zeros(models)}
    if hidden:
        parameters["inner"] = normal(inputs, hidden * models, scale=1 / math.sqrt(inputs))
        parameters["offset"] = torch.zeros(hidden * models)
        parameters["outer"] = normal(hidden, models, scale=SPREAD)
    return parameters


def rewards(parameters: Mapping[str, Tensor], features: Tensor) -> Tensor:
    """features (n, f) -> rewards (n, M), one column a model."""
    values = features @ parameters["linear"]
    if "inner" in parameters:
        hidden, models = parameters["outer"].shape
        inner = torch.tanh(features @ parameters["inner"] + parameters["offset"])
        values = values + (inner.reshape(-1, hidden, models) * parameters["outer"]).sum(dim=1)
    return values


def penalty(parameters: Mapping[str, Tensor]) -> Tensor:
    """½ Σ weights² of each model, shape (M,); offsets and τ go free."""
    models = parameters["tau"].shape[0]
    total = torch.zeros(models)
    for name in ("linear", "inner", "outer"):
        if name in parameters:
            total = total + parameters[name].square().reshape(-1, models).sum(dim=0)
    return total / 2


def select(parameters: Mapping[str, Tensor], models: Sequence[int]) -> Parameters:
    """The parameters of some of the models, copied."""
    count = parameters["tau"].shape[0]
    index = torch.tensor(list(models), dtype=torch.long)
    chosen: Parameters = {}
    for name, value in parameters.items():
        lead = value.shape[:-1]
        chosen[name] = value.reshape(*lead, -1, count)[..., index].reshape(*lead, -1).clone()
    return chosen


def add(parameters: Mapping[str, Tensor], feature: int, weight: float) -> Parameters:
    """The parameters of models whose rewards are larger by weight x feature."""
    linear = parameters["linear"].clone()
    linear[feature] += weight
    return {**parameters, "linear": linear}


@dataclass(frozen=True)
class Bootstrap:
    """What each model learns from and stops by: weights of the prompts, (P, M) float32 each.

    `inside` are Poisson(1) draws, 0 on prompts held out from the model; `outside` is 1 on the prompts which
    the model may see but did not draw, its validation set.
    """

    inside: Tensor
    outside: Tensor


def bootstrap(
    held_out: Sequence[np.ndarray], prompts: int, heads: int, rng: np.random.Generator
) -> Bootstrap:
    """Draw the bootstrap of `heads` models for every group of held-out prompts.

    held_out: for each group a (P,) bool mask of the prompts its models must never see. Models are ordered
    by group. A draw without any prompt inside or outside is drawn again.
    """
    inside, outside = [], []
    for mask in held_out:
        allowed = np.flatnonzero(~mask)
        if len(allowed) < 2:
            raise ValueError(
                f"A group may see {len(allowed)} of {prompts} prompts; a bootstrap needs at least 2."
            )
        for _ in range(heads):
            drawn = rng.poisson(1.0, len(allowed))
            while not drawn.any() or drawn.all():
                drawn = rng.poisson(1.0, len(allowed))
            weight, rest = np.zeros(prompts, np.float32), np.zeros(prompts, np.float32)
            weight[allowed], rest[allowed] = drawn, drawn == 0
            inside.append(weight)
            outside.append(rest)
    return Bootstrap(torch.tensor(np.stack(inside, axis=1)), torch.tensor(np.stack(outside, axis=1)))
