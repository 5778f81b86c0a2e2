"""Import of files with faults: each is named by its line; all or nothing, or all but the bad lines."""

import gzip
import io
import random
from typing import Any

import pytest

from accounts.models import User
from annotation.models.content import Prompt, Response
from annotation.models.quality import GoldAnswer
from annotation.models.work import Answer, Item, Judgment
from annotation.services.importing import import_stream
from tests import factories
from tests.annotation.import_rows import bring, everything, lines, row

pytestmark = pytest.mark.django_db


# --- contradictions --------------------------------------------------------------------------------

KNOWN = (row(1, ("w1", "a")), row(2, gold={"choice": "a", "reason": "So."}), row(3))
CONTRADICTIONS = {
    "another text under a response id": (
        row(1, id="new", responses=[{"id": "r1a", "text": "Changed."}, {"id": "r9", "text": "New."}]),
        "“r1a” already stands for another text",
    ),
    "other responses under an item id": (
        row(1, responses=[{"id": "r1a", "text": "Yes, 1."}, {"id": "r9", "text": "New."}]),
        "“q1” already stands for other responses",
    ),
    "another order under an item id": (
        row(1, responses=list(reversed(row(1)["responses"]))),
        "“q1” already stands for other responses or another order",
    ),
    "the same responses under another id": (row(3, id="other"), "already item “q3”"),
    "a changed vote": (row(1, ("w1", "b")), "“w1” has already judged this item differently"),
    "changed gold": (row(2, gold={"choice": "b"}), "another gold answer"),
    "gold for an item without": (row(3, gold={"choice": "b"}), "without a gold answer"),
    "no gold for an item with": (row(2), "with a gold answer"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
@pytest.mark.parametrize("at_once", [False, True], ids=["two files", "one file"])
def test_a_contradiction_is_named_and_changes_nothing(name: str, at_once: bool) -> None:
    project = factories.project()
    contrary, words = CONTRADICTIONS[name]
    file = [row(50), contrary, row(51)]
    if at_once:
        file = [*KNOWN, *file]
        words = words.replace("already item “q3”", "stand on line 3 under another id")
    else:
        assert bring(project, *KNOWN).applied
    before = everything()
    report = bring(project, *file)
    assert not report.applied
    assert [error.line for error in report.errors] == [5 if at_once else 2]
    assert words in report.errors[0].message
    assert everything() == before


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_skip_bad_leaves_out_the_contradiction_and_nothing_else(name: str) -> None:
    project, control = factories.project(), factories.project()
    contrary, _ = CONTRADICTIONS[name]
    report = bring(project, *KNOWN, row(50), contrary, row(51, ("w1", "a")), skip_bad=True)
    assert report.applied
    assert report.errors_total == 1
    bring(control, *KNOWN, row(50), row(51, ("w1", "a")))
    assert _content(project) == _content(control)


def test_what_a_bad_line_shares_with_good_ones_stays() -> None:
    """Line 1 is bad; lines 2 and 3 use its prompt and its responses, which line 1 brought first."""
    project, control = factories.project(), factories.project()
    texts = {"r1": "one", "r2": "two", "r3": "three", "r4": "four"}

    def pair(name: str, first: str, second: str, *votes: tuple[str, str]) -> dict[str, Any]:
        responses = [{"id": each, "text": texts[each]} for each in (first, second)]
        return row(1, *votes, id=name, responses=responses)

    known = pair("x", "r3", "r4")
    bring(project, known)
    good = [pair("y", "r1", "r3", ("w", "a")), pair("z", "r1", "r2", ("w", "b"))]
    bad = pair("x", "r1", "r2")
    report = bring(project, bad, *good, skip_bad=True)
    assert [error.line for error in report.errors] == [1]
    bring(control, known, *good)
    assert _content(project) == _content(control)
    assert Item.objects.filter(project=project).count() == 3


def test_skip_bad_leaves_nothing_of_a_bad_row() -> None:
    project = factories.project()
    bad = [
        "{not json",
        row(60, ("w-bad", "a")) | {"surplus": 1},
        row(61) | {"votes": [{"annotator": "w-bad", "choice": "a", "criterion": "wit"}]},
        row(62, kind="ranking"),
        '{"prompt": "x\\u0000", "responses": [{"text": "a"}, {"text": "b"}]}',
        '{"prompt": "\\ud800", "responses": [{"text": "a"}, {"text": "b"}]}',
        '{"prompt": NaN, "responses": [{"text": "a"}, {"text": "b"}]}',
        '{"prompt": "a", "prompt": "b", "responses": [{"text": "a"}, {"text": "b"}]}',
        '{"metadata": ' + "[" * 2000 + "]" * 2000 + "}",
    ]
    report = bring(project, row(1, ("w1", "a")), *bad, row(2, ("w1", "b")), skip_bad=True)
    assert report.applied
    assert [error.line for error in report.errors] == list(range(2, 11))
    assert (report.rows, report.errors_total) == (11, 9)
    assert sorted(Item.objects.values_list("external_id", flat=True)) == ["q1", "q2"]
    assert Prompt.objects.count() == 2
    assert Response.objects.count() == 4
    assert not User.objects.filter(display_name="w-bad").exists()


def test_a_rating_that_does_not_fit_leaves_nothing_of_its_row() -> None:
    project = factories.project(kind="rating")
    votes = [
        {"annotator": "w", "ratings": {"overall": [1, 2]}},
        {"annotator": "v", "ratings": {"overall": [1, 0.5]}},
    ]
    report = bring(project, row(1) | {"votes": votes}, skip_bad=True)
    assert (report.applied, report.errors_total) == (True, 1)
    assert everything()["annotation_prompt"] == []
    assert not Judgment.objects.exists()


@pytest.mark.slow
def test_many_errors_are_counted_and_the_first_kept() -> None:
    project = factories.project()
    report = bring(project, *["nonsense"] * 1_500)
    assert (report.rows, report.errors_total, len(report.errors)) == (1_500, 1_500, 1_000)
    bring(project, row(1, ("w", "a")))
    report = bring(project, *[row(1, ("w", "b"))] * 1_200)
    assert (report.errors_total, len(report.errors)) == (1_200, 1_000)


# --- a file that cannot be read to its end ---------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("skip_bad", [False, True])
@pytest.mark.parametrize("damage", ["truncated", "bomb", "empty", "utf-16"])
def test_a_file_that_ends_early_is_refused_whole(damage: str, skip_bad: bool) -> None:
    project = factories.project()
    random_text = "".join(random.Random(1).choices("abcdefghij \n"[:11], k=400_000))
    plain = lines(*(row(n) for n in range(50)), row(99, prompt=random_text))
    data = {
        "truncated": lambda: gzip.compress(plain)[:-2000],
        "bomb": lambda: gzip.compress(lines(row(1)) + b" " * (80 << 20)),
        "empty": lambda: b"\n\n",
        "utf-16": lambda: plain.decode().encode("utf-16"),
    }[damage]()
    before = everything()
    report = import_stream(project=project, stream=io.BytesIO(data), skip_bad=skip_bad)
    assert not report.applied
    assert report.fatal is not None
    assert report.fatal in report.errors
    assert everything() == before


def test_the_fatal_error_is_told_even_after_a_thousand_others() -> None:
    project = factories.project()
    noise = random.Random(2).randbytes(300_000).hex()
    data = gzip.compress(lines(*["nonsense"] * 1_500, row(1, prompt=noise)))[:-1000]
    report = import_stream(project=project, stream=io.BytesIO(data), skip_bad=True)
    assert not report.applied
    assert report.fatal is not None
    assert "ends too early" in report.fatal.message


def _content(project: object) -> dict[str, Any]:
    """A project's content without primary keys."""
    return {
        "prompts": sorted(str(p.messages) for p in Prompt.objects.filter(project=project)),
        "responses": sorted(
            Response.objects.filter(prompt__project=project).values_list("external_id", "text")
        ),
        "items": sorted(
            (item.external_id, item.origin, item.slots_left,
             tuple(item.item_responses.order_by("position").values_list("response__external_id", flat=True)))
            for item in Item.objects.filter(project=project)
        ),
        "votes": sorted(
            Answer.objects.filter(judgment__item__project=project).values_list(
                "judgment__item__external_id", "judgment__annotator__display_name", "choice"
            )
        ),
        "gold": sorted(
            GoldAnswer.objects.filter(item__project=project)
            .values_list("item__external_id", "choice", "reason")
        ),
    }  # fmt: skip
