"""Sheets: what a page is given to show an item for an answer, and the words for an answer."""

import re

import pytest
from django.template.loader import render_to_string

from annotation import sheets
from annotation.answer_form import Entered, field_names
from annotation.answer_words import choices_of, in_words, order_in_words
from annotation.answering.answer import Answer, Question
from annotation.models.project import Project
from annotation.selectors import Turn

TURNS = [Turn("user", "Why?")]
CRITERIA = [{"name": "clear", "description": "Is it clear?"}, {"name": "true", "description": ""}]


def project(kind: str = "pairwise", **fields: object) -> Project:
    return Project(**{"slug": "p", "kind": kind, "reasons": ["unsafe"], "criteria": CRITERIA, **fields})


def build(of: Project, count: int, entered: Entered | None = None) -> sheets.Sheet:
    return sheets.build(of, TURNS, [f"Text {number}" for number in range(count)], entered)


def rendered(sheet: sheets.Sheet) -> str:
    return render_to_string("annotation/sheet/question.html", {"sheet": sheet})


@pytest.mark.parametrize(
    ("kind", "count"), [("pairwise", 2), ("ranking", 2), ("ranking", 8), ("rating", 1), ("rating", 8)]
)
def test_the_controls_carry_exactly_the_names_of_the_form(kind, count):
    of = project(kind)
    html = rendered(build(of, count))
    assert set(re.findall(r'name="([^"]+)"', html)) == set(field_names(of.question, count))
    assert html.count("name=") == html.count('form="answer"')


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        ({}, ["a", "b", "tie", "both_bad"]),
        ({"ties": False}, ["a", "b", "both_bad"]),
        ({"both_bad": False, "ties": False}, ["a", "b"]),
        ({"strength_scale": True}, ["a-3", "a-2", "a-1", "tie", "b-1", "b-2", "b-3", "both_bad"]),
        (
            {"strength_scale": True, "both_bad": False},
            ["a-3", "a-2", "a-1", "tie", "b-1", "b-2", "b-3"],
        ),
    ],
)
def test_a_pair_offers_what_the_project_allows_from_a_to_b(fields, values):
    sheet = build(project(**fields), 2)
    for criterion in sheet.criteria:
        assert [option.value for option in criterion.options] == values
        assert [option.key for option in criterion.options] == list(range(1, len(values) + 1))


@pytest.mark.parametrize("points", [5, 7])
def test_a_rating_has_as_many_points_as_the_project(points):
    sheet = build(project("rating", rating_points=points), 3)
    assert [len(row.options) for row in sheet.criteria[0].rows] == [points] * 3


def test_what_is_entered_is_filled_in():
    of = project("ranking")
    entered = Entered(
        fields={"rank-0-0": "2", "rank-1-2": "3"}, reasons=("unsafe",), comment="so", spans=({"start": 1},)
    )
    sheet = build(of, 3, entered)
    assert [row.value for row in sheet.criteria[0].rows] == ["2", "", ""]
    assert [row.value for row in sheet.criteria[1].rows] == ["", "", "3"]
    assert rendered(sheet).count("selected") == 2
    assert sheet.explained
    html = render_to_string("annotation/sheet/reasons.html", {"sheet": sheet})
    assert "open" in html.split(">")[0]
    assert "checked" in html
    assert "so</textarea>" in html
    assert "[{&quot;start&quot;: 1}]" in html


def test_a_reason_taken_out_of_the_project_since_can_still_be_unticked():
    sheet = build(project(), 2, Entered(reasons=("gone",)))
    assert [(reason.text, reason.checked) for reason in sheet.reasons] == [("unsafe", False), ("gone", True)]


def test_a_single_criterion_asks_its_own_question_and_several_a_common_one():
    assert build(project(criteria=CRITERIA[:1]), 2).question == "Is it clear?"
    assert build(project(criteria=CRITERIA[1:]), 2).question == "Which response is better?"
    several = build(project("rating"), 2)
    assert several.question == "Rate the responses"
    assert "Is it clear?" in rendered(several)


def test_responses_are_lettered_in_the_order_they_are_shown():
    sheet = build(project("rating"), 8)
    assert "".join(response.name for response in sheet.responses) == "ABCDEFGH"
    assert sheet.responses[7].label == "Response H"


@pytest.mark.parametrize(
    ("kind", "count", "layout"),
    [("pairwise", 2, "bar"), ("rating", 3, "bar"), ("rating", 4, "side"), ("ranking", 2, "side")],
)
def test_much_to_fill_in_stands_beside_the_responses(kind, count, layout):
    assert build(project(kind), count).layout == layout


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("## Title\n\n* **bold** and `code`\n", "Title bold and code"),
        ("See [the page](https://x.example).", "See the page."),
        ("word " * 40, ("word " * 12).strip() + " …"),
        ("", ""),
    ],
)
def test_an_excerpt_is_plain_and_says_when_there_is_more(text, short):
    assert sheets.excerpt(text) == short


def test_a_conversation_names_its_speakers_and_a_single_question_is_the_prompt():
    talk = [Turn("system", "s"), Turn("user", "q"), Turn("assistant", "a"), Turn("user", "r")]
    labels = [turn.label for turn in sheets.build(project(), talk, ["x", "y"]).turns]
    assert labels == ["System instruction", "User", "Assistant", "User, to be answered"]
    assert [turn.label for turn in build(project(), 2).turns] == ["Prompt"]


def test_answers_in_words():
    pair = Answer("overall", "a", 3)
    assert in_words({"overall": pair}, ["overall"]) == "A is much better"
    ranks, ratings = Answer("clear", ranks=(2, 1, 2)), Answer("true", ratings=(4, 2))
    both = {"clear": ranks, "true": ratings}
    assert in_words(both, ["clear", "true"]) == "clear: B > A = C; true: A 4, B 2"
    assert in_words({}, ["clear"]) == ""
    assert order_in_words((3, 1, 2)) == "B > C > A"


def test_every_choice_a_form_can_send_has_words():
    for strength in (False, True):
        for value in choices_of(Question("pairwise", ("c",), strength=strength)):
            choice, _, degree = value.partition("-")
            words = in_words({"c": Answer("c", choice, int(degree) if degree else None)}, ["c"])
            assert words
            assert words != value
