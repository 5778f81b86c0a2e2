"""Where there is nothing more to learn than length, a fine-tuned ensemble says what length says."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from rewardmodel.training import data
from rewardmodel.training.finetune import bundle
from tests.rewardmodel.finetune import tiny
from tests.rewardmodel.synthetic import write_tables
from tests.rewardmodel.test_never_below import length, write_world

pytestmark = pytest.mark.slow


def test_few_votes_do_not_take_it_below_length_and_scores_are_blended(tmp_path: Path) -> None:
    """A learning rate at which the members learn nothing: random rewards, and what length says of them."""
    _, path = tiny.prepare(tmp_path, learning_rate=1e-7)
    snapshot = write_world(tmp_path / "world", length, 40, 5, 3, 0)
    assert tiny.train(snapshot, tmp_path / "run", path) == 0
    metrics = tiny.read(tmp_path / "run" / "metrics.json")
    by_length = metrics["baselines"]["length"]
    assert metrics["nll"] < by_length["nll"] + 0.02
    assert metrics["accuracy"]["value"] > by_length["value"] - 0.06
    assert by_length["value"] > 0.65  # which random rewards are not
    kept = bundle.load(tmp_path / "run" / "ensemble")
    assert kept.length > 0
    read = data.read(snapshot, None)
    rewards = bundle.score(kept, read.responses).rewards.mean(axis=1)
    side = {name: i for i, name in enumerate(read.pairs.ids)}
    predicted = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pydict()
    rows = [side[name] for name in predicted["pair_id"]]
    d = rewards[read.pairs.left[rows]] - rewards[read.pairs.right[rows]]
    np.testing.assert_allclose(d, predicted["d"], atol=1e-4)
    assert np.abs(np.array(predicted["d"]) - predicted["d_heads"]).max() > 0.01


def test_responses_of_one_length_are_not_blended_with_it(tmp_path: Path) -> None:
    """Length cannot say anything: nothing is added, whatever comes to be scored."""
    _, path = tiny.prepare(tmp_path)
    snapshot = write_world(tmp_path / "world", length, 20, 4, 3, 0)
    described = pq.read_table(snapshot / "responses.parquet").to_pylist()
    pairs = pq.read_table(snapshot / "preferences.parquet").to_pylist()
    same = [row | {"text": row["text"][:40].ljust(40, "x")} for row in described]
    assert tiny.train(write_tables(tmp_path / "same", same, pairs), tmp_path / "run", path) == 0
    assert bundle.load(tmp_path / "run" / "ensemble").length == 0
