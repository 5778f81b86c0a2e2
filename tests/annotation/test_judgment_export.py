"""Every judgment leaves as one line, with the order it was shown in and under a pseudonym."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from annotation.answering.answer import Answer
from annotation.models.project import Project
from annotation.services import assigning, exporting_judgments, judging
from tests import factories
from tests.annotation.import_rows import bring, row
from tests.annotation.ordering import item_of, vote
from tests.cast import browser, make_cast

pytestmark = pytest.mark.django_db


def exported(project: Project, folder: Path, *options: str) -> list[dict[str, Any]]:
    file = folder / "judgments.jsonl"
    out = StringIO()
    call_command("export", project.slug, "--judgments", str(file), *options, "--json", stdout=out)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert json.loads(out.getvalue()) == {
        "project": project.slug, "file": str(file), "judgments": len(rows)
    }  # fmt: skip
    file.unlink()
    return rows


def test_a_line_says_what_was_answered_and_how_it_was_shown(tmp_path: Path) -> None:
    project = factories.project(kind="ranking", reasons=["unsafe"])
    factories.guideline(project)
    item = factories.pair_item(project, texts=("Left out", "Middle", "Right"), external_id="q17")
    person = factories.user("real.name@example.org")
    span = {"response": 2, "start": 0, "end": 5, "quote": "Right", "reason": "unsafe"}
    judgment = vote(
        item, (2, 1, 2), person, display_order=(2, 0, 1), reasons=["unsafe"], comment="Zeile\u2028zwei",
        spans=[span], seconds=12.5, source="simulated",
    )  # fmt: skip
    (found,) = exported(project, tmp_path)
    places = item.item_responses.order_by("position")
    assert found == {
        "judgment": judgment.pk,
        "item": "q17",
        "prompt": str(item.prompt_id),
        "annotator": exporting_judgments.pseudonym(project, person.pk),
        "responses": [str(place.response_id) for place in places],
        "answers": [{"criterion": "overall", "ranks": [2, 1, 2]}],
        "shown": [2, 0, 1],
        "positions": [1, 2, 0],
        "reasons": ["unsafe"],
        "comment": "Zeile\u2028zwei",
        "spans": [span],
        "seconds": 12.5,
        "guideline_version": 1,
        "source": "simulated",
        "standing": "live",
        "gold": False,
        "repeat": False,
        "judged_at": judgment.judged_at.isoformat(),
    }
    (named,) = exported(project, tmp_path, "--names")
    assert named["annotator"] == "real.name@example.org"


def test_strength_ratings_gold_imports_and_repeats_are_all_there(tmp_path: Path) -> None:
    project = factories.project(strength_scale=True)
    gold, person = factories.gold_item(project), factories.user()
    given = [Answer("overall", choice="b", strength=3)]
    first = factories.judgment(gold, person, answers=given)
    item = item_of(project, 2)
    old = factories.judgment(item, person, answers=given)
    new = judging.submit(
        assignment_id=old.assignment_id or 0, annotator=person, idempotency_key="new", replaces=old.pk,
        answers=[Answer("overall", choice="a", strength=1)],
    ).judgment  # fmt: skip
    back = factories.judgment(item_of(project, 2), person, answers=given)
    assigning.skip(assignment_id=back.assignment_id or 0, annotator=person)
    held = factories.assignment(item_of(project, 2), person)
    type(held).objects.filter(pk=held.pk).update(repeat=True, surplus=True)
    repeat = judging.submit(
        assignment_id=held.pk, annotator=person, idempotency_key="again", answers=given
    ).judgment
    bring(project, row(1, ("w1", "a")))
    rows = {one["judgment"]: one for one in exported(project, tmp_path)}
    assert len(rows) == 6
    assert rows[first.pk]["gold"] is True
    assert rows[first.pk]["answers"] == [{"criterion": "overall", "choice": "b", "strength": 3}]
    standing = {pk: one["standing"] for pk, one in rows.items()}
    assert [standing[one.pk] for one in (old, new, back, repeat)] == [
        "superseded", "live", "taken back", "repeat"
    ]  # fmt: skip
    assert rows[new.pk]["supersedes"] == old.pk
    assert rows[repeat.pk]["repeat"] is True
    (imported,) = [one for one in rows.values() if one["source"] == "imported"]
    assert imported["responses"] == ["r1a", "r1b"]
    assert "shown" not in imported
    assert "positions" not in imported
    assert len({one["annotator"] for one in rows.values()}) == 2


def test_pseudonyms_tell_people_apart_and_nothing_else() -> None:
    one, other = factories.project(), factories.project()
    names = {exporting_judgments.pseudonym(project, pk) for project in (one, other) for pk in (1, 2)}
    assert len(names) == 4
    assert exporting_judgments.pseudonym(one, 1) in names


def test_the_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = factories.project()
    factories.judgment(item_of(project, 2), factories.user(), "a")
    file = tmp_path / "out.jsonl"
    file.write_text("precious")
    with pytest.raises(CommandError, match="exists already"):
        call_command("export", project.slug, "--judgments", str(file))
    assert file.read_text() == "precious"
    file.unlink()

    def broken(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting_judgments, "_standing", broken)
    with pytest.raises(OSError, match="No space"):
        call_command("export", project.slug, "--judgments", str(file))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options", [["--judgments", "x", "--out", "y"], [], ["--out", "y"], ["--format", "trl-dpo"]]
)
def test_half_a_wish_is_wrong_usage(options: list[str]) -> None:
    project = factories.project()
    with pytest.raises(CommandError) as refused:
        call_command("export", project.slug, *options)
    assert refused.value.returncode == 2


def test_engineers_download_it_from_the_data_page() -> None:
    cast = make_cast()
    client = browser(cast.engineer)
    url = reverse("annotation:judgments", args=["harbour"])
    assert url not in client.get(reverse("annotation:data", args=["harbour"])).content.decode()
    for choice in "ab":
        factories.judgment(item_of(cast.project, 2), cast.annotator, choice)
    assert url in client.get(reverse("annotation:data", args=["harbour"])).content.decode()
    answer = client.get(url)
    assert answer["Content-Disposition"] == 'attachment; filename="harbour-judgments.jsonl"'
    rows = [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]  # type: ignore[attr-defined]
    assert [one["answers"][0]["choice"] for one in rows] == ["a", "b"]
    assert b"annotator" not in {one["annotator"].encode() for one in rows}
