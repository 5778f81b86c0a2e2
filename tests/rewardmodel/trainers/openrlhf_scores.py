"""PYTHON openrlhf_scores.py MODEL TEXTS.json OUT.json: scores by OpenRLHF's own loading code.

Runs under a Python that has openrlhf. `get_llm_for_sequence_regression` and `get_tokenizer` are OpenRLHF's;
tokenising is as `openrlhf.cli.serve_rm` does it (left padding, no special tokens added). If flash_attn is not
installed its names are stood in for: OpenRLHF imports them at start and calls them only for packed samples.
OUT: {"float32": […], "bfloat16": […]}: the weights as OpenRLHF loads them (always bfloat16 or float16), once
computed in float32 and once in bfloat16 as serve_rm does.
"""

import importlib.machinery
import importlib.util
import json
import sys
import types
from pathlib import Path


def stand_in_for_flash_attention() -> None:
    if importlib.util.find_spec("flash_attn") is not None:
        return
    names = {
        "flash_attn": (),
        "flash_attn.bert_padding": ("index_first_axis", "pad_input", "rearrange", "unpad_input"),
        "flash_attn.utils": (),
        "flash_attn.utils.distributed": ("all_gather",),
    }
    for name, members in names.items():
        module = types.ModuleType(name)
        module.__path__ = []
        module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
        for member in members:
            setattr(module, member, None)
        sys.modules[name] = module


def main(folder: str, texts: str, out: str) -> None:
    stand_in_for_flash_attention()
    import torch
    from openrlhf.models import get_llm_for_sequence_regression
    from openrlhf.utils import get_tokenizer

    model = get_llm_for_sequence_regression(folder, "reward", attn_implementation="sdpa").eval()
    tokenizer = get_tokenizer(folder, model, "left", None)
    queries = json.loads(Path(texts).read_text())
    batch = tokenizer(
        queries, return_tensors="pt", add_special_tokens=False, max_length=2048, padding=True, truncation=True
    )
    found = {}
    with torch.no_grad():
        found["bfloat16"] = model(batch["input_ids"], batch["attention_mask"]).float().tolist()
        found["float32"] = model.float()(batch["input_ids"], batch["attention_mask"]).tolist()
    Path(out).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
