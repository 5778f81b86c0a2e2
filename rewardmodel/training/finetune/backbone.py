"""The language model under the reward: its files, its tokenizer, and the reward it gives a token sequence.

    r(x, y) = w · h_T(x, y),

h_T the last hidden state at the last real token and w the `score` weights. Padding is on the right and
masked, positions are counted over real tokens only, and the head is read in float32 whatever the rest is
computed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rewardmodel.training import encoder
from rewardmodel.training.failure import BackboneError
from rewardmodel.training.finetune.config import FinetuneConfig

RESERVED = ("<pad>", "[PAD]", "<|pad|>", "<|finetune_right_pad_id|>", "<|reserved_special_token_0|>", "<unk>")
OPTIONS: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}


@dataclass(frozen=True)
class Device:
    """Where and in which precision a model computes."""

    place: torch.device
    precision: torch.dtype  # of the products; weights that are trained stay float32

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.place.type, torch.bfloat16, enabled=self.precision == torch.bfloat16)


def device(config_precision: str, place: torch.device | None = None) -> Device:
    """The GPU when there is one. precision: "auto" is bf16 where the GPU has it, else float32."""
    place = place or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    able = place.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    if config_precision == "bf16" or (config_precision == "auto" and able):
        return Device(place, torch.bfloat16)
    return Device(place, torch.float32)


def locate(name: str, commit: str | None) -> encoder.Encoder:
    """Find a backbone's files and the SHA-256 over them. Raises EncoderError when they are not there."""
    return encoder.locate(name, commit, 1)


def tokenizer(files: encoder.Encoder, pad_token: str | None) -> Any:
    """The backbone's tokenizer with a pad token that is not EOS; raises BackboneError when it has none."""
    from transformers import AutoTokenizer

    try:
        found = AutoTokenizer.from_pretrained(files.folder, **OPTIONS)
    except (OSError, ValueError, KeyError) as error:
        raise BackboneError(f"The tokenizer in {files.folder} cannot be loaded: {error}") from None
    if found.eos_token_id is None:
        raise BackboneError(f"The tokenizer in {files.folder} has no EOS token; a reward is read there.")
    found.pad_token = pad_token or _pad_token(found)
    if found.pad_token not in found.get_vocab():
        raise BackboneError(f"pad_token {found.pad_token!r} is not in the tokenizer's vocabulary.")
    if found.pad_token_id == found.eos_token_id:
        raise BackboneError(
            f"The pad token {found.pad_token!r} is also EOS: the reward would be read before the end. "
            "Set pad_token to a token of the vocabulary that occurs in no text."
        )
    found.padding_side = "right"
    return found


def _pad_token(found: Any) -> str:
    """The tokenizer's own if it is not EOS, else a reserved token of its vocabulary."""
    vocabulary = found.get_vocab()
    own = [found.pad_token] if found.pad_token and found.pad_token_id != found.eos_token_id else []
    usable = [token for token in (*own, *RESERVED) if token in vocabulary and token != found.eos_token]
    if not usable:
        raise BackboneError(
            f"The tokenizer has no pad token that differs from EOS ({found.eos_token!r}). Set pad_token to a "
            "token of its vocabulary that occurs in no text."
        )
    return str(usable[0])


def network(files: encoder.Encoder, pad_id: int, dtype: torch.dtype) -> Any:
    """AutoModelForSequenceClassification with one output, no dropout, weights in `dtype`."""
    from transformers import AutoConfig, AutoModelForSequenceClassification
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    before = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # a new `score` is what we want
    try:
        config = _without_dropout(AutoConfig.from_pretrained(files.folder, num_labels=1, **OPTIONS))
        model: Any = AutoModelForSequenceClassification.from_pretrained(
            files.folder, config=config, dtype=dtype, use_safetensors=True, **OPTIONS
        )
    except (OSError, ValueError, KeyError) as error:
        raise BackboneError(
            f"The backbone in {files.folder} cannot be loaded without running its own code: {error}"
        ) from None
    finally:
        logging.set_verbosity(before)
    if not isinstance(getattr(model, "score", None), nn.Linear):
        raise BackboneError(
            f"{type(model).__name__} has no linear `score` head; use a decoder-only backbone."
        )
    model.config.get_text_config().pad_token_id = pad_id
    return model


def _without_dropout(config: Any) -> Any:
    """A response that is encoded twice has one reward. Some networks read the rates from their configuration
    in every pass, so it is there that they are 0."""
    for part in {id(part): part for part in (config, config.get_text_config())}.values():
        for name, value in vars(part).items():
            if "drop" in name and isinstance(value, float):
                setattr(part, name, 0.0)
    return config


def check_length(model: Any, config: FinetuneConfig) -> None:
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if positions is not None and config.max_length > positions:
        raise BackboneError(
            f"max_length is {config.max_length}, the backbone reads {positions} tokens at most."
        )


def pad(sequences: Sequence[Sequence[int]], pad_id: int, *, left: bool = False) -> tuple[Tensor, Tensor]:
    """Token ids and mask, both (n, longest)."""
    longest = max(len(ids) for ids in sequences)
    ids = torch.full((len(sequences), longest), pad_id)
    mask = torch.zeros((len(sequences), longest), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        part = slice(longest - len(sequence), longest) if left else slice(0, len(sequence))
        ids[row, part] = torch.tensor(sequence)
        mask[row, part] = 1
    return ids, mask


def pooled(model: nn.Module, ids: Tensor, mask: Tensor, on: Device) -> Tensor:
    """(n, h) float32: the last hidden state at the last real token. ids, mask: (n, t)."""
    base: Any = unwrapped(model)
    ids, mask = ids.to(on.place), mask.to(on.place)
    position = (mask.cumsum(1) - 1).clamp(min=0)
    with on.autocast():
        body = getattr(base, base.base_model_prefix)
        hidden = body(ids, attention_mask=mask, position_ids=position, use_cache=False).last_hidden_state
    last = (mask * torch.arange(mask.shape[1], device=on.place)).argmax(1)
    return hidden[torch.arange(len(ids), device=on.place), last].float()  # type: ignore[no-any-return]


def rewards(model: nn.Module, ids: Tensor, mask: Tensor, on: Device) -> Tensor:
    """(n,) float32."""
    return head(model)(pooled(model, ids, mask, on)).squeeze(-1)  # type: ignore[no-any-return]


def head(model: nn.Module) -> Any:
    """Its `score`: a linear layer, or PEFT's wrapper around one for each adapter."""
    return unwrapped(model).score


def unwrapped(model: nn.Module) -> Any:
    """The transformers model inside a PEFT one."""
    inner: Any = model
    return inner.get_base_model() if hasattr(inner, "get_base_model") else inner
