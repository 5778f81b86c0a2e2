"""A LoRA ensemble on a GPU: tokens per second and peak memory against the size of a pass. Writes gpu.csv.

    python -m benchmarks.finetune.gpu [--device cuda|cpu] [--hidden 1024] [--layers 16] [--length 512]

The backbone is a Llama made from a config with random weights, the responses are random words: what is
measured does not depend on either. Every row trains the members one after the other for some steps, by the
same loop as a real run, and then scores; `tokens` counts real ones, without padding.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import tables
from benchmarks.finetune import backbone as backbones
from rewardmodel.likelihood.objective import Pairs
from rewardmodel.training.finetune import backbone, batches, loop, members
from rewardmodel.training.finetune.config import FinetuneConfig
from rewardmodel.training.finetune.processes import Processes

HERE = Path(__file__).resolve().parent
RESPONSES = 4  # to a prompt, every two of them a pair


def problem(prompts: int, length: int, vocabulary: int, pad_id: int) -> loop.Problem:
    """Random token ids; lengths from half of `length` to all of it."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(length // 2, length + 1, prompts * RESPONSES)
    a, b = np.triu_indices(RESPONSES, 1)
    first = np.repeat(np.arange(prompts) * RESPONSES, len(a))
    left, right = first + np.tile(a, prompts), first + np.tile(b, prompts)
    shares = rng.dirichlet([2, 2, 1], len(left))
    pairs = Pairs(
        torch.from_numpy(np.stack([left, right])),
        torch.from_numpy(np.repeat(np.arange(prompts), len(a))),
        torch.full((len(left),), 3.0),
        torch.tensor(shares.T, dtype=torch.float32),
    )
    sequences = [rng.integers(4, vocabulary, n).tolist() for n in lengths]
    return loop.problem(sequences, pad_id, prompts, (pairs,), pairs.take(slice(len(a))), 0.0)


def measure(config: FinetuneConfig, on: backbone.Device, steps: int, length: int) -> dict[str, Any]:
    """Train every member for `steps` steps after two to warm up; then score with the last one."""
    source = backbone.locate(config.backbone, None)
    tokenizer = backbone.tokenizer(source, None)
    per_step = -(-config.effective_batch // (RESPONSES * (RESPONSES - 1) // 2))
    made = problem(per_step * (steps + 2) * 4, length, len(tokenizer), tokenizer.pad_token_id)
    nursery, alone = members.Nursery(source, config, tokenizer.pad_token_id, on), Processes(0, 1, on.place)
    _start(on)
    tokens = seconds = pairs = 0.0
    for number in range(config.members):
        drawn = loop.draw(made, config, number)
        learner = loop.Learner(nursery.make(number, drawn.parameters), made, drawn, config)
        for step in range(min(steps + 2, len(drawn.steps))):
            began = _now(on)
            learner.advance(alone)
            if step >= 2:
                rows = drawn.steps[step]
                seconds += _now(on) - began
                tokens += int(made.rows.length[made.rows.among(rows)].sum())
                pairs += len(rows)
    peak = torch.cuda.max_memory_allocated(on.place) if on.place.type == "cuda" else 0
    return {
        "tokens_per_pass": config.tokens_per_pass,
        "checkpointing": config.gradient_checkpointing,
        "precision": str(on.precision).removeprefix("torch."),
        "members": config.members,
        "train_tokens_per_second": round(tokens / seconds),
        "train_pairs_per_second": round(pairs / seconds, 1),
        "peak_gib": round(peak / 2**30, 2),
        "score_tokens_per_second": round(_score(learner, made, on)),
    }


def _score(learner: loop.Learner, made: loop.Problem, on: backbone.Device) -> float:
    learner.member.model.eval()
    rows = np.arange(min(len(made.sequences), 512))
    parts = list(batches.chunks(rows, made.rows.length, learner.config.tokens_per_pass))
    with torch.inference_mode():
        began = _now(on)
        for part in parts:
            ids, mask = backbone.pad([made.sequences[i] for i in part], made.pad_id)
            backbone.rewards(learner.member.model, ids, mask, on)
        return float(made.rows.length[rows].sum()) / (_now(on) - began)


def _start(on: backbone.Device) -> None:
    if on.place.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(on.place)


def _now(on: backbone.Device) -> float:
    if on.place.type == "cuda":
        torch.cuda.synchronize(on.place)
    return time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--hidden", type=int, default=1024)
    parser.add_argument("--layers", type=int, default=16)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--passes", type=int, nargs="+", default=[8_192, 16_384, 32_768, 65_536])
    parser.add_argument("--out", type=Path, default=HERE / "gpu.csv")
    given = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as name:
        words = [" ".join(f"word{i}" for i in range(2_000))]
        files = backbones.write(
            Path(name), words, hidden=given.hidden, layers=given.layers, vocabulary=8_000, seed=0
        )
        on = backbone.device("auto", torch.device(given.device))
        for tokens in given.passes:
            for checkpointing in (True, False):
                config = FinetuneConfig(
                    backbone=str(files),
                    members=given.members,
                    max_length=given.length,
                    tokens_per_pass=tokens,
                    gradient_checkpointing=checkpointing,
                    effective_batch=max(64, 2 * tokens // given.length),
                )
                try:
                    row = measure(config, on, given.steps, given.length)
                except torch.cuda.OutOfMemoryError:
                    row = {
                        "tokens_per_pass": tokens,
                        "checkpointing": checkpointing,
                        "peak_gib": "out of memory",
                    }
                found.append({"hidden": given.hidden, "layers": given.layers, "length": given.length, **row})
                print(found[-1], flush=True)
    tables.write(given.out, found)


if __name__ == "__main__":
    main()
