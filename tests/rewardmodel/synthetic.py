"""Small synthetic snapshots and a tiny encoder, made from scratch: plain functions, no fixtures."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

GOOD = ("because", "therefore", "evidence", "for example", "carefully", "precisely")
BAD = ("whatever", "dunno", "lol", "stuff", "thing", "meh")
FILLER = ("the", "cat", "house", "river", "paper", "stone", "green", "walks", "opens", "under")


def write_snapshot(
    folder: Path,
    *,
    prompts: int = 12,
    responses: int = 5,
    votes: int = 5,
    seed: int = 0,
    ties: str = "some",
    splits: dict[str, str] | None = None,
    max_pairs: int | None = None,
) -> Path:
    """Responses whose hidden quality shows in their words; every pair of a prompt judged by `votes` voters.

    Longer responses are better on the whole but not always: quality adds to length and to the choice of
    words. ties: "some" (Davidson, τ = -0.5) or "all".
    """
    rng = np.random.default_rng(seed)
    texts, quality = [], []
    for prompt in range(prompts):
        for response in range(responses):
            q = rng.normal()
            words = [
                str(rng.choice(GOOD if rng.random() < 1 / (1 + np.exp(-2 * q)) else BAD))
                if rng.random() < 0.5
                else str(rng.choice(FILLER))
                for _ in range(int(rng.integers(8, 30) + 3 * max(q, -2)))
            ]
            texts.append((f"p{prompt:03}", f"p{prompt:03}r{response}", " ".join(words)))
            quality.append(q)
    hashed = sorted({name for name, _, _ in texts}, key=lambda name: hashlib.sha256(name.encode()).digest())
    tenth = max(1, round(prompts / 10))
    split = splits or {
        name: "test" if i < tenth else "calibration" if i < 2 * tenth else "train"
        for i, name in enumerate(hashed)
    }
    rows = []
    for i, (prompt_id, a, _) in enumerate(texts):
        for j in range(i + 1, min(len(texts), i + responses)):
            if texts[j][0] != prompt_id:
                break
            half = 1.2 * (quality[i] - quality[j])
            weights = np.exp([half, -half, -0.5])
            counts = rng.multinomial(votes, weights / weights.sum()) if ties == "some" else [0, 0, votes]
            rows.append(
                {
                    "pair_id": f"{a}|{texts[j][1]}",
                    "prompt_id": prompt_id,
                    "response_a": a,
                    "response_b": texts[j][1],
                    "criterion": "overall",
                    "p_a": counts[0] / votes,
                    "p_tie": counts[2] / votes,
                    "p_b": counts[1] / votes,
                    "votes": votes,
                    "effective_votes": float(votes),
                    "method": "vote_shares",
                    "origin": "imported",
                    "split": split[prompt_id],
                }
            )
    described = [
        {
            "prompt_id": prompt_id,
            "response_id": response_id,
            "prompt": json.dumps([{"role": "user", "content": f"Question {prompt_id}"}]),
            "text": text,
            "model": "",
        }
        for prompt_id, response_id, text in texts
    ]
    return write_tables(folder, described, rows[:max_pairs])


def write_tables(
    folder: Path, responses: list[dict[str, object]], preferences: list[dict[str, object]]
) -> Path:
    """Write the three files of a snapshot folder with a manifest that fits them."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, rows in (("responses.parquet", responses), ("preferences.parquet", preferences)):
        pq.write_table(pa.Table.from_pylist(rows), folder / name)
        content = (folder / name).read_bytes()
        files[name] = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "rows": len(rows),
        }
    manifest = {
        "format": "laurel-snapshot/1",
        "project": "synthetic",
        "created_at": "2026-01-01T00:00:00Z",
        "kind": "pairwise",
        "criteria": ["overall"],
        "files": files,
        "left_out": [{"reason": "gold", "count": 3}],
        "guideline_version": 1,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def write_encoder(folder: Path, *, width: int = 16, window: int = 24, seed: int = 0) -> Path:
    """A BERT of one layer with random weights and a word tokenizer: real files, a few kilobytes."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *FILLER, *GOOD, *BAD, "for", "example"]
    words = {word: i for i, word in enumerate(dict.fromkeys(vocabulary))}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", words["[CLS]"]), ("[SEP]", words["[SEP]"])]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=window,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = BertModel(
            BertConfig(
                vocab_size=len(words),
                hidden_size=width,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=width,
                max_position_embeddings=window,
            )
        )
    folder.mkdir(parents=True, exist_ok=True)
    fast.save_pretrained(folder)
    network.save_pretrained(folder)
    return folder


CHAT = (
    "{% for turn in messages %}<|{{ turn['role'] }}|> {{ turn['content'] }} <|end|> {% endfor %}"
    "{% if add_generation_prompt %}<|assistant|> {% endif %}"
)


def write_backbone(folder: Path, *, seed: int = 0, pad: str | None = "<pad>", **shape: int) -> Path:
    """A Llama with random weights (2 layers, width 32 unless `shape` says otherwise) and a word tokenizer
    with a chat template, which ends every turn with EOS (`<|end|>`)."""
    special = ["<pad>", "<unk>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>"]
    if pad != "<pad>":
        special.remove("<pad>")
    words = dict.fromkeys([*special, *FILLER, *GOOD, *BAD, "for", "example", "Question"])
    vocabulary = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", pad_token=pad, eos_token="<|end|>", chat_template=CHAT
    )
    fast.add_special_tokens({"additional_special_tokens": ["<|user|>", "<|assistant|>", "<|system|>"]})
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=len(fast),
            max_position_embeddings=128,
            num_key_value_heads=2,
            pad_token_id=fast.pad_token_id,
            bos_token_id=None,
            eos_token_id=fast.eos_token_id,
            **(sizes | shape),
        )
        network = LlamaForCausalLM(config)
    folder.mkdir(parents=True, exist_ok=True)
    fast.save_pretrained(folder)
    network.save_pretrained(folder)
    return folder
