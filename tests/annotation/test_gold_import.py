"""Gold by import, in all three kinds and under several criteria; conflicts are named by their row."""

from typing import Any

import pytest

from annotation.models.quality import GoldAnswer
from annotation.models.work import Item
from annotation.services import slots
from tests import factories
from tests.annotation.import_rows import bring, everything, row

pytestmark = pytest.mark.django_db

TWO = [{"name": "helpfulness", "description": ""}, {"name": "honesty", "description": ""}]
THREE = [{"id": name, "text": f"Answer {name}."} for name in "xyz"]
FOUR = [{"id": str(number), "text": f"Answer {number}."} for number in range(4)]


def stored() -> list[tuple[object, ...]]:
    return list(
        GoldAnswer.objects.order_by("item__external_id", "criterion").values_list(
            "item__external_id", "criterion", "choice", "ranks", "ratings", "reason"
        )
    )


def test_gold_of_every_kind_arrives_under_its_criteria() -> None:
    ranking = factories.project(kind="ranking", criteria=TWO)
    gold = [
        {"criterion": "honesty", "ranks": [1, 3, 3], "reason": "The first is true."},
        {"criterion": "helpfulness", "ranks": [3, 2, 1]},
    ]
    report = bring(ranking, row(1, responses=THREE, gold=gold), row(2, responses=FOUR))
    assert (report.applied, report.added["gold"], report.added["items"]) == (True, 1, 2)
    assert stored() == [
        ("q1", "helpfulness", "", [3, 2, 1], None, ""),
        ("q1", "honesty", "", [1, 2, 2], None, "The first is true."),  # dense
    ]
    GoldAnswer.objects.all().delete()
    rating = factories.project(kind="rating", criteria=TWO, rating_points=7)
    ratings = {"helpfulness": [7, 1, 4], "honesty": [2, 2, 2]}
    assert bring(rating, row(1, responses=THREE, gold={"ratings": ratings, "reason": "So."})).applied
    assert stored() == [
        ("q1", "helpfulness", "", None, [7, 1, 4], "So."),
        ("q1", "honesty", "", None, [2, 2, 2], "So."),
    ]
    assert set(GoldAnswer.objects.values_list("source", flat=True)) == {"imported"}
    assert Item.objects.get(project=rating).slots_left == slots.GOLD_SLOTS


def test_gold_that_names_no_criterion_is_about_the_main_one() -> None:
    project = factories.project(criteria=TWO)
    assert bring(project, row(1, gold={"choice": "b"})).applied
    assert [each[1:3] for each in stored()] == [("helpfulness", "b")]


@pytest.mark.parametrize(
    ("kind", "gold", "words"),
    [
        ("rating", {"ratings": {"helpfulness": [8, 1]}}, "a number from 1 to 5"),
        ("rating", {"ratings": {"helpfulness": [2.5, 1]}}, "whole numbers"),
        ("rating", {"ratings": {"wit": [1, 1]}}, "no criterion “wit”"),
        ("ranking", {"ranks": [1, 1]}, "without ties"),
        ("pairwise", {"choice": "tie"}, "is not a choice"),
        ("pairwise", {"choice": "a", "criterion": "honesty"}, "main criterion, helpfulness"),
        ("pairwise", {"ranks": [1, 2]}, "answered by choice"),
        ("rating", [{"ratings": {"honesty": [1, 1]}}, {"ratings": {"honesty": [1, 2]}}], "again"),
    ],
)
def test_gold_that_nobody_could_give_is_an_error_of_its_row(kind: str, gold: Any, words: str) -> None:
    project = factories.project(kind=kind, criteria=TWO, ties=False)
    before = everything()
    report = bring(project, row(1), row(2, gold=gold), row(3))
    assert not report.applied
    assert [error.line for error in report.errors] == [2]
    assert words in report.errors[0].message
    assert everything() == before


KNOWN = {
    "ranking": [{"ranks": [1, 2, 3]}, {"ranks": [1, 3, 2]}],
    "rating": [
        {"ratings": {"helpfulness": [1, 2, 3], "honesty": [1, 1, 1]}},
        {"ratings": {"helpfulness": [1, 2, 3]}},
    ],
}


@pytest.mark.parametrize("kind", ["ranking", "rating"])
@pytest.mark.parametrize("at_once", [False, True], ids=["two files", "one file"])
def test_the_same_gold_again_adds_nothing_and_another_is_named(kind: str, at_once: bool) -> None:
    project = factories.project(kind=kind, criteria=TWO)
    first, other = KNOWN[kind]
    known, contrary = row(1, responses=THREE, gold=first), row(1, responses=THREE, gold=other)
    if at_once:
        report = bring(project, known, known, contrary, row(1, responses=THREE), skip_bad=True)
    else:
        assert bring(project, known).applied
        report = bring(project, row(7), known, contrary, row(1, responses=THREE), skip_bad=True)
    assert [(error.line, error.message) for error in report.errors] == [
        (3, "this item already has another gold answer: gold is never overwritten"),
        (4, "this item already stands with a gold answer: give the one without its own id"),
    ]
    assert report.added["gold"] == (1 if at_once else 0)
    criteria = {"ranking": 1, "rating": 2}[kind]
    assert GoldAnswer.objects.filter(item__project=project).count() == criteria
    again = bring(project, known)
    assert again.applied
    assert not any(again.added.values())
