"""The student: the teacher's own encoder, the mean over all tokens, a small network that gives one number.

With h_1 … h_n the encoder's last hidden states of the n tokens of "[CLS] [length-k] prompt [SEP] response
[SEP]", P the projection that sets the first two coordinates and those of the last attention head to 0, Q the
one on the last four, and LN the layer norm without weights:

    z = LN(P mean_i h_i + Q Σ_i a_i h_i),    a = softmax_i(s·h_i / √e),    e the width of a head,
    f(z) = b + w·z + v·act(U z + c),         r = f / √(1 + 2 (f/8)² / d).

Nothing in the encoder reads or writes the last four coordinates: they carry what the length token
(`template`) says past its layers. s finds that token, so z holds the length however many tokens there are.
The last step is the identity for rewards of usual size (f = 5 loses 0.1 % at d = 384). It, P and Q are what
lets the whole be written exactly as one more layer of the encoder's own class (`standard`): the two free
coordinates of that layer carry the reward.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rewardmodel.training.failure import EncoderError
from rewardmodel.training.handover import template

FREE = 2  # coordinates of the pooled vector that are kept free for the reward
SHRINK = 8.0  # the reward enters the last layer norm divided by this
MAX_HIDDEN = 256
ODD_PART_IS_LINEAR = ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu")  # act(x) - act(-x) = x
TOLD = 4  # coordinates that carry the length: a flag and Chebyshev's polynomials of degree 1 to 3
LOUD, SPOKEN = 4.0, 0.5  # their size where they enter and where they leave, beside some 1 of the others
CONTRAST = 20.0  # by which s·h / √e of the length token exceeds that of others
STRETCH = 8  # times as many positions as the encoder was trained with


class Student(nn.Module):
    """Encoder and reward network; `standard.compiled` makes the folder's model of it."""

    def __init__(self, encoder: Any, seed: int) -> None:
        super().__init__()
        self.encoder: Any = encoder
        width, inner = int(encoder.config.hidden_size), int(encoder.config.intermediate_size)
        hidden = min(MAX_HIDDEN, inner - 2)
        self.width: int = width
        self.epsilon = float(encoder.config.layer_norm_eps)
        self.act: nn.Module = _activation(encoder.config.hidden_act)
        self.head: int = width // int(encoder.config.num_attention_heads)
        generator = torch.Generator().manual_seed(seed)
        self.seek = nn.Parameter(torch.zeros(width))
        self.slope = nn.Parameter(torch.zeros(width))
        self.inner = nn.Parameter(torch.randn(hidden, width, generator=generator) / width**0.5)
        self.offset = nn.Parameter(torch.zeros(hidden))
        self.outer = nn.Parameter(torch.zeros(hidden))
        self.bias = nn.Parameter(torch.zeros(()))

    def pooled(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """z of a padded batch, (B, d)."""
        hidden = self._states(input_ids, attention_mask)
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1)
        sought = (hidden @ self.seek / self.head**0.5).masked_fill(attention_mask == 0, -torch.inf).softmax(1)
        told = (sought.unsqueeze(-1) * hidden[..., -TOLD:]).sum(1)
        free, unused = mean.new_zeros(len(mean), FREE), mean.new_zeros(len(mean), self.head - TOLD)
        joined = torch.cat([free, mean[:, FREE : -self.head], unused, told], dim=1)
        return nn.functional.layer_norm(joined, (self.width,), eps=self.epsilon)

    @torch.no_grad()
    def aim(self, input_ids: Tensor, attention_mask: Tensor) -> None:
        """Let s be the flag of the length tokens, the second of each row, of a size that tells them apart."""
        flag = self._states(input_ids, attention_mask)[..., -TOLD]
        others = attention_mask.bool()
        others[:, 1] = False
        self.seek.zero_()
        self.seek[-TOLD] = CONTRAST * self.head**0.5 / (flag[:, 1].mean() - flag[others].mean())

    def _states(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden: Tensor = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return hidden

    def reward(self, z: Tensor) -> Tensor:
        """r of pooled vectors: (B, d) -> (B,)."""
        linear = z[:, FREE:] @ self.slope[FREE:]
        f: Tensor = self.bias + linear + self.act(z @ self.inner.T + self.offset) @ self.outer
        return f / torch.sqrt(1 + 2 * (f / SHRINK) ** 2 / self.width)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.reward(self.pooled(input_ids, attention_mask))


def load(folder: Path, seed: int) -> tuple[Student, Any]:
    """A student that starts from an encoder's folder, and its tokenizer. Raises EncoderError for other kinds
    of network than BERT's: their standard class has no place for a mean over the tokens."""
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    config = AutoConfig.from_pretrained(folder, **options)
    act = getattr(config, "hidden_act", None)
    if config.model_type != "bert" or act not in ODD_PART_IS_LINEAR:
        raise EncoderError(
            f"The encoder in {folder} is of the type {config.model_type!r} ({act}); only BERT "
            "encoders can be handed over as one folder. Fine-tune a model on the same votes and hand that "
            "over, or let training ask the reward server."
        )
    network = AutoModel.from_pretrained(folder, use_safetensors=True, add_pooling_layer=False, **options)
    tokenizer = AutoTokenizer.from_pretrained(folder, **options)
    if tokenizer.pad_token is None or tokenizer.cls_token is None or tokenizer.sep_token is None:
        raise EncoderError(f"The tokenizer in {folder} lacks one of the tokens [CLS], [SEP] and [PAD].")
    network = network.float()
    _one_token_type(network)
    _stretch_positions(network)
    _add_length_tokens(network, tokenizer)
    tokenizer.model_max_length = network.config.max_position_embeddings
    return Student(network, seed), tokenizer


def token_ids(tokenizer: Any, prompts: Sequence[str], texts: Sequence[str], longest: int) -> list[list[int]]:
    """Ids of "[CLS] [length-k] prompt [SEP] response [SEP]", at most `longest`: the prompt gives way first,
    from its beginning, down to an eighth of the room; then the response, at its end."""
    bare = {"add_special_tokens": False, "verbose": False}
    of_prompts = tokenizer(list(prompts), **bare)["input_ids"]
    of_texts = tokenizer(list(texts), **bare)["input_ids"]
    of_lengths = tokenizer.convert_tokens_to_ids([template.length_token(template.level(x)) for x in texts])
    rows, room = [], longest - 4
    for length, prompt, text in zip(of_lengths, of_prompts, of_texts, strict=True):
        kept = prompt[-max(room - len(text), room // 8, 1) :]
        middle = [*kept, tokenizer.sep_token_id, *text[: room - len(kept)]]
        rows.append([tokenizer.cls_token_id, length, *middle, tokenizer.sep_token_id])
    return rows


def padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[Tensor, Tensor]:
    """Rows of ids as one batch: input_ids and attention_mask, (B, longest row)."""
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return ids, mask


def _one_token_type(network: Any) -> None:
    """A pair of texts and the same text from the chat template get the same score: segment B counts as A."""
    table = network.embeddings.token_type_embeddings.weight.data
    table[:] = table[0].clone()


def _stretch_positions(network: Any) -> None:
    """Trainers do not cut long texts: later positions repeat the second half of those the encoder knows."""
    embeddings, config = network.embeddings, network.config
    known = embeddings.position_embeddings.weight.data
    size, half = len(known), len(known) // 2
    later = torch.arange(size, STRETCH * size)
    row = torch.cat([torch.arange(size), size - half + (later - size) % half])
    embeddings.position_embeddings = nn.Embedding(len(row), known.shape[1], _weight=known[row].clone())
    embeddings.register_buffer("position_ids", torch.arange(len(row)).unsqueeze(0), persistent=False)
    if hasattr(embeddings, "token_type_ids"):
        embeddings.register_buffer("token_type_ids", torch.zeros(1, len(row)).long(), persistent=False)
    config.max_position_embeddings = len(row)


def _add_length_tokens(network: Any, tokenizer: Any) -> None:
    """One token for each level of length, otherwise an average word; the level is in the last coordinates."""
    names = [template.length_token(k) for k in range(template.LEVELS)]
    tokenizer.add_special_tokens({"additional_special_tokens": names})
    network.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    _reserve(network)
    table = network.get_input_embeddings().weight.data
    words = table[: -template.LEVELS, :-TOLD]
    x = 2 * torch.arange(template.LEVELS) / template.LEVELS - 1
    told = torch.stack([torch.ones_like(x), x, 2 * x**2 - 1, 4 * x**3 - 3 * x], dim=1)
    table[-template.LEVELS :, :-TOLD] = words.mean(0)
    table[-template.LEVELS :, -TOLD:] = LOUD * words.std(1).mean() * told


@torch.no_grad()
def _reserve(network: Any) -> None:
    """Let the last coordinates be neither read nor written by any layer, and be 0 for every token."""
    parts, last = network.embeddings, slice(-TOLD, None)
    for table in (parts.word_embeddings, parts.position_embeddings, parts.token_type_embeddings):
        table.weight[:, last] = 0.0
    norms = [parts.LayerNorm]
    for layer in network.encoder.layer:
        attention = layer.attention
        for reader in (
            attention.self.query,
            attention.self.key,
            attention.self.value,
            layer.intermediate.dense,
        ):
            reader.weight[:, last] = 0.0
        for writer in (attention.output.dense, layer.output.dense):
            writer.weight[last], writer.bias[last] = 0.0, 0.0
        norms += [attention.output.LayerNorm, layer.output.LayerNorm]
    for norm in norms:
        norm.weight[last], norm.bias[last] = 1.0, 0.0
    norms[-1].weight[last] = SPOKEN


def _activation(name: str) -> nn.Module:
    from transformers.activations import ACT2FN

    found: nn.Module = ACT2FN[name]
    return found
