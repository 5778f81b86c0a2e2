"""Who trains, stops, calibrates and tests; and when there is too little to do so."""

from pathlib import Path

import numpy as np
import pytest

from rewardmodel.training import data, plan
from rewardmodel.training.config import TrainingConfig
from rewardmodel.training.failure import NoPreferenceError, TooFewError
from tests.rewardmodel.synthetic import write_snapshot


def test_few_prompts_are_each_held_out_once(tmp_path: Path) -> None:
    snapshot = data.read(write_snapshot(tmp_path / "s", prompts=12), None)
    made = plan.make(snapshot.pairs, TrainingConfig())
    assert made.fold is not None
    assert len(made.held_out) == 13
    np.testing.assert_array_equal(np.sum(made.held_out[1:], axis=0), np.ones(12))
    for prompt, fold in enumerate(made.fold):
        assert made.held_out[fold][prompt]
    test = {snapshot.responses.prompt_ids[i] for i in made.prompts[made.held_out[0]]}
    assert test == {
        snapshot.responses.prompt_ids[p]
        for p, s in zip(snapshot.pairs.prompt, snapshot.pairs.split, strict=True)
        if s == "test"
    }


def test_more_prompts_than_leave_one_out_takes_make_ten_folds(tmp_path: Path) -> None:
    pairs = data.read(write_snapshot(tmp_path / "s", prompts=43, responses=3), None).pairs
    made = plan.make(pairs, TrainingConfig())
    assert len(made.held_out) == 11
    sizes = [mask.sum() for mask in made.held_out[1:]]
    assert (sum(sizes), max(sizes) - min(sizes)) == (43, 1)


def test_many_prompts_use_the_splits_of_the_snapshot(tmp_path: Path) -> None:
    pairs = data.read(write_snapshot(tmp_path / "s", prompts=60), None).pairs
    made = plan.make(pairs, TrainingConfig(cross_fit_below=50))
    assert not made.cross_fitted
    (held_out,) = made.held_out
    np.testing.assert_array_equal(held_out[made.prompt], pairs.split != "train")


def test_without_a_usable_test_split_even_many_prompts_are_cross_fitted(tmp_path: Path) -> None:
    everything = {f"p{i:03}": "train" for i in range(60)}
    pairs = data.read(write_snapshot(tmp_path / "s", prompts=60, splits=everything), None).pairs
    assert plan.make(pairs, TrainingConfig(cross_fit_below=50)).cross_fitted


@pytest.mark.parametrize(
    ("shape", "error", "reason"),
    [
        ({"prompts": 3, "responses": 3}, TooFewError, "9 judged pairs; training needs at least 20"),
        ({"prompts": 2, "responses": 8}, TooFewError, "2 prompts"),
        ({"prompts": 5, "ties": "all"}, NoPreferenceError, "All 50 pairs are ties"),
    ],
)
def test_too_little_is_said_in_words(
    tmp_path: Path, shape: dict[str, object], error: type[Exception], reason: str
) -> None:
    snapshot = data.read(write_snapshot(tmp_path / "s", **shape), None)  # type: ignore[arg-type]
    with pytest.raises(error, match=reason):
        plan.check_enough(snapshot, TrainingConfig())


def test_an_ensemble_never_learns_from_prompts_that_measure(tmp_path: Path) -> None:
    kept = {f"p{i:03}": "test" if i else "train" for i in range(5)}
    snapshot = data.read(write_snapshot(tmp_path / "s", prompts=5, responses=5, splits=kept), None)
    with pytest.raises(TooFewError, match="Of 5 prompts with judged pairs 4 are kept to measure"):
        plan.check_enough(snapshot, TrainingConfig())
