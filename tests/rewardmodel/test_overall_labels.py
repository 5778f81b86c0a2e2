"""Two runs are compared on labels of what their overall reward means."""

import json
from pathlib import Path
from typing import Any

import pytest

from rewardmodel.models import TrainingRun
from rewardmodel.services import overall_labels

ROWS: list[dict[str, Any]] = [
    {"pair_id": pair, "criterion": criterion, "p_a": a, "p_b": 1 - a, "p_tie": 0.0}
    for pair, criterion, a in (("1", "tone", 1.0), ("1", "truth", 0.5), ("2", "tone", 0.0), ("1", "other", 0))
]


def labelled(
    folder: Path, monkeypatch: pytest.MonkeyPatch, described: dict[str, Any]
) -> list[tuple[str, float, float]]:
    (folder / "ensemble.json").write_text(json.dumps(described))
    monkeypatch.setattr(overall_labels, "ensemble_folder", lambda run: folder)
    rows = overall_labels.of_run(TrainingRun(config={"criterion": None}), ROWS)
    return [(row["pair_id"], row["p_a"], row["p_b"]) for row in rows]


def test_several_criteria_are_weighed_where_all_have_a_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = [{"name": n, "weight": w} for n, w in (("tone", 1), ("truth", 3), ("other", 0))]
    found = labelled(tmp_path, monkeypatch, {"criterion": "weighted overall", "criteria": several})
    assert found == [("1", 0.625, 0.375)]


def test_one_criterion_is_its_own_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = labelled(tmp_path, monkeypatch, {"criterion": "tone"})
    assert found == [("1", 1.0, 0.0), ("2", 0.0, 1.0)]
