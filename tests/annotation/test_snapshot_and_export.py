"""Snapshots and exports made from a project: whole, true to the votes, and the same each time."""

import hashlib
import json
import zipfile
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotation.interchange.snapshot import read_preferences, read_responses, verify_snapshot
from annotation.models.content import Prompt
from annotation.models.dataset import DatasetSnapshot
from annotation.models.project import Project
from annotation.services import assigning, exporting, snapshotting
from tests import factories
from tests.annotation.import_rows import bring, row


@pytest.fixture(autouse=True)
def _own_folders(settings: Any, tmp_path: Path) -> None:
    settings.LAUREL_DATA_DIR = tmp_path
    settings.LAUREL_SNAPSHOT_DIR = tmp_path / "snapshots"
    settings.LAUREL_EXPORT_DIR = tmp_path / "exports"


def judged(rows: int = 12, slug: str = "") -> Project:
    """Item q<n> prefers its first response where n is even, its second where n is odd."""
    project = factories.project(slug=slug, overlap=3)
    votes = [[("w1", "ab"[n % 2]), ("w2", "ab"[n % 2]), ("w3", "tie")] for n in range(rows)]
    assert bring(project, *(row(n, *given) for n, given in enumerate(votes))).applied
    return project


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def command(*arguments: str, fails: bool = False) -> dict[str, Any]:
    out = StringIO()
    if fails:
        with pytest.raises(CommandError) as refused:
            call_command(*arguments, "--json", stdout=out, stderr=StringIO())
        assert refused.value.returncode == 1
    else:
        call_command(*arguments, "--json", stdout=out, stderr=StringIO())
    return json.loads(out.getvalue())


# --- snapshots -------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_snapshot_holds_what_the_project_holds() -> None:
    project = judged(12)
    bring(project, row(50), row(51, ("w1", "a"), gold={"choice": "a"}))
    person = factories.user()
    taken_back = factories.judgment(project.items.get(external_id="q50"), person, "a")
    assigning.skip(assignment_id=taken_back.assignment_id, annotator=person)
    factories.guideline(project)
    snapshot = snapshotting.create(project=project)
    folder = snapshotting.folder_of(snapshot)
    manifest = verify_snapshot(folder).as_json()
    assert manifest == snapshot.manifest
    assert snapshot.manifest_sha256 == digests(folder)["manifest.json"]
    assert manifest["counts"] == {
        "prompts": 14, "responses": 28, "pairs": 12, "preferences": 12, "votes": 36, "judgments": 36
    }  # fmt: skip
    assert manifest["left_out"] == [
        {"reason": "items without a judgment", "count": 1},
        {"reason": "judgments on gold items", "count": 1},
        {"reason": "judgments superseded or taken back", "count": 1},
    ]
    assert (manifest["kind"], manifest["criteria"], manifest["guideline_version"]) == (
        "pairwise", ["overall"], 1
    )  # fmt: skip
    texts = {response.response_id: response.text for response in read_responses(folder)}
    assert len(texts) == 28
    for label, _ in read_preferences(folder):
        winner = label.response_a if label.p_a > label.p_b else label.response_b
        number = int(texts[winner].split()[1].rstrip("."))
        assert texts[winner].startswith("Yes" if number % 2 == 0 else "No")
        assert sorted((label.p_a, label.p_b)) == [0.0, pytest.approx(2 / 3)]
        assert (label.votes, label.origin) == (3, "imported")


@pytest.mark.slow
@pytest.mark.django_db
def test_a_prompt_stays_in_its_split_while_the_project_grows() -> None:
    project = judged(150)
    first = _splits(snapshotting.create(project=project))
    bring(project, *(row(n, ("w9", "a")) for n in range(150, 260)))
    second = _splits(snapshotting.create(project=project))
    assert len(second) == 260
    assert {prompt: second[prompt] for prompt in first} == first
    assert set(Counter(second.values())) == {"train", "calibration", "test"}


@pytest.mark.django_db
def test_an_older_snapshot_does_not_change_and_numbers_go_up() -> None:
    project = judged()
    first = snapshotting.create(project=project)
    before = digests(snapshotting.folder_of(first))
    bring(project, row(99, ("w1", "a")))
    second = snapshotting.create(project=project)
    assert (first.number, second.number) == (1, 2)
    assert digests(snapshotting.folder_of(first)) == before
    assert second.manifest["counts"]["pairs"] == 13


@pytest.mark.django_db
def test_a_folder_that_a_lost_transaction_left_is_stepped_over(tmp_path: Path) -> None:
    project = judged(slug="lost")
    (tmp_path / "snapshots" / "lost" / "0001").mkdir(parents=True)
    snapshot = snapshotting.create(project=project)
    assert snapshot.folder == "snapshots/lost/0001-1"
    verify_snapshot(snapshotting.folder_of(snapshot))


@pytest.mark.django_db
def test_a_snapshot_that_cannot_be_written_leaves_no_row(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = judged()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("annotation.interchange.snapshot.pq.ParquetWriter", full)
    with pytest.raises(OSError, match="No space"):
        snapshotting.create(project=project)
    assert not DatasetSnapshot.objects.exists()
    left = [path for path in (tmp_path / "snapshots").rglob("*") if path.is_file()]
    assert left == []


@pytest.mark.django_db
def test_the_snapshot_command() -> None:
    judged(slug="harbour")
    found = command("snapshot", "harbour")
    assert (found["project"], found["snapshot"]) == ("harbour", 1)
    assert verify_snapshot(Path(found["folder"])).as_json() == found["manifest"]


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["pairwise", "rating"])
def test_nothing_to_snapshot_is_said(kind: str) -> None:
    factories.pair_item(factories.project(slug="bare", kind=kind))
    words = "no judgments yet"
    assert words in command("snapshot", "bare", fails=True)["error"]
    assert words in command("export", "bare", "--format", "trl-dpo", "--out", "nowhere", fails=True)["error"]
    assert not Path("nowhere").exists()


# --- exports ---------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("format", exporting.FORMATS)
def test_two_exports_of_a_snapshot_are_the_same_bytes(format: str, tmp_path: Path) -> None:
    snapshot = snapshotting.create(project=judged())
    for name in ("one", "two"):
        exporting.export_snapshot(snapshot=snapshot, format=format, out=tmp_path / name)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert len(digests(tmp_path / "one")) >= 3


@pytest.mark.django_db
def test_the_chosen_side_is_the_one_people_preferred(tmp_path: Path) -> None:
    found = command("export", judged().slug, "--format", "trl-dpo", "--out", str(tmp_path / "out"))
    rows = [
        json.loads(line)
        for name in found["files"]
        for line in (tmp_path / "out" / name).read_text().splitlines()
    ]
    assert sum(found["rows"].values()) == len(rows) == 12
    for one in rows:
        number = int(one["prompt"][0]["content"].removeprefix("Question ").rstrip("?"))
        chosen, rejected = one["chosen"][0]["content"], one["rejected"][0]["content"]
        assert (chosen, rejected) == (
            (f"Yes, {number}.", f"No, {number}.")
            if number % 2 == 0
            else (f"No, {number}.", f"Yes, {number}.")
        )


@pytest.mark.slow
@pytest.mark.django_db
def test_export_says_what_it_wrote_and_from_which_snapshot(tmp_path: Path) -> None:
    project = judged(slug="harbour")
    first = command("export", "harbour", "--format", "trl-reward", "--out", str(tmp_path / "a"))
    assert (first["project"], first["snapshot"], first["format"]) == ("harbour", 1, "trl-reward")
    assert {name: file["sha256"] for name, file in first["files"].items()}.items() <= digests(
        tmp_path / "a"
    ).items()
    bring(project, row(60, ("w1", "b")))
    again = command(
        "export", "harbour", "--format", "trl-reward", "--out", str(tmp_path / "b"), "--snapshot", "1"
    )
    assert again["rows"] == first["rows"]
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    new = command("export", "harbour", "--format", "trl-reward", "--out", str(tmp_path / "c"))
    assert (new["snapshot"], sum(new["rows"].values())) == (2, 13)


@pytest.mark.django_db
def test_export_refuses_a_folder_that_holds_something(tmp_path: Path) -> None:
    judged(slug="harbour")
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("precious")
    refused = command("export", "harbour", "--format", "trl-dpo", "--out", str(out), fails=True)
    assert str(out) in refused["error"]
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


@pytest.mark.django_db
def test_export_refuses_what_has_no_winner_or_no_snapshot(tmp_path: Path) -> None:
    project = factories.project(slug="level")
    bring(project, row(1, ("w1", "tie")))
    out = str(tmp_path / "out")
    level = command("export", "level", "--format", "trl-dpo", "--out", out, fails=True)
    assert "preferred side" in level["error"]
    missing = command("export", "level", "--format", "trl-dpo", "--out", out, "--snapshot", "7", fails=True)
    assert "no snapshot 7" in missing["error"]
    assert not Path(out).exists()


@pytest.mark.django_db
def test_the_archive_holds_the_same_files_and_is_made_once() -> None:
    snapshot = snapshotting.create(project=judged(slug="harbour"))
    archive = exporting.export_archive(snapshot=snapshot, format="trl-dpo")
    bytes_then = archive.read_bytes()
    assert exporting.export_archive(snapshot=snapshot, format="trl-dpo") == archive
    archive.unlink()
    assert exporting.export_archive(snapshot=snapshot, format="trl-dpo").read_bytes() == bytes_then
    with zipfile.ZipFile(archive) as opened:
        names = {Path(name).name for name in opened.namelist()}
        assert opened.testzip() is None
    assert {"train.jsonl", "manifest.json", "README.md"} <= names
    assert [path for path in archive.parent.iterdir() if path != archive] == []


@pytest.mark.django_db
def test_a_project_of_the_same_name_never_gets_the_old_ones_archive() -> None:
    first = exporting.export_archive(
        snapshot=snapshotting.create(project=judged(5, slug="harbour")), format="trl-dpo"
    )
    DatasetSnapshot.objects.all().delete()
    Project.objects.filter(slug="harbour").update(slug="harbour-old")
    second = exporting.export_archive(
        snapshot=snapshotting.create(project=judged(6, slug="harbour")), format="trl-dpo"
    )
    assert first != second
    assert first.read_bytes() != second.read_bytes()


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("format", exporting.FORMATS)
def test_an_export_opens_as_a_data_set(format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    import datasets

    command("export", judged(30).slug, "--format", format, "--out", str(tmp_path / "out"))
    opened = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert sum(len(part) for part in opened.values()) == 30
    assert {"chosen", "rejected"} <= set(opened["train"].column_names)


def _splits(snapshot: DatasetSnapshot) -> dict[str, str]:
    """The split of each prompt, by its text."""
    texts = {str(prompt.pk): str(prompt) for prompt in Prompt.objects.all()}
    folder = snapshotting.folder_of(snapshot)
    return {texts[row.preference.prompt_id]: row.split for row in read_preferences(folder)}
