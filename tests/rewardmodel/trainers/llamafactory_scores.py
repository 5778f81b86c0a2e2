"""PYTHON llamafactory_scores.py MODEL TEXTS.json OUT.json: scores by LLaMA-Factory's own loading code.

Runs under a Python that has llamafactory. `create_reward_model` is what PPO calls for `reward_model_type:
full`; reading the value at the last token is as in `CustomPPOTrainer.get_rewards`. Nothing is stood in for.
OUT: {"float32": […]}
"""

import json
import sys
from pathlib import Path


def main(folder: str, texts: str, out: str) -> None:
    import torch
    from llamafactory.hparams import FinetuningArguments, ModelArguments
    from llamafactory.model import load_tokenizer
    from llamafactory.train.trainer_utils import create_reward_model

    arguments = ModelArguments(model_name_or_path=folder)
    tuning = FinetuningArguments(stage="ppo", reward_model=folder, reward_model_type="full")
    model = create_reward_model(None, arguments, tuning)
    tokenizer = load_tokenizer(arguments)["tokenizer"]
    queries = json.loads(Path(texts).read_text())
    batch = tokenizer(queries, return_tensors="pt", add_special_tokens=False, padding=True)
    batch.pop("token_type_ids", None)
    with torch.no_grad():
        values = model(**batch, return_dict=True, use_cache=False)[-1]
    last = batch["attention_mask"].sum(dim=-1, keepdim=True) - 1
    Path(out).write_text(json.dumps({"float32": values.gather(dim=-1, index=last)[:, 0].float().tolist()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
