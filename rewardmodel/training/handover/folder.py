"""Any reward model with one output as a standard folder: weights, tokenizer, chat template, labels.

A decoder with a `score` head gets value_head.safetensors as well, which is where LLaMA-Factory looks for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rewardmodel.training.failure import TrainingError


class HandOverError(TrainingError):
    kind = "handover"


def write(folder: Path, model: Any, tokenizer: Any) -> None:
    """Write a model made for AutoModelForSequenceClassification(num_labels=1) and its tokenizer.

    Raises HandOverError when one of them lacks what readers of the folder rely on.
    """
    check(model, tokenizer)
    config = model.config
    config.id2label, config.label2id = {0: "reward"}, {"reward": 0}
    config.problem_type = "regression"
    config.get_text_config().pad_token_id = tokenizer.pad_token_id
    config.value_head_prefix = head_name(model)  # where OpenRLHF finds the head
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if head_name(model) == "score":
        _value_head(folder, model)
    pickled = [path.name for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth", ".pkl")]
    if pickled:
        raise HandOverError(f"{', '.join(pickled)} would be pickled: only safetensors are handed over.")


def check(model: Any, tokenizer: Any) -> None:
    """Raise HandOverError unless the pair can be scored in batches from its own chat template."""
    if model.config.num_labels != 1:
        raise HandOverError(f"The model has {model.config.num_labels} outputs; a reward model has one.")
    if tokenizer.pad_token_id is None:
        raise HandOverError("The tokenizer has no pad token: set one that is not the end of a text.")
    if not tokenizer.chat_template:
        raise HandOverError("The tokenizer has no chat template: trainers could not form the text to score.")
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        raise HandOverError(
            f"The tokenizer knows {len(tokenizer)} tokens, the model "
            f"{model.get_input_embeddings().num_embeddings}. Resize the embeddings before training."
        )


def head_name(model: Any) -> str:
    """`score` of decoders, `classifier` of encoders."""
    for name in ("score", "classifier"):
        if hasattr(model, name):
            return name
    raise HandOverError(f"{type(model).__name__} has neither a `score` nor a `classifier` head.")


def _value_head(folder: Path, model: Any) -> None:
    """The head once more, under the names of TRL's value head; its bias is 0."""
    import torch
    from safetensors.torch import save_file

    weight = model.score.weight.detach().cpu().contiguous().clone()
    bias = torch.zeros(1, dtype=weight.dtype)
    tensors = {"v_head.summary.weight": weight, "v_head.summary.bias": bias}
    save_file(tensors, folder / "value_head.safetensors", metadata={"format": "pt"})
