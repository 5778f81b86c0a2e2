import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from annotation.interchange import trl
from annotation.interchange.atomic_folder import FolderInTheWayError
from annotation.interchange.records import Message, prompt_json
from annotation.interchange.snapshot import SnapshotChangedError, read_preferences
from annotation.interchange.trl import ExportError, export
from tests.annotation.interchange.snapshots import preference, preferences, responses, snapshot


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().split("\n") if line]


def test_rows_are_conversations_and_nothing_else(tmp_path: Path) -> None:
    snapshot(tmp_path / "s", labels=[preference(0), preference(1, p_a=0.2, p_b=0.6), preference(2)])
    result = export(tmp_path / "s", tmp_path / "out", format="trl-dpo")
    found = [row for name in result.rows for row in rows(tmp_path / "out" / name)]
    for number, chosen in ((0, 0), (1, 1), (2, 0)):
        assert {
            "prompt": [
                {"role": "system", "content": "Be kind."},
                {"role": "user", "content": f"Question {number}?"},
            ],
            "chosen": [{"role": "assistant", "content": f"Answer {chosen} to {number}"}],
            "rejected": [{"role": "assistant", "content": f"Answer {1 - chosen} to {number}"}],
        } in found
    assert len(found) == 3


def test_every_row_is_in_the_file_of_its_prompts_split(tmp_path: Path) -> None:
    snapshot(tmp_path / "s", responses=responses(200), labels=preferences(200))
    result = export(tmp_path / "s", tmp_path / "out", format="trl-reward")
    files = {"train": "train.jsonl", "calibration": "validation.jsonl", "test": "test.jsonl"}
    expected = {
        (files[split], f"Question {int(label.prompt_id[1:])}?")
        for label, split in read_preferences(tmp_path / "s")
    }
    found = {(name, row["prompt"][-1]["content"]) for name in result.rows for row in rows(result.out / name)}
    assert found == expected
    assert sum(result.rows.values()) == 200


@pytest.mark.parametrize(
    ("shares", "reason"),
    [
        ((0.5, 0.0, 0.5), trl.EQUAL_SHARES),
        ((0.1 + 0.2, 0.4, 0.3), trl.EQUAL_SHARES),
        ((0.0, 1.0, 0.0), trl.EQUAL_SHARES),
        ((0.4, 0.6, 0.0), trl.TIE_MOST_FREQUENT),
        ((0.4, 0.4, 0.2), None),
        ((0.2, 0.4, 0.4), None),
        ((0.6, 0.0, 0.4), None),
    ],
)
def test_ties_are_left_out_and_counted(
    tmp_path: Path, shares: tuple[float, float, float], reason: str | None
) -> None:
    label = preference(0, p_a=shares[0], p_tie=shares[1], p_b=shares[2])
    snapshot(tmp_path / "s", labels=[label, preference(1), preference(2)])
    result = export(tmp_path / "s", tmp_path / "out", format="trl-dpo")
    assert result.left_out == ({} if reason is None else {reason: 1})
    assert sum(result.rows.values()) == (3 if reason is None else 2)
    told = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert told["left_out"] == ([] if reason is None else [{"reason": reason, "count": 1}])


def test_equal_texts_are_left_out(tmp_path: Path) -> None:
    texts = [replace(row, text="same") if row.prompt_id == "p0000" else row for row in responses()]
    snapshot(tmp_path / "s", responses=texts)
    result = export(tmp_path / "s", tmp_path / "out", format="trl-dpo")
    assert result.left_out == {trl.EQUAL_TEXTS: 1}


def test_one_criterion_is_exported(tmp_path: Path) -> None:
    labels = [preference(0), preference(0, criterion="tone", p_a=0.2, p_b=0.6), preference(1)]
    snapshot(tmp_path / "s", labels=labels, criteria=["tone", "overall"])
    overall = export(tmp_path / "s", tmp_path / "overall", format="trl-dpo")
    assert (overall.criterion, overall.left_out) == ("overall", {trl.OTHER_CRITERION: 1})
    tone = export(tmp_path / "s", tmp_path / "tone", format="trl-dpo", criterion="tone")
    assert (sum(tone.rows.values()), tone.left_out) == (1, {trl.OTHER_CRITERION: 2})
    assert rows(tone.out / "train.jsonl")[0]["chosen"][0]["content"] == "Answer 1 to 0"
    with pytest.raises(ExportError, match="no criterion 'humour' in the snapshot: it has tone, overall"):
        export(tmp_path / "s", tmp_path / "none", format="trl-dpo", criterion="humour")


def test_the_same_snapshot_gives_the_same_bytes_and_hashes_that_hold(tmp_path: Path) -> None:
    snapshot(tmp_path / "s")
    first = export(tmp_path / "s", tmp_path / "one", format="trl-reward")
    (tmp_path / "two").mkdir()  # an empty folder is as good as none
    second = export(tmp_path / "s", tmp_path / "two", format="trl-reward")
    names = sorted(path.name for path in first.out.iterdir())
    assert names == ["README.md", "manifest.json", "test.jsonl", "train.jsonl", "validation.jsonl"]
    for name in names:
        assert (first.out / name).read_bytes() == (second.out / name).read_bytes()
    told = json.loads((first.out / "manifest.json").read_text())
    source = hashlib.sha256((tmp_path / "s" / "manifest.json").read_bytes()).hexdigest()
    assert told["snapshot"]["manifest_sha256"] == source
    for name, file in told["files"].items():
        data = (first.out / name).read_bytes()
        assert file == {
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
            "rows": data.count(b"\n"),
        }
    assert first.as_json()["files"] == told["files"]


def test_line_separators_never_break_a_line(tmp_path: Path) -> None:
    odd = "one\u2028two\u2029three\x85four\x0bfive\r\nsix"
    texts = [replace(row, text=f"{odd} {row.response_id}") for row in responses()]
    texts = [replace(row, prompt=prompt_json((Message("user", odd),))) for row in texts]
    snapshot(tmp_path / "s", responses=texts)
    result = export(tmp_path / "s", tmp_path / "out", format="trl-dpo")
    lines = (result.out / "train.jsonl").read_text().splitlines()
    assert len(lines) == result.rows["train.jsonl"]
    assert json.loads(lines[0])["prompt"][0]["content"] == odd
    assert json.loads(lines[0])["chosen"][0]["content"].startswith(odd)


def test_refusals_touch_nothing(tmp_path: Path) -> None:
    snapshot(tmp_path / "s")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    with pytest.raises(FolderInTheWayError, match="is not empty"):
        export(tmp_path / "s", tmp_path / "full", format="trl-dpo")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]
    with pytest.raises(ExportError, match="unknown format 'csv': choose one of trl-dpo, trl-reward"):
        export(tmp_path / "s", tmp_path / "out", format="csv")
    (tmp_path / "s" / "responses.parquet").write_bytes(b"broken")
    with pytest.raises(SnapshotChangedError, match=r"responses\.parquet was changed"):
        export(tmp_path / "s", tmp_path / "out", format="trl-dpo")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "s"]


def test_a_snapshot_of_ties_only_says_so(tmp_path: Path) -> None:
    snapshot(tmp_path / "s", labels=[preference(0, p_a=0.0, p_tie=1.0, p_b=0.0)])
    with pytest.raises(ExportError, match="collect more judgments"):
        export(tmp_path / "s", tmp_path / "out", format="trl-dpo")
    assert [path.name for path in tmp_path.iterdir()] == ["s"]
