"""python check.py [FOLDER]: is this hand-over what was handed over?

Compares every file with its SHA-256 in manifest.json, loads model/ with plain transformers, and scores the
texts of golden_scores.jsonl: every score must be within 1e-4 of the one written there. Needs torch and
transformers, nothing of Laurel. Exit code 0: all is as it was; 1: it is not; 2: it cannot be checked.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
from pathlib import Path
from typing import Any

TOLERANCE = 1e-4
BATCH = 8


def changed_files(folder: Path) -> list[str]:
    """Files of the manifest that are missing or other than they were."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    found = []
    for name, entry in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            found.append(f"{name} is missing")
        elif _sha256(path) != entry["sha256"]:
            found.append(f"{name} has changed")
    return found


def golden(folder: Path) -> list[dict[str, Any]]:
    """The lines of golden_scores.jsonl: messages, text, score and more."""
    lines = (folder / "golden_scores.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line]


def scores(model_folder: Path, texts: list[str]) -> list[float]:
    """Rewards of chat-templated texts, in float32 on the CPU."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    model = AutoModelForSequenceClassification.from_pretrained(
        model_folder, num_labels=1, dtype=torch.float32, use_safetensors=True, **options
    ).eval()
    tokenizer = AutoTokenizer.from_pretrained(model_folder, **options)
    found: list[float] = []
    for start in range(0, len(texts), BATCH):
        batch = tokenizer(
            texts[start : start + BATCH],
            add_special_tokens=False,
            padding=True,
            padding_side="right",
            return_tensors="pt",
        )
        with torch.inference_mode():
            found += model(**batch).logits[:, 0].tolist()
    return found


def _templated(model_folder: Path, rows: list[dict[str, Any]]) -> list[str]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_folder, local_files_only=True)
    return [str(tokenizer.apply_chat_template(row["messages"], tokenize=False)) for row in rows]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check a hand-over against its golden scores.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).resolve().parent)
    parser.add_argument("--scores-only", action="store_true", help="leave out the comparison of files")
    given = parser.parse_args(arguments)
    try:
        wrong = [] if given.scores_only else changed_files(given.folder)
        rows = golden(given.folder)
        texts = _templated(given.folder / "model", rows)
        found = scores(given.folder / "model", texts)
    except Exception as error:
        sys.stderr.write(f"It cannot be checked: {type(error).__name__}: {error}\n")
        return 2
    wrong += [f"text {i} is templated differently" for i, r in enumerate(rows) if r["text"] != texts[i]]
    gaps = [abs(score - row["score"]) for score, row in zip(found, rows, strict=True)]
    worst = max(gaps, default=math.inf)
    if not worst <= TOLERANCE:
        wrong.append(f"scores differ by up to {worst:.2e}, more than {TOLERANCE:.0e}")
    for line in wrong:
        sys.stderr.write(line + "\n")
    verdict = "CHANGED" if wrong else "ok"
    sys.stdout.write(f"{verdict}: {len(rows)} golden scores, largest difference {worst:.2e}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
