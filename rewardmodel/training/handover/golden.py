"""Golden scores: texts with the score that the handed-over folder must give them, wherever it is loaded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rewardmodel.training import files
from rewardmodel.training.handover import check, template

COUNT = 24


@dataclass(frozen=True)
class Example:
    """One response to score; `expected` is what belongs beside the score, such as the ensemble's mean."""

    messages: list[dict[str, str]]
    expected: dict[str, float]


def choose(rewards: np.ndarray, lengths: np.ndarray, count: int = COUNT) -> list[int]:
    """Rows spread over the rewards, lowest to highest, and the shortest and the longest text."""
    order = np.argsort(rewards, kind="stable")
    spread = order[np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)]
    ends = [int(lengths.argmin()), int(lengths.argmax())]
    return list(dict.fromkeys([*spread.tolist(), *ends]))


def write(path: Path, model_folder: Path, tokenizer: Any, examples: Sequence[Example]) -> None:
    """Score the examples as check.py will, from the folder on disk, and write one JSON line each."""
    texts = [template.render(tokenizer, example.messages) for example in examples]
    found = check.scores(model_folder, texts)
    lines = [
        json.dumps(
            {"messages": example.messages, "text": text, "score": score, **example.expected},
            ensure_ascii=False,
        )
        for example, text, score in zip(examples, texts, found, strict=True)
    ]
    files.write_bytes(path, ("\n".join(lines) + "\n").encode())
