"""A snapshot is what its manifest says, or it is refused."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from rewardmodel.training import data
from rewardmodel.training.failure import SnapshotError
from tests.rewardmodel.synthetic import write_snapshot, write_tables


def rows(folder: Path) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    return (
        pq.read_table(folder / "responses.parquet").to_pylist(),
        pq.read_table(folder / "preferences.parquet").to_pylist(),
    )


def test_pairs_point_at_their_responses(tmp_path: Path) -> None:
    folder = write_snapshot(tmp_path / "s", prompts=4, responses=3)
    snapshot = data.read(folder, None)
    _, preferences = rows(folder)
    assert len(snapshot.pairs.ids) == len(preferences) == 12
    for i, row in enumerate(preferences):
        assert snapshot.responses.ids[snapshot.pairs.left[i]] == row["response_a"]
        assert snapshot.responses.ids[snapshot.pairs.right[i]] == row["response_b"]
        np.testing.assert_allclose(snapshot.pairs.shares[i], [row["p_a"], row["p_b"], row["p_tie"]])
        assert snapshot.responses.prompt_ids[snapshot.pairs.prompt[i]] == row["prompt_id"]
    assert snapshot.responses.prompt_texts[0] == "Question p000"
    assert snapshot.left_out == (("gold", 3),)


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    folder = write_snapshot(tmp_path / "s")
    with (folder / "preferences.parquet").open("ab") as file:
        file.write(b"x")
    with pytest.raises(SnapshotError, match=r"preferences\.parquet has changed"):
        data.read(folder, None)


def test_another_format_is_refused(tmp_path: Path) -> None:
    folder = write_snapshot(tmp_path / "s")
    manifest = json.loads((folder / "manifest.json").read_text()) | {"format": "laurel-snapshot/9"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(SnapshotError, match="laurel-snapshot/1"):
        data.read(folder, None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"response_a": "nobody"}, "nobody"),
        ({"response_a": "p001r0"}, "another prompt"),
        ({"p_a": 0.9, "p_b": 0.9, "p_tie": 0.0}, "not adding to 1"),
        ({"split": "elsewhere"}, "two splits"),
    ],
)
def test_a_snapshot_that_contradicts_itself_is_refused(
    tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    responses, preferences = rows(write_snapshot(tmp_path / "s", prompts=4))
    preferences[0] |= change
    with pytest.raises(SnapshotError, match=reason):
        data.read(write_tables(tmp_path / "t", responses, preferences), None)


def test_one_criterion_is_learnt_and_the_others_are_counted(tmp_path: Path) -> None:
    responses, preferences = rows(write_snapshot(tmp_path / "s", prompts=4))
    other = [row | {"criterion": "tone", "p_a": 1.0, "p_b": 0.0, "p_tie": 0.0} for row in preferences[:7]]
    weightless = [preferences[0] | {"effective_votes": 0.0}]
    folder = write_tables(tmp_path / "t", responses, preferences[1:] + weightless + other)
    overall = data.read(folder, None)
    assert (overall.criterion, len(overall.pairs.ids)) == ("overall", len(preferences) - 1)
    assert dict(overall.left_out) == {"another criterion": 7, "no effective votes": 1, "gold": 3}
    assert len(data.read(folder, "tone").pairs.ids) == 7
    with pytest.raises(SnapshotError, match="humour"):
        data.read(folder, "humour")
