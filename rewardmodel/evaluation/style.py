"""How a response looks, as opposed to what it says; and the difference between two looks.

Style control (Li, Angelopoulos and Chiang, "Does style matter?", LMSYS 2024) puts the differences in length
and Markdown of two responses beside their models in the Bradley-Terry regression: whatever the look explains
is no longer counted for the model. Counts differ relative to their sum, (f_A - f_B) / (f_A + f_B), as there;
lengths by their logarithm. Each column is divided by its root mean square. Its mean is left where it is: with
it taken out, ratings would depend on which response is called A.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

Control = Literal["raw", "length", "style"]
CONTROLS: tuple[Control, ...] = ("raw", "length", "style")
FEATURES = ("log_length", "headings", "list_items", "bold", "code")
COLUMNS: dict[Control, int] = {"raw": 0, "length": 1, "style": len(FEATURES)}  # the first of FEATURES

_BULLETS = ("- ", "* ", "+ ")


def features(text: str) -> tuple[float, int, int, int, int]:
    """FEATURES of one response: log(1 + characters), then counts of Markdown elements.

    code: fenced blocks, each counted once; lines inside a block are neither headings nor lists.
    """
    headings = items = fences = 0
    for line in text.splitlines():
        start = line.lstrip()[:7]
        if start.startswith("```"):
            fences += 1
        elif fences % 2 == 0 and start:
            if start[0] == "#":
                headings += start.lstrip("#").startswith(" ")
            elif start.startswith(_BULLETS):
                items += 1
            elif start[0].isdigit():
                items += start.lstrip("0123456789")[:2] in (". ", ") ")
    bold = text.count("**") // 2 + text.count("__") // 2
    return math.log1p(len(text)), headings, items, bold, (fences + 1) // 2


def differences(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Standardised differences A - B of two (m, 5) arrays of FEATURES; a column without any is 0."""
    counted = first + second
    relative = np.divide(first - second, counted, out=np.zeros_like(counted), where=counted > 0)
    relative[:, 0] = first[:, 0] - second[:, 0]
    size = np.sqrt((relative**2).mean(axis=0)) if len(relative) else np.ones(relative.shape[1])
    return np.asarray(relative / np.where(size > 0, size, 1))


def table(texts: Sequence[str]) -> np.ndarray:
    """(n, 5) float64."""
    return np.array([features(text) for text in texts], dtype=np.float64).reshape(len(texts), len(FEATURES))
