"""The pages of data: what they say of imports, snapshots and exports, and to whom."""

import gzip
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from annotation.models.project import Project
from annotation.models.work import Judgment
from tests import factories
from tests.cast import Cast, browser, make_cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def folders(settings: Any, tmp_path: Path) -> Path:
    """Snapshots and exports of one test, out of everybody's way."""
    settings.LAUREL_DATA_DIR = tmp_path
    settings.LAUREL_SNAPSHOT_DIR = tmp_path / "snapshots"
    settings.LAUREL_EXPORT_DIR = tmp_path / "exports"
    return tmp_path


def words(response: HttpResponse) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def look(user: User, name: str, *args: object) -> HttpResponse:
    response = browser(user).get(reverse(f"annotation:{name}", args=args))
    assert response.status_code == 200
    return response


def line(number: int, **more: object) -> str:
    responses = [{"text": f"One {number}."}, {"text": f"Two {number}."}]
    return json.dumps({"prompt": f"Question {number}?", "responses": responses, **more})


def upload(user: User, content: bytes, **fields: str) -> HttpResponse:
    file = SimpleUploadedFile("items.jsonl", content)
    return browser(user).post(reverse("annotation:import_items", args=["harbour"]), {"file": file, **fields})


def votes_for(project: Project, prompts: int = 6) -> None:
    for number in range(prompts):
        item = factories.pair_item(project)
        for voter in ("ann", "ben"):
            user, _ = User.objects.get_or_create(username=voter)
            factories.judgment(item, user, "ab"[number % 2])


def test_an_empty_project_is_told_to_import(cast: Cast) -> None:
    text = words(look(cast.engineer, "data", "harbour"))
    assert "Nothing has gone out yet" in text
    assert "First import something to judge." in text
    assert "./laurel import harbour FILE.jsonl" in text
    factories.pair_item(cast.project)
    assert "once people have judged" in words(look(cast.engineer, "data", "harbour"))


def test_the_overview_counts_what_there_is(cast: Cast) -> None:
    votes_for(cast.project, prompts=3)
    factories.gold_item(cast.project)
    text = words(look(cast.manager, "data", "harbour"))
    assert "Prompts 4 with 8 responses" in text
    assert "Items to judge 3 and 1 gold" in text
    assert "Items with a vote 3" in text
    assert "Judgments 6 by 2 annotators" in text


def test_a_good_file_is_imported_once(cast: Cast) -> None:
    votes = [{"annotator": "w1", "choice": "a"}]
    content = "\n".join([line(1, votes=votes), line(2)]).encode()
    done = upload(cast.manager, content)
    assert done.status_code == 200
    assert "2 rows were read." in words(done)
    assert re.search(r"2 items · 1 annotator · 1 vote", words(done))
    assert cast.project.items.count() == 2
    assert Judgment.objects.filter(item__project=cast.project).count() == 1
    again = upload(cast.manager, gzip.compress(content))
    assert "It added nothing: all of it was there before." in words(again)
    assert cast.project.items.count() == 2


def test_a_bad_row_refuses_the_file_and_is_named(cast: Cast) -> None:
    content = "\n".join([line(1), '{"prompt": "<b>half</b>"', line(2, colour="red")]).encode()
    refused = upload(cast.engineer, content)
    assert refused.status_code == 422
    text = words(refused)
    assert "Nothing was imported. 2 of 3 rows are bad." in text
    assert re.search(r"Line What is wrong 2 .+ 3 .*colour", text)
    assert cast.project.items.count() == 0
    taken = upload(cast.engineer, content, skip_bad="on")
    assert taken.status_code == 200
    assert "2 bad rows were left out." in words(taken)
    assert cast.project.items.count() == 1


def test_what_is_wrong_is_text_and_never_markup(cast: Cast) -> None:
    refused = upload(cast.engineer, line(1, **{"<script>alert(1)</script>": 1}).encode())
    html = refused.content.decode()
    assert "<script>alert" not in html
    assert "&lt;script&gt;" in html


def test_only_the_first_hundred_errors_are_listed(cast: Cast) -> None:
    refused = upload(cast.engineer, b"\n".join([b"{}"] * 130))
    assert "The first 100 of 130." in words(refused)
    assert refused.content.decode().count('<th scope="row" class="num">') == 100


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "The file is empty"),
        (b"PK\x03\x04not lines", "Nothing was imported."),
        (b"\x1f\x8bbroken gzip", "Nothing was imported."),
    ],
)
def test_what_is_no_json_lines_file_is_refused_in_words(cast: Cast, content: bytes, says: str) -> None:
    refused = upload(cast.engineer, content)
    assert refused.status_code == 422
    assert says in words(refused)


def test_no_file_and_too_large_a_file_are_refused_in_words(cast: Cast, settings: Any) -> None:
    nothing = browser(cast.engineer).post(reverse("annotation:import_items", args=["harbour"]))
    assert nothing.status_code == 422
    assert "Choose a file first." in words(nothing)
    settings.LAUREL_UPLOAD_BYTES = 2**20
    large = upload(cast.engineer, b" " * (2**20 + 1))
    assert large.status_code == 422
    assert "The file has 2 MB; this page takes up to 1." in words(large)
    assert cast.project.items.count() == 0


@pytest.mark.slow
def test_a_snapshot_is_taken_shown_and_downloaded(cast: Cast, folders: Path) -> None:
    votes_for(cast.project)
    factories.judgment(factories.gold_item(cast.project), cast.annotator)
    client = browser(cast.engineer)
    taken = client.post(reverse("annotation:take_snapshot", args=["harbour"]), follow=True)
    text = words(taken)
    assert "Snapshot 1 taken." in text
    assert "Judged pairs 6" in text
    assert "judgments on gold items 1" in text
    snapshot = cast.project.snapshots.get()
    for file in snapshot.manifest["files"].values():
        assert file["sha256"] in text
    assert snapshot.manifest_sha256 in text
    assert "no guidelines" in text
    parts = {part: int(n) for part, n in re.findall(r"(Train|Calibration|Test) \d+ (\d+)", text)}
    assert sum(parts.values()) == 6

    listed = words(look(cast.engineer, "data", "harbour"))
    assert re.search(r"Snapshot 1 .+ 6 12 trl-dpo", listed)
    download = client.get(reverse("annotation:export", args=["harbour", 1, "trl-dpo"]))
    assert download["Content-Disposition"].startswith("attachment")
    with zipfile.ZipFile(io.BytesIO(b"".join(download.streaming_content))) as archive:
        names = [name for name in archive.namelist() if name.endswith(".jsonl")]
        rows = sum(len(archive.read(name).splitlines()) for name in names)
    assert rows == 6


def test_a_snapshot_of_nothing_is_refused_in_words(cast: Cast, folders: Path) -> None:
    client = browser(cast.manager)
    answer = client.post(reverse("annotation:take_snapshot", args=["harbour"]), follow=True)
    assert "harbour has no judgments yet" in words(answer)
    assert not cast.project.snapshots.exists()


def test_unknown_formats_and_snapshots_are_not_there(cast: Cast) -> None:
    factories.snapshot(cast.project)
    client = browser(cast.engineer)
    assert client.get(reverse("annotation:export", args=["harbour", 1, "floppy"])).status_code == 404
    assert client.get(reverse("annotation:export", args=["harbour", 2, "trl-dpo"])).status_code == 404
    assert client.get(reverse("annotation:snapshot", args=["harbour", 2])).status_code == 404
    factories.snapshot(cast.other_project, number=3)
    assert client.get(reverse("annotation:snapshot", args=["harbour", 3])).status_code == 404


@pytest.mark.parametrize("who", ["annotator", "reviewer", "outsider"])
def test_who_may_not_build_finds_nothing(cast: Cast, who: str) -> None:
    factories.snapshot(cast.project)
    client = browser(getattr(cast, who))
    for name, args in (("data", []), ("import_items", []), ("snapshot", [1]), ("export", [1, "trl-dpo"])):
        assert client.get(reverse(f"annotation:{name}", args=["harbour", *args])).status_code == 404
    assert client.post(reverse("annotation:take_snapshot", args=["harbour"])).status_code == 404
    assert upload(getattr(cast, who), line(1).encode()).status_code == 404


@pytest.mark.slow
def test_the_pages_ask_the_database_as_often_however_much_there_is(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = browser(cast.engineer)
    for _ in range(2):
        votes_for(cast.project, prompts=3)
        for _ in range(5):
            factories.snapshot(cast.project, created_by=cast.manager)
        with django_assert_num_queries(10):
            client.get(reverse("annotation:data", args=["harbour"]))
        with django_assert_num_queries(6):
            client.get(reverse("annotation:snapshot", args=["harbour", 1]))
