"""The answers in a snapshot: what is written reads back, and what contradicts itself is refused."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from annotation.interchange.snapshot import SnapshotError, read_answers, read_preferences, verify_snapshot
from annotation.interchange.snapshot_answers import SplitAnswer
from tests.annotation.interchange.snapshots import answer, preferences, responses, snapshot

THREE = ["p0001-r0", "p0001-r1", "p0001-r2"]
RANKED: Mapping[str, Any] = {"kind": "ranking", "choice": None, "strength": None, "ranks": [2, 1, 2]}
RATED: Mapping[str, Any] = {
    "kind": "rating", "choice": None, "strength": None, "ratings": [5, 1, 3], "points": 5
}  # fmt: skip


def test_answers_of_every_kind_read_back_with_their_split(tmp_path: Path) -> None:
    said = [
        answer(0),
        answer(1, responses=THREE, **RANKED),
        answer(1, item_id="i9", responses=THREE, annotator="expert-2", **RATED),
    ]
    manifest = snapshot(tmp_path / "s", responses=responses(each=3), answers=reversed(said))
    read = list(read_answers(tmp_path / "s"))
    assert [row for row, _ in read] == said
    split = {row.prompt_id: split for row, split in read_preferences(tmp_path / "s")}
    assert read == [SplitAnswer(row, split[row.prompt_id]) for row in said]
    assert verify_snapshot(tmp_path / "s") == manifest


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"choice": "c"}, "no choice between two"),
        ({"choice": None, "strength": None}, "one of choice, ranks and ratings"),
        ({"choice": "tie"}, "strength and prefers neither"),
        ({"ranks": [1, 2]}, "one of choice, ranks and ratings"),
        ({"responses": ["p0000-r0", "p0000-r0"]}, "one of them twice"),
        ({"responses": ["p0000-r0", "p0001-r1"]}, "of another prompt"),
        ({"weight": float("nan")}, "number of votes"),
        ({"criterion": "taste"}, "criterion is none of"),
        ({"kind": "guess"}, "kind is none of"),
        ({**RANKED, "ranks": [1, 3]}, "1 to 2 per response"),
        ({**RANKED, "ranks": [1]}, "1 to 2 per response"),
        ({**RATED, "ratings": [5, 6]}, "1 to 5 per response"),
        ({**RATED, "ratings": [5, 4], "points": None}, "points of their scale"),
    ],
)
def test_an_answer_that_contradicts_itself_is_named(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(SnapshotError, match=said):
        snapshot(tmp_path / "s", answers=[answer(0, **changes)])
    assert not list(tmp_path.iterdir())


def test_two_answers_of_one_person_and_an_answer_nobody_compares_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="given twice"):
        snapshot(tmp_path / "s", answers=[answer(0), answer(0, choice="b")])
    with pytest.raises(SnapshotError, match="without a preference"):
        snapshot(tmp_path / "s", labels=preferences(3), answers=[answer(7)])


def test_a_folder_of_format_1_has_no_answers_and_is_whole(tmp_path: Path) -> None:
    snapshot(tmp_path / "s")
    path = tmp_path / "s" / "manifest.json"
    old = json.loads(path.read_text()) | {"format": "laurel-snapshot/1"}
    del old["files"]["judgments.parquet"]
    path.write_text(json.dumps(old))
    (tmp_path / "s" / "judgments.parquet").unlink()
    assert list(read_answers(tmp_path / "s")) == []
    assert verify_snapshot(tmp_path / "s").counts["pairs"] == 12
    path.write_text(json.dumps(old | {"format": "laurel-snapshot/2"}))
    with pytest.raises(SnapshotError, match=r"does not list judgments\.parquet"):
        verify_snapshot(tmp_path / "s")
