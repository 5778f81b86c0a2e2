"""The exported folders, opened by the real `datasets` and trained on by the real TRL trainers, offline."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from annotation.interchange.trl import export
from tests.annotation.interchange.snapshots import preference, preferences, responses, snapshot

pytestmark = pytest.mark.slow

TEMPLATE = (
    "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)

PREPARE = f"""
import json, sys
import torch
from datasets import load_dataset
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import LlamaConfig, PreTrainedTokenizerFast

data = load_dataset(sys.argv[1])
vocabulary = {{symbol: i for i, symbol in enumerate(["<pad>", "</s>", *sorted(ByteLevel.alphabet())])}}
backend = Tokenizer(BPE(vocab=vocabulary, merges=[]))
backend.pre_tokenizer = ByteLevel(add_prefix_space=False)
tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", eos_token="</s>")
tokenizer.chat_template = {TEMPLATE!r}
torch.manual_seed(0)
config = LlamaConfig(
    vocab_size=len(vocabulary), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
    num_attention_heads=2, pad_token_id=0, eos_token_id=1, num_labels=1,
)
options = dict(
    output_dir=sys.argv[2], max_steps=1, per_device_train_batch_size=2, per_device_eval_batch_size=2,
    use_cpu=True, bf16=False, report_to=[], save_strategy="no", eval_strategy="steps", eval_steps=1,
    learning_rate=0.1, disable_tqdm=True,
)
"""

REWARD = """
from transformers import LlamaForSequenceClassification
from trl import RewardConfig, RewardTrainer
model = LlamaForSequenceClassification(config)
trainer = RewardTrainer(
    model=model, args=RewardConfig(**options), processing_class=tokenizer,
    train_dataset=data["train"], eval_dataset=data["test"],
)
"""

DPO = """
from transformers import LlamaForCausalLM
from trl import DPOConfig, DPOTrainer
model = LlamaForCausalLM(config)
trainer = DPOTrainer(
    model=model, ref_model=LlamaForCausalLM(config), args=DPOConfig(**options), processing_class=tokenizer,
    train_dataset=data["train"], eval_dataset=data["test"],
)
"""

STEP = """
before = [parameter.detach().clone() for parameter in model.parameters()]
outcome = trainer.train()
moved = any(not torch.equal(a, b) for a, b in zip(before, model.parameters()))
evaluated = [entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry]
print(json.dumps({
    "steps": outcome.global_step, "loss": outcome.training_loss, "moved": moved, "eval_loss": evaluated[0],
    "kept": len(trainer.train_dataset), "given": len(data["train"]),
}))
"""


def run(script: str, *arguments: Path, home: Path) -> dict[str, Any]:
    """Run a script in its own process, offline and with an empty cache; return its last line."""
    environment = {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(home),
        "HOME": str(home),
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize(("format", "trainer"), [("trl-reward", REWARD), ("trl-dpo", DPO)])
def test_trl_takes_a_step(tmp_path: Path, format: str, trainer: str) -> None:
    snapshot(tmp_path / "s")
    result = export(tmp_path / "s", tmp_path / "out", format=format)
    told = run(PREPARE + trainer + STEP, result.out, tmp_path / "run", home=tmp_path / "home")
    assert told["steps"] == 1
    assert told["moved"]
    assert math.isfinite(told["loss"])
    assert math.isfinite(told["eval_loss"])
    assert told["kept"] == told["given"] == result.rows["train.jsonl"]


LOAD = """
import json, sys
from datasets import load_dataset
whole = load_dataset(sys.argv[1])
files = {split: f"{sys.argv[1]}/{split}.jsonl" for split in ("train", "test")}
plain = load_dataset("json", data_files=files)
print(json.dumps({
    "rows": {name: len(split) for name, split in whole.items()},
    "columns": sorted(whole["train"].column_names),
    "types": sorted({str(kind) for kind in whole["train"].features["chosen"].feature.values()}),
    "first": whole["train"][0],
    "plain": {name: len(split) for name, split in plain.items()},
}))
"""


def test_datasets_opens_the_folder_and_its_files(tmp_path: Path) -> None:
    """Also where the folder's name holds the name of another split and texts look like dates."""
    texts = [
        type(row)(row.prompt_id, row.response_id, row.prompt, f"2026-01-0{row.response_id[-1]} 12:00:00")
        for row in responses(40)
    ]
    tie = preference(0, p_a=0.4, p_b=0.4)
    snapshot(tmp_path / "s", responses=texts, labels=[tie, *preferences(40)[1:]])
    result = export(tmp_path / "s", tmp_path / "test" / "validation-set", format="trl-dpo")
    told = run(LOAD, result.out, home=tmp_path / "home")
    rows = {name.removesuffix(".jsonl"): count for name, count in result.rows.items()}
    assert told["rows"] == rows
    assert sum(rows.values()) == 39
    assert told["columns"] == ["chosen", "prompt", "rejected"]
    assert told["types"] == ["Value('string')"]
    assert told["first"]["chosen"] == [{"role": "assistant", "content": "2026-01-00 12:00:00"}]
    assert told["plain"] == {"train": rows["train"], "test": rows["test"]}
