"""Import: what a file says is what the project holds, however often it is said."""

import random
from typing import Any

import pytest

from accounts.models import User
from annotation.models.content import Response
from annotation.models.quality import GoldAnswer
from annotation.models.work import Answer, Item, Judgment
from annotation.services import assigning, import_staging, items, slots
from tests import factories
from tests.annotation.import_rows import bring, everything, row

pytestmark = pytest.mark.django_db


# --- what comes in ---------------------------------------------------------------------------------


def test_every_field_of_the_format_arrives() -> None:
    project = factories.project(
        criteria=[{"name": "overall", "description": ""}, {"name": "clear", "description": ""}]
    )
    report = bring(
        project,
        {
            "id": "q17",
            "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
            "responses": [
                {"id": "r1", "text": "Because.", "model": "small", "metadata": {"quality": 2}},
                {"text": "No idea."},
            ],
            "kind": "pairwise",
            "metadata": {"category": "advice"},
            "votes": [
                {"annotator": "w12", "choice": "b", "strength": 2, "criterion": "overall", "reason": "kind",
                 "seconds": 12.3, "at": "2016-01-31T16:59:52Z"},
                {"annotator": "w12", "choice": "tie", "criterion": "clear"},
                {"annotator": "w13", "choice": "both_bad"},
            ],
        },
    )  # fmt: skip
    assert report.applied
    assert (report.rows, report.errors_total) == (1, 0)
    assert report.added == {
        "prompts": 1, "responses": 2, "items": 1, "gold": 0, "annotators": 2, "votes": 2
    }  # fmt: skip
    item = Item.objects.get(project=project)
    assert (item.external_id, item.origin, item.metadata) == ("q17", "imported", {"category": "advice"})
    assert item.prompt.messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Why?"},
    ]
    first, second = (place.response for place in item.item_responses.order_by("position"))
    assert (first.external_id, first.text, first.model, first.metadata) == (
        "r1", "Because.", "small", {"quality": 2}
    )  # fmt: skip
    assert (second.external_id, second.text, second.model) == ("", "No idea.", "")
    judgment = Judgment.objects.get(annotator__display_name="w12")
    assert (judgment.source, judgment.comment, judgment.seconds) == ("imported", "kind", 12.3)
    assert judgment.judged_at.isoformat() == "2016-01-31T16:59:52+00:00"
    assert judgment.assignment is None
    assert set(judgment.answers.values_list("criterion", "choice", "strength")) == {
        ("overall", "b", 2),
        ("clear", "tie", None),
    }
    assert Answer.objects.get(judgment__annotator__display_name="w13").choice == "both_bad"


def test_a_gold_line_is_shown_to_everybody_and_keeps_its_reason() -> None:
    project = factories.project()
    bring(project, row(1, gold={"choice": "b", "reason": "The first is false."}))
    gold = GoldAnswer.objects.get()
    assert (gold.choice, gold.reason, gold.item.origin) == ("b", "The first is false.", "gold")
    assert gold.item.slots_left == slots.GOLD_SLOTS
    assert slots.wrong_slots(project) == []


def test_annotators_cannot_sign_in() -> None:
    project = factories.project(slug="debates")
    bring(project, row(1, ("w1", "a")), row(2, ("w1", "b")))
    (user,) = User.objects.filter(origin=User.Origin.IMPORTED)
    assert (user.username, user.display_name) == ("debates/w1", "w1")
    assert not user.is_active
    assert not user.has_usable_password()
    assert not user.check_password("!")


def test_the_same_name_in_two_projects_is_two_people() -> None:
    bring(factories.project(), row(1, ("w1", "a")))
    bring(factories.project(), row(1, ("w1", "b")))
    assert User.objects.filter(display_name="w1").count() == 2


@pytest.mark.parametrize("length", [150, 200])
def test_long_names_of_annotators_stay_different(length: int) -> None:
    project = factories.project(slug="p" * 80)
    report = bring(project, row(1, ("n" * length, "a"), ("n" * (length - 1) + "m", "b")))
    assert report.applied
    assert report.added["annotators"] == 2
    assert max(len(user.username) for user in User.objects.all()) <= 150


def test_a_name_of_500_characters_is_an_error_of_its_line() -> None:
    project = factories.project()
    report = bring(project, row(1, ("fine", "a")), row(2, ("n" * 500, "a")))
    assert not report.applied
    assert [(error.line, "500" in error.message) for error in report.errors] == [(2, True)]


def test_votes_take_slots_and_never_more_than_there_are() -> None:
    project = factories.project(overlap=3)
    bring(project, row(1), row(2, ("w1", "a")), row(3, *((f"w{n}", "a") for n in range(5))))
    free = dict(Item.objects.values_list("external_id", "slots_left"))
    assert free == {"q1": 3, "q2": 2, "q3": 0}
    assert slots.wrong_slots(project) == []


def test_a_slot_given_back_does_not_open_an_item_that_votes_have_filled() -> None:
    project = factories.project(overlap=2)
    bring(project, row(1))
    held = assigning.claim(project=project, annotator=(person := factories.user()))
    bring(project, row(1, ("w1", "a"), ("w2", "a")))
    assert held is not None
    assigning.skip(assignment_id=held.pk, annotator=person)
    assert Item.objects.get().slots_left == 0
    assert slots.wrong_slots(project) == []


@pytest.mark.parametrize(("count", "pairs"), [(2, 1), (3, 3), (8, 28), (9, 0)])
def test_up_to_eight_responses_become_all_their_pairs(count: int, pairs: int) -> None:
    project = factories.project()
    responses = [{"id": f"r{n}", "text": f"Answer {n}"} for n in range(count)]
    report = bring(project, row(1, responses=responses))
    assert report.applied
    assert (report.added["responses"], report.added["items"]) == (count, pairs)
    assert report.candidates_only == (pairs == 0)
    sets = {frozenset(item.responses.values_list("external_id", flat=True)) for item in Item.objects.all()}
    assert len(sets) == pairs
    assert all(len(pair) == 2 for pair in sets)
    again = bring(project, row(1, responses=responses))
    assert not any(again.added.values())


def test_two_responses_with_one_text_and_two_ids_stay_two() -> None:
    project = factories.project()
    report = bring(project, row(1, responses=[{"id": "x", "text": "Same."}, {"id": "y", "text": "Same."}]))
    assert report.added["responses"] == 2


def test_rankings_and_ratings_arrive_in_projects_of_their_kind() -> None:
    ranking = factories.project(kind="ranking")
    three = [{"text": text} for text in "xyz"]
    assert bring(
        ranking, row(1, responses=three) | {"votes": [{"annotator": "w", "ranks": [1, 2, 2]}]}
    ).applied
    rating = factories.project(kind="rating")
    vote = {"annotator": "w", "ratings": {"overall": [4, 5, 1]}}
    assert bring(rating, row(1, responses=three) | {"votes": [vote]}).applied
    assert Answer.objects.get(judgment__item__project=ranking).ranks == [1, 2, 2]
    assert Answer.objects.get(judgment__item__project=rating).ratings == [4, 5, 1]


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("pairwise", {"kind": "ranking"}, "ranking item does not fit a pairwise project"),
        (
            "pairwise",
            {"votes": [{"annotator": "w", "choice": "a", "criterion": "wit"}]},
            "no criterion “wit”",
        ),
        ("pairwise", {"responses": [{"text": t} for t in "abc"], "gold": {"ranks": [1, 2, 3]}}, "choice"),
        ("rating", {"votes": [{"annotator": "w", "ratings": {"overall": [1.5, 2]}}]}, "whole numbers"),
        ("rating", {"votes": [{"annotator": "w", "ratings": {"overall": [1, 1e300]}}]}, "whole numbers"),
        ("rating", {"votes": [{"annotator": "w", "ratings": {"overall": [-1, 2]}}]}, "whole numbers"),
        ("ranking", {"responses": [{"text": str(n)} for n in range(9)]}, "split it"),
    ],
)
def test_what_does_not_fit_the_project_is_named(kind: str, change: dict[str, Any], words: str) -> None:
    project = factories.project(kind=kind)
    report = bring(project, row(1), row(2) | change)
    assert not report.applied
    assert [error.line for error in report.errors] == [2]
    assert words in report.errors[0].message
    assert not Item.objects.filter(project=project).exists()


# --- again -----------------------------------------------------------------------------------------


def test_a_file_imported_twice_adds_nothing() -> None:
    project = factories.project()
    file = (
        row(1, ("w1", "a"), ("w2", "tie")),
        row(2, gold={"choice": "a", "reason": "Because."}),
        row(3, ("w1", "b"), id=None, responses=[{"text": "one"}, {"text": "two"}]),
    )
    assert bring(project, *file).applied
    before = everything()
    report = bring(project, *file)
    assert report.applied
    assert not any(report.added.values())
    assert everything() | {"accounts_auditentry": before["accounts_auditentry"]} == before


def test_a_file_may_say_the_same_twice() -> None:
    project = factories.project()
    report = bring(project, row(1, ("w1", "a")), row(1, ("w1", "a")), row(1, ("w2", "b")))
    assert report.applied
    assert (report.added["items"], report.added["votes"]) == (1, 2)
    assert Item.objects.get().slots_left == 1


def test_new_votes_on_a_known_item_are_added() -> None:
    project = factories.project(overlap=3)
    bring(project, row(1, ("w1", "a")))
    report = bring(project, row(1, ("w1", "a"), ("w2", "b")))
    assert (report.added["items"], report.added["votes"], report.added["annotators"]) == (0, 1, 1)
    assert Item.objects.get().slots_left == 1
    assert slots.wrong_slots(project) == []


def test_rows_in_another_order_are_the_same_rows() -> None:
    project = factories.project()
    file = [row(n, ("w1", "a"), ("w2", "b")) for n in range(20)]
    bring(project, *file)
    random.Random(3).shuffle(file)
    assert not any(bring(project, *file).added.values())


def test_prompts_forgotten_while_reading_are_still_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_staging, "MOST_REMEMBERED", 2)
    monkeypatch.setattr("annotation.services.importing.CHUNK_LINES", 3)
    project = factories.project()
    file = [row(n % 4, (f"w{n}", "a")) for n in range(40)]
    report = bring(project, *file)
    assert (report.added["prompts"], report.added["responses"], report.added["votes"]) == (4, 8, 40)


# --- beside the selection --------------------------------------------------------------------------


def test_a_pair_the_selection_queued_is_named_when_a_file_brings_it() -> None:
    project = factories.project()
    many = [{"id": f"r{n}", "text": f"Answer {n}"} for n in range(9)]
    bring(project, row(1, responses=many))
    first, second = Response.objects.filter(external_id__in=("r0", "r1")).order_by("external_id")
    items.queue_pairs(project=project, pairs=[(first.pk, second.pk)], priority=1, origins=["selected"])
    report = bring(project, row(1, id="mine", responses=many[:2]))
    assert not report.applied
    assert "already an item without an id" in report.errors[0].message
