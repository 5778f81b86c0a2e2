"""A small Llama with random weights and a byte-pair tokenizer trained on the texts: nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SPECIAL = ["<pad>", "<|user|>", "<|assistant|>", "<|end|>"]
CHAT = "{% for turn in messages %}<|{{ turn['role'] }}|>{{ turn['content'] }}<|end|>{% endfor %}"


def write(
    folder: Path,
    texts: Iterable[str],
    *,
    hidden: int,
    layers: int,
    vocabulary: int,
    seed: int,
    positions: int = 4096,
) -> Path:
    """Write model and tokenizer; attention heads of width 64 (32 below a hidden width of 128)."""
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(texts, vocab_size=vocabulary, special_tokens=SPECIAL, show_progress=False)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=trained._tokenizer,
        pad_token="<pad>",  # noqa: S106
        eos_token="<|end|>",  # noqa: S106
        additional_special_tokens=SPECIAL[1:3],
        chat_template=CHAT,
    )
    torch.manual_seed(seed)
    heads = max(1, hidden // (64 if hidden >= 128 else 32))
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=max(1, heads // 4),
        intermediate_size=int(hidden * 2.75),
        max_position_embeddings=positions,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder
