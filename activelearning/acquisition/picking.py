"""One pick at a time: what every part of a recipe that chooses pairs has in common.

A batch is filled by several parts in turn. Each is asked for its next choice among the candidates that are
still open, and each is told of every pick, whoever made it, so that no two parts pay for the same thing.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from activelearning.acquisition.pool import Floats, Mask


class NothingOpenError(ValueError):
    """Every candidate is closed: there is nothing left to pick."""


class Picker(Protocol):
    """Chooses among N candidates, by position."""

    def next(self, open: Mask) -> int:
        """Its choice among the candidates with open[i], (N,). At least one is open, else NothingOpenError."""
        ...

    def observe(self, index: int) -> None:
        """Candidate `index` was picked, by whatever part of the recipe."""
        ...


def largest(score: Floats, open: Mask) -> int:
    """The open candidate with the largest score (N,), ties to the lower position."""
    rows = open_rows(open)
    return int(rows[np.argmax(score[rows])])


def draw(weight: Floats, open: Mask, rng: np.random.Generator) -> tuple[int, float]:
    """An open candidate drawn with chance ∝ weight (N,) ≥ 0, and that chance.

    Where every open weight is 0 nothing tells them apart: each is as likely as the other.
    """
    rows = open_rows(open)
    cumulative = np.cumsum(weight[rows])
    total = float(cumulative[-1])
    if total <= 0:
        return int(rng.choice(rows)), 1.0 / len(rows)
    place = int(np.searchsorted(cumulative, rng.random() * total, side="right"))
    index = int(rows[min(place, len(rows) - 1)])
    return index, float(weight[index]) / total


def open_rows(open: Mask) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Positions of the open candidates, ascending; raises NothingOpenError where there are none."""
    rows = np.flatnonzero(open)
    if len(rows) == 0:
        raise NothingOpenError(f"None of {len(open)} candidates is open; stop before asking for a pick.")
    return rows
