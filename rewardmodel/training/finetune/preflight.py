"""What is checked before a long run, on the model and the tokens that it will train: RUN/preflight.json.

A failed check is a PreflightError or BackboneError that says what to do; nothing has been trained then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from rewardmodel.training.failure import PreflightError
from rewardmodel.training.finetune import backbone, batches, memory
from rewardmodel.training.finetune.config import FinetuneConfig
from rewardmodel.training.finetune.loop import Draw, Learner, Problem
from rewardmodel.training.finetune.members import Nursery
from rewardmodel.training.finetune.processes import Processes

TOLERANCE = 1e-4  # of a reward, in float32
TOLERANCE_BF16 = 5e-2  # bf16 keeps eight bits: sums of another order differ this much
SAMPLE = 8  # responses that are encoded in several ways


def check(
    nursery: Nursery, tokenizer: Any, problem: Problem, drawn: Draw, config: FinetuneConfig
) -> dict[str, Any]:
    """Returns what RUN/preflight.json says beside the rows that were left out. The member is thrown away."""
    learner = Learner(nursery.make(0, drawn.parameters), problem, drawn, config)
    sample = _sample(problem)
    return {
        "tokenizer": _tokenizer(tokenizer, problem),
        "memory": _memory(learner, problem, drawn, config),
        "rewards": _invariance(learner, sample),
        "head": _head(learner),
    }


def _sample(problem: Problem) -> list[Sequence[int]]:
    """Token ids of a few responses of different lengths, the longest and the shortest among them."""
    used = np.unique(problem.rows.responses)
    order = used[np.argsort(problem.rows.length[used], kind="stable")]
    at = np.unique(np.linspace(0, len(order) - 1, SAMPLE).astype(int))
    return [problem.sequences[i] for i in order[at]]


def _tokenizer(tokenizer: Any, problem: Problem) -> dict[str, Any]:
    pad, eos = tokenizer.pad_token_id, tokenizer.eos_token_id
    for row in np.unique(problem.rows.responses):
        ids = problem.sequences[row]
        if eos not in ids[-2:]:
            raise PreflightError(
                "A response does not end with EOS: the chat template and the tokenizer disagree."
            )
        if pad in ids:
            raise PreflightError(
                f"The pad token {tokenizer.pad_token!r} occurs in a text; set pad_token to another."
            )
    return {"pad": tokenizer.pad_token, "eos": tokenizer.eos_token, "pad_is_eos": pad == eos}


def _memory(learner: Learner, problem: Problem, drawn: Draw, config: FinetuneConfig) -> dict[str, Any]:
    """Refuse a run whose largest pass cannot fit."""
    largest = max(
        len(chunk) * int(problem.rows.length[chunk].max())
        for step in drawn.steps
        for part in batches.passes(problem.rows, step, config.tokens_per_pass)
        for chunk in part.chunks
    )
    on = learner.member.on
    needed, free = memory.estimate(learner.member.model, config, largest, on), memory.free(on)
    more = needed.total - needed.parameters  # the weights are there already
    if more > free:
        raise PreflightError(
            f"Training needs about {more / 2**30:.1f} GiB beside the weights, {on.place} has "
            f"{free / 2**30:.1f} GiB free. Lower tokens_per_pass or max_length, turn "
            "gradient_checkpointing on, or use lora."
        )
    return {**needed.as_dict(), "free": free, "largest_pass_tokens": largest, "device": str(on.place)}


def _invariance(learner: Learner, sample: list[Sequence[int]]) -> dict[str, Any]:
    """One reward for a response: alone, in a batch, padded on either side, by transformers' forward."""
    model, on, pad_id = learner.member.model, learner.member.on, learner.problem.pad_id
    model.eval()
    with torch.no_grad():
        alone = torch.cat([backbone.rewards(model, *backbone.pad([ids], pad_id), on) for ids in sample])
        right = backbone.rewards(model, *backbone.pad(sample, pad_id), on)
        left = backbone.rewards(model, *backbone.pad(sample, pad_id, left=True), on)
        ids, mask = backbone.pad(sample, pad_id)
        with on.autocast():
            plain = model(ids.to(on.place), attention_mask=mask.to(on.place)).logits.squeeze(-1).float()
    model.train()
    limit = TOLERANCE if on.precision == torch.float32 else TOLERANCE_BF16
    found = {
        name: float((other - alone).abs().max())
        for name, other in (("padded_right", right), ("padded_left", left), ("plain_transformers", plain))
    }
    for name, difference in found.items():
        if not difference <= limit:
            raise PreflightError(
                f"The reward of a response moves by {difference:.2g} when it is read "
                f"{name.replace('_', ' ')} (at most {limit:g} is allowed): this backbone does not mask its "
                "padding as others do."
            )
    return {"largest_difference": found, "limit": limit, "responses": len(sample)}


def _head(learner: Learner) -> dict[str, Any]:
    """A gradient reaches `score`, and one step moves it."""
    weight = next((p for p in backbone.head(learner.member.model).parameters() if p.requires_grad), None)
    if weight is None:
        raise PreflightError("The reward head `score` is frozen: nothing would be learned.")
    before = weight.detach().clone()
    place = learner.member.on.place
    learner.advance(Processes(0, 1, place))
    norm = 0.0 if weight.grad is None else float(weight.grad.norm())
    moved = float((weight.detach() - before).norm())
    if not norm > 0 or not moved > 0:
        raise PreflightError(
            f"The reward head does not learn: its gradient has the norm {norm:g}, a step moves it {moved:g}."
        )
    trained = sum(value.numel() for value in learner.member.trained().values())
    return {"gradient_norm": norm, "moved": moved, "trained_parameters": trained}
