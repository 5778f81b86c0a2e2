"""End to end: from rankings, and ratings by people with scales of their own, to the rewards behind them."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from rewardmodel.training import __main__ as command
from tests.rewardmodel.answered_world import write_world
from tests.rewardmodel.synthetic import write_encoder

pytestmark = pytest.mark.slow


def learned(snapshot: Path, out: Path, truth: dict[str, float]) -> tuple[float, float]:
    """Share of held-out pairs ordered as the truth orders them, and the correlation with its differences."""
    settings = out.parent / "settings.json"
    tiny = out.parent / "encoder"
    if not tiny.exists():
        write_encoder(tiny)
    settings.write_text(json.dumps({"encoder": str(tiny), "bootstrap": 100, "folds": 5, "weight_decay": 5}))
    arguments = [str(snapshot), str(out), "--config", str(settings), "--cache", str(out.parent / "cache")]
    assert command.main(arguments) == 0
    pairs = {row["pair_id"]: row for row in pq.read_table(snapshot / "preferences.parquet").to_pylist()}
    predicted = pq.read_table(out / "predictions.parquet").to_pylist()
    sides = [pairs[row["pair_id"]] for row in predicted]
    true = np.array([truth[row["response_a"]] - truth[row["response_b"]] for row in sides])
    d = np.array([row["d"] for row in predicted])
    return float((d * true > 0)[true != 0].mean()), float(np.corrcoef(d, true)[0, 1])


def test_answers_as_given_teach_no_less_than_their_pairs(tmp_path: Path) -> None:
    snapshot, truth = write_world(tmp_path / "given", 0)
    given = learned(snapshot, tmp_path / "a" / "run", truth)
    metrics = json.loads((tmp_path / "a" / "run" / "metrics.json").read_text())
    assert metrics["training"]["votes"] == {"pairs": 0, "rankings": 60, "ratings": 180}
    manifest = json.loads((snapshot / "manifest.json").read_text())
    del manifest["files"]["judgments.parquet"]
    (snapshot / "judgments.parquet").unlink()
    (snapshot / "manifest.json").write_text(json.dumps(manifest | {"format": "laurel-snapshot/1"}))
    derived = learned(snapshot, tmp_path / "b" / "run", truth)
    assert given[0] > derived[0] - 0.01
    assert given[1] > derived[1]
    assert given[1] > 0.8
