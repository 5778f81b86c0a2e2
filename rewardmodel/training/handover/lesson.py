"""What the student learns from: the snapshot's texts, the teacher's rewards of them, and the votes.

The teacher's reward is the mean over its heads divided by its temperature, so that given "no tie"
P(A ≻ B) = σ(t_A - t_B). Prompts of the test split, and pairs on them, are kept for the measurement.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from rewardmodel.training import data, encoder, ensemble, features
from rewardmodel.training.data import Snapshot


@dataclass(frozen=True)
class Lesson:
    """n responses; `split` is that of their prompt, "train" for prompts without any pair."""

    snapshot: Snapshot
    target: np.ndarray  # (n,) the teacher's reward in units of its temperature
    spread: np.ndarray  # (n,) standard deviation over its heads, in the same units
    tau: float
    split: np.ndarray  # (n,) of data.SPLITS

    def rows(self, split: str) -> np.ndarray:
        return np.flatnonzero(self.split == split)


def prepare(
    bundle: Path, snapshot: Snapshot, cache: Path, report: encoder.Report = lambda done, total: None
) -> Lesson:
    """Let the ensemble in folder `bundle` score every response of the snapshot."""
    teacher = ensemble.load_frozen(bundle)
    embed = partial(encoder.embed, ensemble.encoder_of(teacher), cache=cache, report=report)
    scores = ensemble.score_raw(teacher, features.of_responses(embed, snapshot.responses))
    rewards = scores.rewards.astype(np.float64) / teacher.temperature
    return Lesson(snapshot, rewards.mean(axis=1), rewards.std(axis=1), teacher.tau, splits(snapshot))


def splits(snapshot: Snapshot) -> np.ndarray:
    """The split of each response's prompt, (n,)."""
    of_prompt = np.full(len(snapshot.responses.prompt_ids), data.SPLITS[0], dtype=object)
    of_prompt[snapshot.pairs.prompt] = snapshot.pairs.split
    return np.asarray(of_prompt[snapshot.responses.prompt])


def centred(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """values (n, …) minus their mean within each group (n,)."""
    _, index, count = np.unique(group, return_inverse=True, return_counts=True)
    total = np.zeros((len(count), *values.shape[1:]))
    np.add.at(total, index, values)
    return np.asarray(values - (total.T / count).T[index])
