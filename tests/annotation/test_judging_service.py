"""Answers: each stored exactly once, never overwritten, never lost."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from annotation.models.work import Answer, Assignment, Judgment
from annotation.services import assigning, judging, slots
from tests import factories
from tests.annotation.crowds import at_once


def held(overlap: int = 3) -> Assignment:
    project = factories.project(overlap=overlap, reasons=["factual error", "unsafe"])
    factories.pair_item(project)
    claimed = assigning.claim(project=project, annotator=factories.user())
    assert claimed is not None
    return claimed


def send(assignment: Assignment, choice: str = "a", key: str = "k1", **fields: object) -> judging.Submission:
    return judging.submit(
        assignment_id=assignment.pk,
        annotator=assignment.annotator,
        choice=choice,
        idempotency_key=key,
        **fields,
    )


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
            assignment_id=mine.pk, annotator=factories.user(), choice="a", idempotency_key="k"
        )  # fmt: skip


@pytest.mark.django_db
def test_an_answer_to_a_skipped_item_counts_after_all() -> None:
    mine = held(overlap=1)
    assigning.skip(assignment_id=mine.pk, annotator=mine.annotator)
    assert send(mine).created
    mine.refresh_from_db()
    assert (mine.state, mine.surplus) == ("done", False)
    assert slots.wrong_slots(mine.item.project) == []


# --- undo ------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_undone_answer_is_superseded_by_the_next() -> None:
    mine = held()
    first = send(mine, "a", key="k1").judgment
    back = judging.undo_last(project=mine.item.project, annotator=mine.annotator)
    assert back is not None
    assert (back.pk, back.state, back.display_order) == (mine.pk, "open", mine.display_order)
    assert judging.retracted_answer(back) == first
    second = send(mine, "b", key="k2").judgment
    judging.undo_last(project=mine.item.project, annotator=mine.annotator)
    third = send(mine, "a", key="k3").judgment
    assert [(each.live, each.supersedes) for each in Judgment.objects.order_by("pk")] == [
        (False, None), (False, first), (True, second)
    ]  # fmt: skip
    assert third.live
    assert slots.wrong_slots(mine.item.project) == []


@pytest.mark.django_db
def test_undo_returns_to_the_open_item_afterwards() -> None:
    mine = held()
    project, person = mine.item.project, mine.annotator
    factories.pair_item(project)
    send(mine)
    waiting = assigning.claim(project=project, annotator=person)
    assert waiting is not None
    back = judging.undo_last(project=project, annotator=person)
    assert back == mine
    assert assigning.claim(project=project, annotator=person) == mine
    send(mine, "b", key="k2")
    assert assigning.claim(project=project, annotator=person) == waiting
    assert slots.wrong_slots(project) == []


@pytest.mark.django_db
def test_a_retry_that_arrives_after_the_undo_does_not_bring_the_answer_back() -> None:
    mine = held()
    first = send(mine, key="k1").judgment
    judging.undo_last(project=mine.item.project, annotator=mine.annotator)
    again = send(mine, key="k1")
    assert (again.judgment, again.created, again.judgment.live) == (first, False, False)
    assert Assignment.objects.get().state == "open"


@pytest.mark.django_db
def test_there_is_nothing_to_undo_without_an_answer_or_in_a_closed_project() -> None:
    mine = held()
    project = mine.item.project
    assert judging.undo_last(project=project, annotator=mine.annotator) is None
    send(mine)
    assert judging.undo_last(project=project, annotator=factories.user()) is None
    project.state = "closed"
    project.save()
    assert judging.undo_last(project=project, annotator=mine.annotator) is None
    assert Judgment.objects.get().live


@pytest.mark.django_db(transaction=True)
def test_undo_pressed_many_times_at_once_goes_back_one_answer_at_a_time() -> None:
    mine = held()
    project, person = mine.item.project, mine.annotator
    send(mine)
    at_once(lambda _: judging.undo_last(project=project, annotator=person), range(8))
    assert [judgment.live for judgment in Judgment.objects.all()] == [False]
    assert slots.wrong_slots(project) == []


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
    ],
)
def test_an_unacceptable_answer_stores_nothing(change: dict[str, object], words: str) -> None:
    mine = held()
    with pytest.raises(judging.InvalidAnswer, match=words):
        send(mine, **change)
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


@pytest.mark.django_db
def test_queries_of_a_submission(django_assert_num_queries: object) -> None:
    mine = held()
    assert mine.annotator.pk  # loaded, as the signed-in user is
    with django_assert_num_queries(9):  # 2 of a savepoint, which is the transaction outside tests
        send(mine)
    with django_assert_num_queries(5):
        send(mine)
