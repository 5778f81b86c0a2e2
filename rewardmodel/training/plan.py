"""Which prompts train, which stop, which calibrate, which test.

With many prompts: the snapshot's own splits. With few, the tenth that is for testing is too small: its
accuracy is good to some 1/√prompts, whatever the number of pairs. So there every prompt is held out once
(cross-fitting): fold f's heads never see fold f's prompts, its pairs are predicted by those heads, and the
temperature used on fold f is fitted on the other folds' predictions. The ensemble which is kept is then
trained on all but the test prompts, and calibrated on the cross-fitted predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rewardmodel.evaluation.accuracy import decisions
from rewardmodel.training.config import Config, TrainingConfig
from rewardmodel.training.data import Pairs, Snapshot
from rewardmodel.training.failure import NoPreferenceError, TooFewError, TrainingError

MIN_TEST_PAIRS = 20
MIN_LEARNING_PROMPTS = 2


@dataclass(frozen=True)
class Plan:
    """P prompts with pairs. Group 0 is the ensemble that is kept; groups 1…F are the folds, if there are
    any."""

    prompts: np.ndarray  # (P,) rows of responses.prompt_ids
    prompt: np.ndarray  # (m,) the prompt of each pair, in 0…P-1
    held_out: tuple[np.ndarray, ...]  # for each group (P,) bool: prompts its heads never see
    fold: np.ndarray | None  # (P,) the group which holds a prompt out, 1…F; None without cross-fitting

    @property
    def cross_fitted(self) -> bool:
        return self.fold is not None


def enough(snapshots: Sequence[Snapshot], config: TrainingConfig) -> tuple[Snapshot, ...]:
    """The criteria with enough to learn from; the first of them counts in the overall, and counts the others'
    pairs as left out. Raises with the reason when none of those that count has enough."""
    usable = [one for one in snapshots if too_few(one, config) is None]
    if not usable or usable[0].weight == 0:
        check_enough(snapshots[0], config)
    thin = tuple(
        (f"pairs of {one.criterion}, too few to learn from", len(one.pairs.ids))
        for one in snapshots
        if all(one is not other for other in usable)
    )
    return (replace(usable[0], left_out=thin + usable[0].left_out), *usable[1:])


def check_enough(snapshot: Snapshot, config: Config) -> None:
    """Raise with the reason when there is too little to learn from."""
    reason = too_few(snapshot, config)
    if reason is not None:
        raise reason


def too_few(snapshot: Snapshot, config: Config) -> TrainingError | None:
    """Why there is too little to learn from; None when there is enough."""
    pairs = snapshot.pairs
    prompts = len(np.unique(pairs.prompt))
    if len(pairs.ids) < config.min_pairs:
        return TooFewError(
            f"The snapshot has {len(pairs.ids)} judged pairs; training needs at least {config.min_pairs}. "
            "Collect more judgments and try again."
        )
    if prompts < config.min_prompts:
        return TooFewError(
            f"The judged pairs belong to {prompts} prompts; training needs at least {config.min_prompts}, "
            f"because it "
            "is tested on prompts it has not seen. Judge pairs of more prompts."
        )
    learning = len(np.unique(pairs.prompt[pairs.split != "test"]))
    if learning < MIN_LEARNING_PROMPTS:  # else the ensemble would learn from what is to measure it
        return TooFewError(
            f"Of {prompts} prompts with judged pairs {prompts - learning} are kept to measure the model, and "
            f"training needs at least {MIN_LEARNING_PROMPTS} others. Judge pairs of more prompts."
        )
    if not (decisions(pairs.shares) != 0).any():
        return NoPreferenceError(
            f"All {len(pairs.ids)} pairs are ties: there is no preference to learn. Collect judgments on "
            f"responses "
            "that differ more."
        )
    return None


def make(pairs: Pairs, config: TrainingConfig) -> Plan:
    """Decide the groups. Uses the seed for the folds and nothing of the answers but how many test pairs
    have one."""
    prompts, prompt = np.unique(pairs.prompt, return_inverse=True)
    split = np.empty(len(prompts), dtype=object)
    split[prompt] = pairs.split
    test = split == "test"
    decided_tests = int((decisions(pairs.shares)[test[prompt]] != 0).sum())
    enough = (
        decided_tests >= MIN_TEST_PAIRS and (split == "calibration").any() and (split == "train").sum() >= 2
    )
    if len(prompts) >= config.cross_fit_below and enough:
        return Plan(prompts, prompt, (split != "train",), None)
    kept = test if (~test).sum() >= MIN_LEARNING_PROMPTS else np.zeros(len(prompts), dtype=bool)
    folds = len(prompts) if len(prompts) <= config.leave_one_out else min(len(prompts), config.folds)
    order = np.random.default_rng([config.seed, 1]).permutation(len(prompts))
    fold = np.empty(len(prompts), dtype=np.int64)
    fold[order] = np.arange(len(prompts)) % folds + 1
    return Plan(prompts, prompt, (kept, *(fold == f for f in range(1, folds + 1))), fold)
