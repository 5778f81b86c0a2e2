"""What was fitted, judged on prompts it has not seen: each criterion, and the overall they make."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from rewardmodel.evaluation.report import report
from rewardmodel.training import data, features, heads, loop, overall, plan, votes
from rewardmodel.training.config import TrainingConfig
from rewardmodel.training.report import assessment

ROWS = 16_384  # responses whose hidden units are held at once


@dataclass(frozen=True)
class Fitted:
    """The heads of one criterion, and what they learned from."""

    snapshot: data.Snapshot
    votes: votes.Votes
    groups: plan.Plan
    state: loop.State
    begun: str = "nothing"  # where the heads started from, in words


@dataclass(frozen=True)
class Judged:
    """One criterion, or the overall, on pairs it did not learn from."""

    snapshot: data.Snapshot
    groups: plan.Plan
    parameters: heads.Parameters  # of the heads of all groups, before the blend with length
    assessed: assessment.Assessment
    metrics: dict[str, Any]
    kept: overall.Criterion

    @property
    def everyone(self) -> overall.Criterion:
        """The heads of all groups, blended with length as the kept ones are."""
        blended = heads.add(self.parameters, features.LENGTH, self.assessed.blend.length)
        return replace(self.kept, parameters=blended)


def judge(fitted: Fitted, inputs: np.ndarray, config: TrainingConfig) -> Judged:
    """The heads of one criterion on the prompts they have not seen."""
    snapshot, best, size = fitted.snapshot, fitted.state.best, config.heads
    tau = best["tau"].double().numpy().reshape(-1, size).mean(axis=1)
    shared = {name: value for name, value in best.items() if not name.endswith((".shift", ".spread"))}
    kept = overall.Criterion(
        snapshot.criterion, snapshot.weight, heads.select(shared, range(size)), 1.0, float(tau[0])
    )
    judged = _assess(snapshot, fitted.groups, shared, tau, kept, inputs, config)
    judged.metrics["training"] |= {
        "votes": fitted.votes.counts,
        "steps": fitted.state.step,
        "started_from": fitted.begun,
        "validation_nll": float(fitted.state.lowest[:size].mean()),
    }
    return judged


def judge_overall(
    fitted: list[Fitted], judged: list[Judged], inputs: np.ndarray, config: TrainingConfig
) -> Judged:
    """The criteria by their weights. One that has all the weight is the overall; where the criteria have too
    few pairs in common, or hold out different prompts, the first stands for it in the metrics."""
    criteria, first = [one.kept for one in judged], judged[0]
    weights = overall.shares(criteria)
    if len(weights) == 1:
        return first
    tau = sum(weights[one.name] * one.tau for one in criteria if one.name in weights)
    kept = overall.Criterion(overall.NAME, 1.0, overall.parameters(criteria), 1.0, tau)
    common = overall.common({one.snapshot.criterion: one.snapshot for one in fitted}, weights)
    counting = [i for i, one in enumerate(criteria) if one.name in weights]
    groups = overall.common_plan([fitted[i].groups for i in counting], common.pairs.prompt)
    if groups is None or plan.too_few(common, config) is not None:
        why = "the criteria have too few pairs in common to test their weighted overall"
        told = {"weights": weights, "overall": {"tested": False, "why": why}}
        return replace(first, kept=kept, metrics={**first.metrics, **told})
    together = overall.parameters([one.everyone for one in judged])
    whole = _assess(common, groups, together, np.full(len(groups.held_out), tau), kept, inputs, config)
    whole.metrics["weights"] = weights
    whole.metrics["training"] |= first.metrics["training"] | {
        "pairs": whole.metrics["training"]["pairs"],
        "votes": _added([one.votes.counts for one in fitted]),
    }
    return whole


def _added(counts: list[dict[str, int]]) -> dict[str, int]:
    names = dict.fromkeys(name for one in counts for name in one)
    return {name: sum(one.get(name, 0) for one in counts) for name in names}


def _assess(
    snapshot: data.Snapshot,
    groups: plan.Plan,
    parameters: heads.Parameters,
    tau: np.ndarray,
    kept: overall.Criterion,
    inputs: np.ndarray,
    config: TrainingConfig,
) -> Judged:
    """The heads of all groups on held-out pairs; those to keep are then blended and calibrated."""
    by_group, length = rewards(parameters, groups, inputs), inputs[:, features.LENGTH]
    assessed = assessment.assess(snapshot, groups, by_group, tau, length)
    metrics = report(assessed.held, resamples=config.bootstrap, rng=np.random.default_rng([config.seed, 2]))
    blended = replace(
        kept,
        parameters=heads.add(kept.parameters, features.LENGTH, assessed.blend.length),
        temperature=assessed.blend.temperature,
        tau=assessed.blend.tau,
    )
    told = provenance(snapshot, groups, assessed, config.heads)
    return Judged(snapshot, groups, parameters, assessed, {**metrics, **told}, blended)


def rewards(parameters: heads.Parameters, groups: plan.Plan, inputs: np.ndarray) -> np.ndarray:
    """inputs (n, f) -> (n, G, K) under the K heads of each group."""
    parts = (torch.from_numpy(inputs[i : i + ROWS]) for i in range(0, len(inputs), ROWS))
    with torch.inference_mode():
        found = [heads.rewards(parameters, part) for part in parts]
    return torch.cat(found).double().numpy().reshape(len(inputs), len(groups.held_out), -1)


def provenance(
    snapshot: data.Snapshot, groups: plan.Plan, assessed: assessment.Assessment, size: int
) -> dict[str, Any]:
    """How the numbers of an ensemble of `size` came about, in words and counts."""
    prompts, trained = len(groups.prompts), ~groups.held_out[0]
    if groups.cross_fitted:
        folds = len(groups.held_out) - 1
        how = f"cross-fitted over {prompts} prompts in {folds} folds"
        kept = f"{int(trained.sum())} of {prompts} prompts (all but the test split)"
    else:
        how = f"held-out test split of {assessed.held.prompt.max() + 1} prompts"
        kept = f"{int(trained.sum())} of {prompts} prompts (the train split)"
    return {
        "evaluation": how,
        "ensemble_trained_on": kept,
        "criterion": snapshot.criterion,
        "temperature": {
            "value": assessed.blend.temperature,
            "tau": assessed.blend.tau,
            "length": assessed.blend.length,
            "n": assessed.blend.pairs,
        },
        "training": {
            "pairs": int(trained[groups.prompt].sum()),
            "prompts": int(trained.sum()),
            "responses": len(snapshot.responses.ids),
            "heads": size,
        },
        "left_out": [{"reason": reason, "count": count} for reason, count in snapshot.left_out],
        "snapshot_sha256": snapshot.sha256,
    }
