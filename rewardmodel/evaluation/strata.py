"""Where is the model right, and where not? Pairwise accuracy within kinds of pairs, beside that of length.

Only pairs with a winner count. A stratum with pairs of a single prompt has no interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rewardmodel.evaluation import clustered
from rewardmodel.evaluation.accuracy import decisions, hits
from rewardmodel.evaluation.clustered import Interval

GAP_BINS = 4
STRONG = 0.75  # share of votes for the winner from which agreement is called strong
MOST = 20  # strata listed by name; smaller ones go together as OTHERS
OTHERS = "others"


@dataclass(frozen=True)
class Stratum:
    name: str
    accuracy: Interval
    length: Interval  # accuracy of length alone on the same pairs
    prompts: int

    def as_dict(self) -> dict[str, object]:
        return {
            "name": self.name,
            **self.accuracy.as_dict(),
            "length": self.length.as_dict(),
            "prompts": self.prompts,
        }


def stratify(
    d: np.ndarray,
    length: np.ndarray,
    shares: np.ndarray,
    prompt: np.ndarray,
    label: Sequence[str | None],
    draws: np.ndarray,
    *,
    order: Sequence[str] | None = None,
) -> list[Stratum]:
    """Accuracy of reward differences d (m,) and of length's (m,) within each label (m,).

    shares: (m, 3); prompt: (m,) in 0…P-1; draws: (B, P) from clustered.resamples. Pairs without a label
    are in no stratum. The strata come in the given order, or the largest first with the smallest together.
    """
    decided = decisions(shares)
    labels = np.array(["" if name is None else name for name in label], dtype=object)
    known = (decided != 0) & (labels != "")
    if order is None:
        order, labels = _largest(labels, known)
    right, by_length = hits(d, decided), hits(length, decided)
    found = []
    for name in order:
        rows = np.flatnonzero(known & (labels == name))
        if len(rows):
            prompts = len(np.unique(prompt[rows]))
            accuracy, beside = (
                clustered.mean(values[rows], prompt[rows], draws) for values in (right, by_length)
            )
            found.append(Stratum(name, accuracy, beside, prompts))
    return found


def _largest(labels: np.ndarray, known: np.ndarray) -> tuple[list[str], np.ndarray]:
    names, counts = np.unique(labels[known].astype(str), return_counts=True)
    ranked = [str(names[i]) for i in np.lexsort((names, -counts))]
    if len(ranked) <= MOST:
        return ranked, labels
    kept = [name for name in ranked if name != OTHERS][: MOST - 1]
    return [*kept, OTHERS], np.where(np.isin(labels.astype(str), kept), labels, OTHERS)


def length_gaps(log_gap: np.ndarray, bins: int = GAP_BINS) -> tuple[list[str], list[str]]:
    """A label for each pair by |log-length difference| (m,), quantile bins, and the labels in order.

    A label is the ratio of the longer to the shorter text: "1.00–1.15 ×".
    """
    size = np.abs(log_gap)
    if len(size) == 0:
        return [], []
    edges = np.unique(np.quantile(size, np.linspace(0, 1, bins + 1)))
    if len(edges) == 1:
        name = f"{np.exp(edges[0]):.2f} ×"
        return [name] * len(size), [name]
    names = [f"{np.exp(low):.2f}–{np.exp(high):.2f} ×" for low, high in pairwise(edges)]
    which = np.clip(np.searchsorted(edges, size, side="left") - 1, 0, len(names) - 1)
    return [names[i] for i in which], list(dict.fromkeys(names))


WINNERS = ("longer", "shorter", "same length")


def winners_by_length(log_gap: np.ndarray, shares: np.ndarray) -> list[str]:
    """Whether the voters' choice was the longer text, the shorter, or both are as long."""
    toward = decisions(shares) * np.sign(log_gap)
    return [WINNERS[0] if t > 0 else WINNERS[1] if t < 0 else WINNERS[2] for t in toward]


AGREEMENT = ("unanimous", "strong", "split", "one vote")


def agreement(shares: np.ndarray, votes: np.ndarray) -> list[str]:
    """How much the voters of each pair agree: all for one side, at least three in four, or fewer.

    A single voter agrees with nobody, so such pairs stand by themselves.
    """
    top = shares[:, :2].max(axis=1)
    return [
        AGREEMENT[3] if n < 2 else AGREEMENT[0] if t > 1 - 1e-9 else AGREEMENT[1 if t >= STRONG - 1e-9 else 2]
        for t, n in zip(top, votes, strict=True)
    ]
