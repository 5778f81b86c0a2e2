"""Answers: each stored exactly once, never overwritten, never lost."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from annotation.models.work import Answer, Assignment, Judgment
from annotation.services import assigning, judging, slots
from tests import factories
from tests.annotation.crowds import at_once
from tests.annotation.working import held, send


@pytest.mark.django_db
def test_an_answer_is_stored_with_all_that_belongs_to_it() -> None:
    mine = held()
    guideline = factories.guideline(mine.item.project)
    stored = send(
        mine, "both_bad", reasons=["unsafe", "unsafe"], comment=" A \x00note.\n", seconds=0.0
    ).judgment
    stored.refresh_from_db()
    assert (stored.item, stored.annotator, stored.assignment) == (mine.item, mine.annotator, mine)
    assert stored.display_order == mine.display_order
    assert (stored.source, stored.live, stored.supersedes, stored.guideline) == (
        "browser",
        True,
        None,
        guideline,
    )
    assert (stored.reasons, stored.comment, stored.seconds) == (["unsafe"], "A note.", 0.0)
    assert list(stored.answers.values_list("criterion", "choice")) == [("overall", "both_bad")]
    mine.refresh_from_db()
    assert mine.state == "done"
    assert mine.finished_at is not None


# --- again, and differently ------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_one_submission_200_times_at_once_is_one_judgment() -> None:
    mine = held()
    found = at_once(lambda _: send(mine), range(200))
    assert len({submission.judgment.pk for submission in found}) == 1
    assert sum(submission.created for submission in found) == 1
    assert (Judgment.objects.count(), Answer.objects.count()) == (1, 1)
    assert slots.wrong_slots(mine.item.project) == []


@pytest.mark.django_db(transaction=True)
def test_control_without_the_key_and_the_lock_there_are_many() -> None:
    """The same crowd, each looking first and then writing: the guards above are what keeps it at one."""
    mine = held()

    def write(number: int) -> bool:
        if Judgment.objects.filter(assignment=mine).exists():
            return False
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.02)")
        try:
            Judgment.objects.create(
                item=mine.item, annotator=mine.annotator, assignment=mine, idempotency_key=f"k{number}",
                body_hash="", source="browser", judged_at=timezone.now(),
            )  # fmt: skip
        except IntegrityError:  # the database's own last guard
            return True
        return True

    assert sum(at_once(write, range(32))) > 1


@pytest.mark.django_db(transaction=True)
def test_two_answers_at_once_from_two_tabs_are_one_answer_and_one_conflict() -> None:
    mine = held()

    def answer(choice: str) -> str:
        try:
            return f"stored {send(mine, choice, key=f'tab-{choice}').judgment.pk}"
        except judging.Conflict as conflict:
            return f"refused {conflict.stored.pk}"

    found = at_once(answer, ["a", "b"])
    (stored,) = Judgment.objects.all()
    assert sorted(found) == [f"refused {stored.pk}", f"stored {stored.pk}"]


@pytest.mark.django_db
def test_the_same_key_with_another_body_is_a_conflict_that_shows_what_stands() -> None:
    mine = held()
    first = send(mine, "a").judgment
    for change in ({"choice": "b"}, {"comment": "more"}, {"reasons": ["unsafe"]}):
        with pytest.raises(judging.Conflict) as refused:
            send(mine, **{"choice": "a", **change})
        assert refused.value.stored == first
    assert list(Judgment.objects.all()) == [first]
    assert first.answers.get().choice == "a"


@pytest.mark.django_db
def test_the_same_answer_under_another_key_is_the_stored_one() -> None:
    mine = held()
    first = send(mine, key="k1")
    again = send(mine, key="k2")
    assert (again.judgment, again.created) == (first.judgment, False)


@pytest.mark.django_db
def test_another_answer_under_another_key_is_a_conflict() -> None:
    mine = held()
    first = send(mine, "a", key="k1").judgment
    with pytest.raises(judging.Conflict, match="another tab") as refused:
        send(mine, "b", key="k2")
    assert refused.value.stored == first


@pytest.mark.django_db
def test_a_key_of_somebody_else_is_a_conflict() -> None:
    mine, other = held(), held()
    first = send(mine, key="shared").judgment
    with pytest.raises(judging.Conflict) as refused:
        send(other, key="shared")
    assert refused.value.stored == first
    other.refresh_from_db()
    assert other.state == "open"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_key_that_two_people_send_at_once_is_stored_once() -> None:
    people = [held() for _ in range(16)]

    def answer(assignment: Assignment) -> bool:
        try:
            return send(assignment, key="shared").created
        except judging.Conflict:
            return False

    assert sum(at_once(answer, people)) == 1
    assert Judgment.objects.count() == 1
    assert Assignment.objects.filter(state="done").count() == 1


@pytest.mark.django_db
def test_nobody_answers_for_somebody_else() -> None:
    mine = held()
    with pytest.raises(Assignment.DoesNotExist):
        judging.submit(
            assignment_id=mine.pk,
            annotator=factories.user(),
            answers=judging.pairwise(mine.project, "a"),
            idempotency_key="k",
        )


@pytest.mark.django_db
def test_an_answer_to_a_skipped_item_counts_after_all() -> None:
    mine = held(overlap=1)
    assigning.skip(assignment_id=mine.pk, annotator=mine.annotator)
    assert send(mine).created
    mine.refresh_from_db()
    assert (mine.state, mine.surplus) == ("done", False)
    assert slots.wrong_slots(mine.item.project) == []


# --- append-only -----------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE annotation_judgment SET comment = 'changed'",
        "UPDATE annotation_judgment SET live = false, comment = 'changed'",
        "UPDATE annotation_judgment SET annotator_id = annotator_id + 1",
        "UPDATE annotation_judgment SET judged_at = now() + interval '1 day'",
        "DELETE FROM annotation_judgment",
        "UPDATE annotation_answer SET choice = 'b'",
        "DELETE FROM annotation_answer",
    ],
)
def test_the_database_refuses_to_change_or_delete(statement: str) -> None:
    stored = send(held()).judgment
    before = Judgment.objects.values().get()
    with pytest.raises(DatabaseError, match=r"append-only|never deleted"), transaction.atomic():
        connection.cursor().execute(statement)
    assert Judgment.objects.values().get() == before
    assert stored.answers.get().choice == "a"


@pytest.mark.django_db
def test_the_database_lets_an_answer_be_retracted_and_never_come_back() -> None:
    stored = send(held()).judgment
    Judgment.objects.filter(pk=stored.pk).update(live=False)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Judgment.objects.filter(pk=stored.pk).update(live=True)


# --- what is not acceptable ------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"choice": "c"}, "not a choice"),
        ({"choice": ""}, "not a choice"),
        ({"choice": "A" * 5000}, "not a choice"),
        ({"reasons": ["unsafe", "made up"]}, "“made up” is not one of this project's reasons"),
        ({"comment": "x" * 5_001}, "shorten it to 5000"),
        ({"key": ""}, "1 to 100"),
        ({"key": "x" * 101}, "1 to 100"),
        ({"key": "nul\x00"}, "printable"),
        ({"answers": []}, "No answer yet for overall"),
        ({"spans": [{"response": 2, "start": 0, "end": 1, "quote": "x"}]}, "names response 3 of 2"),
    ],
)
def test_an_unacceptable_answer_stores_nothing(change: dict[str, object], words: str) -> None:
    mine = held()
    fields = {"choice": "a", "key": "k1", **change}
    answers = fields.pop("answers", None)
    choice, key = fields.pop("choice"), fields.pop("key")
    with pytest.raises(judging.InvalidAnswer, match=words):
        judging.submit(
            assignment_id=mine.pk,
            annotator=mine.annotator,
            answers=judging.pairwise(mine.project, choice) if answers is None else answers,
            idempotency_key=key,
            **fields,
        )
    assert not Judgment.objects.exists()
    assert Assignment.objects.get().state == "open"


@pytest.mark.django_db
def test_halves_of_characters_in_a_comment_do_no_harm() -> None:
    assert send(held(), comment="fine \ud83d").judgment.comment == "fine ?"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("claimed", "stored"),
    [(None, None), (12.5, 12.5), (-3.0, 0.0), (1e9, 60.0), (float("inf"), 60.0), (float("nan"), 0.0)],
)
def test_no_more_seconds_than_passed_on_the_servers_clock(
    claimed: float | None, stored: float | None
) -> None:
    mine = held()
    Assignment.objects.update(created_at=timezone.now() - timedelta(seconds=60))
    assert send(mine, seconds=claimed).judgment.seconds == (
        stored if stored is None else pytest.approx(stored, abs=5.0 if stored == 60 else 1e-9)
    )
