"""Tiny models to hand over, for the tests of rewardmodel.training.handover: plain functions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import torch

from rewardmodel.training import config, run
from rewardmodel.training.handover import distil, golden, package
from rewardmodel.training.handover import run as handing
from rewardmodel.training.stopping import Stop
from tests.rewardmodel.synthetic import write_encoder, write_snapshot

ROOT = Path(__file__).resolve().parents[2]
CHATML = (
    "{% for m in messages %}<s>{{ m['role'] }} {{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant {% endif %}"
)


def write_run(folder: Path) -> Path:
    """A run on a tiny snapshot with a tiny encoder."""
    write_snapshot(folder / "snapshot")
    write_encoder(folder / "encoder")
    settings = config.TrainingConfig(encoder=str(folder / "encoder"), bootstrap=100, max_steps=20)
    run.train(run.Request(folder / "snapshot", folder / "run", settings, folder / "cache"), Stop())
    return folder / "run"


def request(run_folder: Path, out: Path, **effort: Any) -> handing.Request:
    given = {"tokens": 2_000, "passes": 2, "longest": 40, **effort}
    return handing.Request(
        run_folder, out, run_folder.parent / "snapshot", run_folder.parent / "cache", distil.Effort(**given)
    )


@cache
def _llama(width: int = 16) -> tuple[Any, Any]:
    from transformers import LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast

    folder = write_encoder(Path(os.environ.get("TMPDIR", "/tmp")) / f"laurel-words-{os.getpid()}")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer.chat_template = CHATML
    tokenizer.add_special_tokens({"bos_token": "<s>", "eos_token": "</s>"})
    tokenizer.model_max_length = 128
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = LlamaForSequenceClassification(
            LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=width,
                intermediate_size=2 * width,
                num_hidden_layers=2,
                num_attention_heads=2,
                num_key_value_heads=1,
                max_position_embeddings=128,
                pad_token_id=tokenizer.pad_token_id,
                num_labels=1,
            )
        )
        model.score.weight.data.normal_(0, 1)
    for parameter in model.parameters():  # as a model trained in bfloat16: exactly what that type can hold
        parameter.data = parameter.data.bfloat16().float()
    return model.eval(), tokenizer


def llama() -> tuple[Any, Any]:
    """A random decoder with a `score` head, and its tokenizer with a chat template."""
    return _llama()


def write_ready(out: Path, bundle: Path) -> dict[str, Any]:
    """Hand over the tiny decoder as a fine-tuned model would be."""
    model, tokenizer = llama()
    texts = ("because the evidence", "lol whatever meh", "the cat opens the house carefully", "green")
    examples = [
        golden.Example([{"role": "user", "content": "the river"}, {"role": "assistant", "content": text}], {})
        for text in texts
    ]
    about = {"kind": "fine-tuned", "criterion": "overall", "member": 0, "left_out": {"length": 0.25},
             "longest_tokens": 64}  # fmt: skip
    return package.write(out, package.Contents(model, tokenizer, bundle, examples, about))


def check(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a hand-over's own check.py as its receiver would: in another place, without Laurel."""
    command = [sys.executable, "-I", str(folder / "check.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def golden_rows(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "golden_scores.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
