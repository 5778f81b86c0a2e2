"""Several criteria as one reward: the project's weights over criteria that are each on the calibrated scale.

    r(x) = Σ_c w_c r_c(x) / T_c,   Σ_c w_c = 1,

with T_c the temperature of criterion c, so that a weight means the same whatever the scale of its heads. Head
k of the overall is made of the heads k, which were drawn the same prompts. It is a head of the same kind: the
hidden units of all criteria stand beside one another. Where one criterion has all the weight, it is the
overall, and nothing is scaled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from rewardmodel.training import heads
from rewardmodel.training.data import Snapshot
from rewardmodel.training.plan import Plan

NAME = "weighted overall"


@dataclass(frozen=True)
class Criterion:
    """What was learned of one criterion: its heads, tie parameter and cut-points are its own."""

    name: str
    weight: float  # in the overall, as the project gives it
    parameters: heads.Parameters
    temperature: float
    tau: float


def shares(criteria: Sequence[Criterion]) -> dict[str, float]:
    """w_c of the criteria which count, summing to one."""
    total = sum(one.weight for one in criteria)
    return {one.name: one.weight / total for one in criteria if one.weight > 0}


def parameters(criteria: Sequence[Criterion]) -> heads.Parameters:
    """The heads of the overall."""
    weights = shares(criteria)
    parts = [one for one in criteria if one.name in weights]
    if len(parts) == 1:
        return parts[0].parameters
    scale = [weights[one.name] / one.temperature for one in parts]
    models = parts[0].parameters["tau"].shape[0]

    def beside(name: str, by: Sequence[float]) -> Tensor:
        units = [
            factor * one.parameters[name].reshape(*one.parameters[name].shape[:-1], -1, models)
            for one, factor in zip(parts, by, strict=True)
        ]
        return torch.cat(units, dim=-2).flatten(-2)

    total = {
        name: torch.stack([factor * one.parameters[name] for one, factor in zip(parts, by, strict=True)]).sum(
            0
        )
        for name, by in (("linear", scale), ("tau", list(weights.values())))
    }
    if "inner" in parts[0].parameters:
        plain = [1.0] * len(parts)
        total |= {"inner": beside("inner", plain), "offset": beside("offset", plain)}
        outer = [factor * one.parameters["outer"] for one, factor in zip(parts, scale, strict=True)]
        total["outer"] = torch.cat(outer)
    return total


def common(snapshots: Mapping[str, Snapshot], weights: Mapping[str, float]) -> Snapshot:
    """The pairs that have a label on every criterion that counts, each labelled by the weighted shares."""
    chosen = [snapshots[name] for name in weights]
    place = [{name: i for i, name in enumerate(one.pairs.ids)} for one in chosen]
    ids = [name for name in chosen[0].pairs.ids if all(name in known for known in place)]
    rows = [np.array([known[name] for name in ids], dtype=np.int64) for known in place]
    first, at = chosen[0].pairs, rows[0]

    def mean(column: str) -> np.ndarray:
        of = zip(weights.values(), chosen, rows, strict=True)
        return np.asarray(sum(weight * getattr(one.pairs, column)[row] for weight, one, row in of))

    pairs = replace(
        first,
        ids=tuple(ids),
        prompt=first.prompt[at],
        left=first.left[at],
        right=first.right[at],
        shares=mean("shares"),
        votes=np.rint(mean("votes")).astype(np.int64),
        weight=mean("weight"),
        split=first.split[at],
    )
    return replace(chosen[0], pairs=pairs, criterion=NAME)


def common_plan(plans: Sequence[Plan], pairs_prompt: np.ndarray) -> Plan | None:
    """The plan of the common pairs, by their prompts (m,); None where the criteria hold out different ones of
    them together. A prompt that lacks one of the criteria is in no common pair."""
    common, (first, *others) = np.unique(pairs_prompt), plans

    def held_out(plan: Plan) -> np.ndarray:
        return np.stack(plan.held_out)[:, np.searchsorted(plan.prompts, common)]

    if not all(np.array_equal(held_out(first), held_out(other)) for other in others):
        return None
    return replace(first, prompt=np.searchsorted(first.prompts, pairs_prompt))
