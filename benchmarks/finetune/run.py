"""Laurel's fine-tuning beside TRL's RewardTrainer: same pairs, backbone, head, steps. Writes results.csv.

    python -m benchmarks.finetune.run [--data DIR] [--debates N] [--seeds N]

Both train all weights of the same small random Llama in float32 on the CPU for the same number of steps with
the same optimiser, learning rate, schedule, clipping and centring, on the same token ids. Times are processor
time of the training loop on one thread, from the first step to the last, so that other work on the machine
does not count. TRL reads the winner of each pair, Laurel its votes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from datasets import Dataset
from transformers import AutoModelForSequenceClassification, TrainerCallback
from trl import RewardConfig, RewardTrainer

from benchmarks import tables
from benchmarks.finetune import backbone as backbones
from benchmarks.reward import snapshots
from benchmarks.reward.run import strict_labels
from rewardmodel.training import data, votes
from rewardmodel.training.finetune import backbone, batches, loop
from rewardmodel.training.finetune.config import FinetuneConfig
from rewardmodel.training.finetune.preparing import Prepared, prepare
from rewardmodel.training.finetune.processes import Processes
from tests.rewardmodel.synthetic import write_snapshot

HERE = Path(__file__).resolve().parent
CPU = torch.device("cpu")


class Clock(TrainerCallback):
    """Processor seconds from the first step's beginning to the last one's end."""

    began, seconds = 0.0, 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.began = self.began or time.process_time()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.seconds = time.process_time() - self.began


def ours(prepared: Prepared, config: FinetuneConfig) -> tuple[Any, torch.Tensor, int, float]:
    """The trained model, its initial head, steps and seconds."""
    drawn = loop.draw(prepared.problem, config, 0)
    member = prepared.nursery.make(0, drawn.parameters)
    head = backbone.head(member.model).weight.detach().clone()
    learner = loop.Learner(member, prepared.problem, drawn, config)
    began = time.process_time()
    while learner.step < len(learner.drawn.steps):
        learner.advance(Processes(0, 1, CPU))
    return member.model, head, learner.step, time.process_time() - began


def theirs(
    prepared: Prepared, config: FinetuneConfig, winner: np.ndarray, head: torch.Tensor, steps: int, out: Path
) -> tuple[Any, float]:
    """RewardTrainer on the same token ids."""
    problem, pairs, rows = prepared.problem, prepared.snapshot.pairs, _trained(prepared)
    model = AutoModelForSequenceClassification.from_pretrained(config.backbone, num_labels=1)
    model.score.weight.data.copy_(head)
    first = winner[rows] > 0
    left, right = pairs.left[rows], pairs.right[rows]
    table = {
        "chosen_ids": [problem.sequences[i] for i in np.where(first, left, right)],
        "rejected_ids": [problem.sequences[i] for i in np.where(first, right, left)],
    }
    arguments = RewardConfig(
        output_dir=str(out),
        per_device_train_batch_size=config.effective_batch,
        max_steps=steps,
        learning_rate=config.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=max(1, round(config.warmup * steps)),
        weight_decay=config.weight_decay,
        max_grad_norm=config.clip,
        center_rewards_coefficient=config.centring,
        seed=config.seed,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        max_length=None,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    trainer = RewardTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(table),
        processing_class=prepared.tokenizer,
    )
    clock = Clock()
    trainer.add_callback(clock)
    trainer.train()
    return model, clock.seconds


def _trained(prepared: Prepared) -> np.ndarray:
    """Rows of the snapshot's pairs; here none is too long."""
    return np.flatnonzero(prepared.snapshot.pairs.split == "train")


def accuracy(model: Any, prepared: Prepared, winner: np.ndarray) -> tuple[float, int]:
    """On the held-out prompts' decided pairs."""
    pairs, problem = prepared.snapshot.pairs, prepared.problem
    rows = np.flatnonzero((pairs.split != "train") & (winner != 0))
    used = np.unique([pairs.left[rows], pairs.right[rows]])
    reward = np.zeros(len(problem.sequences))
    model.eval()
    with torch.no_grad():
        for part in batches.chunks(used, problem.rows.length, 16_384):
            ids, mask = backbone.pad([problem.sequences[i] for i in part], problem.pad_id)
            reward[part] = model(input_ids=ids, attention_mask=mask).logits.squeeze(-1).numpy()
    d = reward[pairs.left[rows]] - reward[pairs.right[rows]]
    return float((np.sign(d) == winner[rows]).mean()), len(rows)


def compare(
    name: str, folder: Path, work: Path, seed: int, strict: dict[str, int] | None, **more: Any
) -> dict[str, Any]:
    """One snapshot, one seed, both sides."""
    snapshot = data.read(folder, None)
    texts = [*snapshot.responses.texts, *snapshot.responses.prompt_texts]
    files = backbones.write(work / f"backbone{seed}", texts, hidden=64, layers=2, vocabulary=4_000, seed=seed)
    config = FinetuneConfig(
        backbone=str(files),
        method="full",
        members=1,
        seed=seed,
        max_length=256,
        gradient_checkpointing=False,
        learning_rate=1e-3,
        precision="float32",
        **more,
    )
    prepared = prepare(snapshot, votes.read(folder, snapshot), config, CPU, None)
    pairs = snapshot.pairs
    share = np.sign(pairs.shares[:, 0] - pairs.shares[:, 1]).astype(int)
    winner = share if strict is None else np.array([strict.get(pair, 0) for pair in pairs.ids])
    model, head, steps, seconds = ours(prepared, config)
    right, held = accuracy(model, prepared, winner)
    other, their_seconds = theirs(prepared, config, winner, head, steps, work / "trl")
    their_right, _ = accuracy(other, prepared, winner)
    training = _trained(prepared)
    trained = len(training) * config.epochs
    seen = steps * config.effective_batch
    used = np.unique([pairs.left[training], pairs.right[training]])
    mine, his = seconds / trained * 1e3, their_seconds / seen * 1e3
    return {
        "data": name,
        "seed": seed,
        "training_pairs": len(training),
        "pairs_per_response": round(2 * len(training) / len(used), 1),
        "steps": steps,
        "laurel_ms_per_pair": round(mine, 3),
        "trl_ms_per_pair": round(his, 3),
        "times_faster": round(his / mine, 2),
        "held_out_pairs": held,
        "laurel_accuracy": round(right, 4),
        "trl_accuracy": round(their_right, 4),
    }


def debates(folder: Path, source: Path, number: int) -> dict[str, int]:
    """Write the strict pairs of the first debates; returns their released labels."""
    strict = strict_labels(source)
    snapshots.write(
        [pair for pair in snapshots.ukpconvarg1(source, number) if pair.pair_id in strict], folder
    )
    return strict


def decided(folder: Path, responses: int, prompts: int) -> Path:
    """A synthetic snapshot in which every pair has a winner, so that TRL can read all of them."""
    import pyarrow.parquet as pq

    from tests.rewardmodel.synthetic import write_tables

    whole = write_snapshot(folder / "whole", prompts=prompts, responses=responses)
    pairs = pq.read_table(whole / "preferences.parquet").to_pylist()
    described = pq.read_table(whole / "responses.parquet").to_pylist()
    return write_tables(folder / "decided", described, [row for row in pairs if row["p_a"] != row["p_b"]])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=snapshots.DATA)
    parser.add_argument("--debates", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    parser.add_argument("--quick", action="store_true", help="one seed of the synthetic data only")
    given = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for responses, prompts in ((2, 3000), (4, 600), (8, 150), (16, 40)):
            folder = decided(work / f"synthetic{responses}", responses, prompts)
            title = f"synthetic, {responses} responses a prompt"
            found.append(compare(title, folder, work, 0, None, effective_batch=64))
            print(found[-1], flush=True)
        if not given.quick:
            strict = debates(work / "debates", given.data, given.debates)
            for seed in range(given.seeds):
                found.append(compare("debates, strict pairs", work / "debates", work, seed, strict))
                print(found[-1], flush=True)
    tables.write(given.out, found)


if __name__ == "__main__":
    main()
