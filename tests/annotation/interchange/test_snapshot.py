import hashlib
import json
import random
from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from annotation.interchange import sorted_rows
from annotation.interchange.atomic_folder import FolderInTheWayError, atomic_folder
from annotation.interchange.snapshot import (
    SnapshotChangedError,
    read_manifest,
    read_preferences,
    read_responses,
    read_splits,
    verify_snapshot,
)
from annotation.interchange.snapshot_rows import PreferenceRow, ResponseRow, SnapshotError
from annotation.interchange.split import assign_splits
from tests.annotation.interchange.snapshots import answer, preference, preferences, responses, snapshot


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    written = snapshot(tmp_path / "s")
    assert verify_snapshot(tmp_path / "s") == written == read_manifest(tmp_path / "s")
    assert list(read_responses(tmp_path / "s")) == responses()
    found = list(read_preferences(tmp_path / "s"))
    assert [label for label, _ in found] == preferences()
    expected = assign_splits([row.prompt_id for row in preferences()], 7)
    assert {label.prompt_id: split for label, split in found} == expected


def test_columns_are_those_of_the_contract(tmp_path: Path) -> None:
    snapshot(tmp_path / "s")
    schema = pq.read_schema(tmp_path / "s" / "responses.parquet")
    assert schema.names == ["prompt_id", "response_id", "prompt", "text", "model", "category"]
    schema = pq.read_schema(tmp_path / "s" / "preferences.parquet")
    assert [(field.name, str(field.type)) for field in schema] == [
        *((name, "string") for name in ("pair_id", "prompt_id", "response_a", "response_b", "criterion")),
        *((name, "double") for name in ("p_a", "p_tie", "p_b")),
        ("votes", "int64"),
        ("effective_votes", "double"),
        *((name, "string") for name in ("method", "origin", "split")),
    ]


def test_the_manifest_counts_and_hashes(tmp_path: Path) -> None:
    labels = [*preferences(), preference(0, criterion="tone", votes=2)]
    said = [answer(0), answer(1, criterion="tone")]
    snapshot(tmp_path / "s", labels=labels, answers=said, criteria=["overall", "tone"])
    told = json.loads((tmp_path / "s" / "manifest.json").read_text())
    assert told["format"] == "laurel-snapshot/2"
    assert told["created_at"] == "2026-01-02T12:00:00+00:00"
    assert told["criteria"] == ["overall", "tone"]
    assert told["counts"] == {
        "prompts": 12, "responses": 24, "pairs": 12, "preferences": 13, "votes": 62, "judgments": 2
    }  # fmt: skip
    assert told["left_out"] == [{"reason": "flagged", "count": 1}, {"reason": "gold", "count": 3}]
    assert told["split"]["prompts"] == {"train": 10, "calibration": 1, "test": 1}
    assert told["split"]["pairs"] == {"train": 10, "calibration": 1, "test": 1}
    assert (told["split"]["seed"], told["guideline_version"]) == (7, 2)
    for name, rows in (("responses.parquet", 24), ("preferences.parquet", 13), ("judgments.parquet", 2)):
        data = (tmp_path / "s" / name).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        assert told["files"][name] == {"sha256": digest, "bytes": len(data), "rows": rows}


def test_same_rows_in_any_order_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = [answer(p) for p in range(300)]
    snapshot(tmp_path / "one", responses=responses(300), labels=preferences(300), answers=said)
    texts, labels = responses(300), preferences(300)
    random.Random(2).shuffle(said)
    random.Random(0).shuffle(texts)
    random.Random(1).shuffle(labels)
    spilling = sorted_rows.sorted_rows
    monkeypatch.setattr(
        "annotation.interchange.snapshot.sorted_rows",
        lambda rows, key, folder: spilling(rows, key, folder, run_rows=37),
    )
    snapshot(tmp_path / "two", responses=iter(texts), labels=iter(labels), answers=iter(said))
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert names == {"responses.parquet", "preferences.parquet", "judgments.parquet", "manifest.json"}
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two"}  # nothing left behind


def test_prompts_without_a_label_take_no_place_in_the_splits(tmp_path: Path) -> None:
    snapshot(tmp_path / "s", responses=responses(90), labels=preferences(3))
    splits = Counter(split for _, split in read_preferences(tmp_path / "s"))
    assert splits == {"train": 1, "calibration": 1, "test": 1}


def test_audit_prompts_are_in_the_test_split_and_counted(tmp_path: Path) -> None:
    before = snapshot(tmp_path / "before")
    assert before.split["audit_prompts"] == 0
    trained_on = [prompt for prompt, split in read_splits(tmp_path / "before").items() if split == "train"]
    audit = {*trained_on[:3], "p9999"}  # of the last one nothing is judged
    manifest = snapshot(tmp_path / "s", audit_prompts=audit)
    found = read_splits(tmp_path / "s")
    assert {prompt for prompt in found if found[prompt] != read_splits(tmp_path / "before")[prompt]} == set(
        trained_on[:3]
    )
    assert {found[prompt] for prompt in trained_on[:3]} == {"test"}
    assert manifest.split["audit_prompts"] == 3
    assert manifest.split["prompts"]["test"] == before.split["prompts"]["test"] + 3


def test_all_pairs_of_a_prompt_share_its_split(tmp_path: Path) -> None:
    sides = [("r0", "r1"), ("r0", "r2"), ("r1", "r2")]
    labels = [
        preference(p, pair_id=f"{p}-{a}-{b}", response_a=f"p{p:04}-{a}", response_b=f"p{p:04}-{b}")
        for p in range(120)
        for a, b in sides
    ]
    manifest = snapshot(tmp_path / "s", responses=responses(120, each=3), labels=labels)
    found: dict[str, set[str]] = {}
    for label, split in read_preferences(tmp_path / "s"):
        found.setdefault(label.prompt_id, set()).add(split)
    assert all(len(splits) == 1 for splits in found.values())
    assert manifest.split["pairs"] == {name: 3 * n for name, n in manifest.split["prompts"].items()}


def response_row(**changes: Any) -> ResponseRow:
    return replace(responses()[0], **changes)


@pytest.mark.parametrize(
    ("texts", "labels", "said"),
    [
        (responses(), [preference(p_a=0.7)], "sum to 1"),
        (responses(), [preference(p_a=float("nan"))], "sum to 1"),
        (responses(), [preference(p_a=1.2, p_b=-0.4)], "sum to 1"),
        (responses(), [preference(votes=0)], "leave out pairs nobody judged"),
        (responses(), [preference(effective_votes=float("inf"))], "effective"),
        (responses(), [preference(origin="gold")], "origin 'gold'"),
        (responses(), [preference(criterion="tone")], "criterion 'tone'"),
        (responses(), [preference(response_a="p0001-r0")], "'p0001-r0', which prompt 'p0000' does not have"),
        (responses(), [preference(response_b="p0000-r0")], "with itself"),
        (responses(), [preference(), preference()], "two labels on 'overall'"),
        (responses(), [preference(0, pair_id="x"), preference(1, pair_id="x")], "pairs of two prompts"),
        ([*responses(), response_row()], preferences(), "is given twice"),
        ([*responses(), response_row(prompt_id="p0001")], preferences(), "is given twice"),
        ([*responses(), response_row(response_id="new", prompt="[]")], preferences(), "has two texts"),
    ],
)
def test_contradictions_leave_no_folder(
    tmp_path: Path, texts: list[ResponseRow], labels: list[PreferenceRow], said: str
) -> None:
    with pytest.raises(SnapshotError, match=said):
        snapshot(tmp_path / "s", responses=texts, labels=labels)
    assert not list(tmp_path.iterdir())


def test_a_naive_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="no zone"):
        snapshot(tmp_path / "s", created_at=datetime(2026, 1, 1))  # noqa: DTZ001


def test_an_existing_folder_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    with pytest.raises(FolderInTheWayError, match="exists already"):
        snapshot(tmp_path / "s")
    assert not list((tmp_path / "s").iterdir())


def test_a_folder_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "s"

    def work() -> None:
        with atomic_folder(target) as partial:
            (partial / "mine").write_text("x")
            target.mkdir()
            (target / "theirs").write_text("y")

    with pytest.raises(FolderInTheWayError):
        work()
    assert [path.name for path in tmp_path.iterdir()] == ["s"]
    assert [path.name for path in target.iterdir()] == ["theirs"]


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> Any:
        yield preference(0)
        assert not (tmp_path / "s").exists()  # not visible while it is written
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        snapshot(tmp_path / "s", labels=failing())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["responses.parquet", "preferences.parquet", "judgments.parquet"])
def test_a_changed_file_is_noticed_by_name(tmp_path: Path, name: str) -> None:
    snapshot(tmp_path / "s")
    data = bytearray((tmp_path / "s" / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "s" / name).write_bytes(data)
    with pytest.raises(SnapshotChangedError, match=f"{name} was changed"):
        verify_snapshot(tmp_path / "s")
    (tmp_path / "s" / name).unlink()
    with pytest.raises(SnapshotChangedError, match=f"{name} is missing"):
        verify_snapshot(tmp_path / "s")


def test_a_folder_that_is_no_snapshot_says_so(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="is not a snapshot"):
        read_manifest(tmp_path)
    for text in ("{", "[]", "{}", '{"format": "laurel-snapshot/1"}', '{"format": "laurel-snapshot/9"}'):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(SnapshotError):
            read_manifest(tmp_path)
