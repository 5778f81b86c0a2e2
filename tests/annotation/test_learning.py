"""Doing an exercise: attempts, answers, scores, the wait between attempts."""

import random
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from annotation import learning_selectors
from annotation.answering.answer import Answer, InvalidAnswer
from annotation.learning_selectors import Stage, answers_of, standing_of
from annotation.models.learning import Attempt, Exercise, PracticeAnswer
from annotation.models.project import Project
from annotation.services import exercises, learning
from tests import factories
from tests.annotation import practising

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return factories.project(qualification_required=True)


@pytest.fixture
def annotator() -> User:
    return factories.user("ada")


def test_an_attempt_draws_every_item_once_in_the_order_of_the_exercise(project, annotator) -> None:
    test = practising.exercise(project)
    attempt = practising.start(test, annotator)
    rows = answers_of(attempt)
    assert [row.item_id for row in rows] == [row.item_id for row in test.exercise_items.all()]
    assert all(sorted(row.display_order) == [0, 1] and row.answers is None for row in rows)


def test_display_orders_are_drawn_per_person_and_item(project) -> None:
    test = practising.exercise(project, [factories.gold_item(project) for _ in range(20)])
    orders = [
        [row.display_order for row in answers_of(practising.start(test, factories.user(), seed))]
        for seed in range(2)
    ]
    assert [0, 1] in orders[0]
    assert [1, 0] in orders[0]
    assert orders[0] != orders[1]


def test_starting_again_resumes(project, annotator) -> None:
    test = practising.exercise(project)
    first = practising.start(test, annotator)
    practising.do(answers_of(first)[0], Answer("overall", "a"))
    again = learning.start(exercise=test, annotator=annotator, rng=random.Random(9))
    assert again == first
    now = standing_of(test, annotator)
    assert (now.stage, now.answered, now.total) == (Stage.IN_PROGRESS, 1, 3)
    assert Attempt.objects.count() == 1


@pytest.mark.parametrize(("right", "passed"), [(3, True), (2, False)])
def test_the_score_is_the_mean_credit_and_the_mark_decides(project, annotator, right, passed) -> None:
    test = practising.exercise(project, pass_mark=0.7)
    attempt = practising.take(test, annotator, right=right)
    assert attempt.score == pytest.approx(right / 3)
    assert attempt.passed is passed
    assert attempt.finished_at is not None
    assert standing_of(test, annotator).stage == (Stage.PASSED if passed else Stage.FAILED)


def test_exactly_the_pass_mark_passes(project, annotator) -> None:
    test = practising.exercise(project, [factories.gold_item(project) for _ in range(10)], pass_mark=0.8)
    assert practising.take(test, annotator, right=8).passed


def test_an_answer_is_stored_in_canonical_terms(project, annotator) -> None:
    attempt = practising.start(practising.exercise(project), annotator)
    row = attempt.answers.first()
    assert row is not None
    PracticeAnswer.objects.filter(pk=row.pk).update(display_order=[1, 0])
    learning.answer(attempt=attempt, item_id=row.item_id, answers=[Answer("overall", "a")])
    row.refresh_from_db()
    assert row.answers == [{"criterion": "overall", "choice": "b"}]
    assert row.credit == 0.0


def test_the_first_answer_to_an_item_stands(project, annotator) -> None:
    attempt = practising.start(practising.exercise(project), annotator)
    row = answers_of(attempt)[0]
    assert practising.do(row, Answer("overall", "a")).created
    again = practising.do(row, Answer("overall", "b"))
    assert not again.created
    row.refresh_from_db()
    assert row.answers == [{"criterion": "overall", "choice": "a"}]


def test_bad_answers_are_refused(project, annotator) -> None:
    attempt = practising.start(practising.exercise(project), annotator)
    row = answers_of(attempt)[0]
    with pytest.raises(InvalidAnswer):
        practising.do(row)
    with pytest.raises(InvalidAnswer):
        learning.answer(attempt=attempt, item_id=row.item_id, answers=[Answer("overall", ranks=(1, 2, 3))])
    other = practising.start(practising.exercise(project, state="open", kind="calibration"), annotator)
    with pytest.raises(PracticeAnswer.DoesNotExist):
        learning.answer(
            attempt=attempt, item_id=answers_of(other)[0].item_id, answers=[Answer("overall", "a")]
        )


@pytest.mark.parametrize(
    ("kind", "expert", "given", "credit"),
    [
        ("ranking", {"ranks": (1, 2, 3)}, {"ranks": (1, 3, 2)}, 2 / 3),
        ("rating", {"ratings": (5, 3, 1)}, {"ratings": (4, 3, 3)}, 2 / 3),
    ],
)
def test_ranking_and_rating_earn_partial_credit(annotator, kind, expert, given, credit) -> None:
    of = factories.project(kind=kind)
    item = practising.item_with(of, 3, {"overall": Answer("overall", **expert)})
    test = practising.exercise(of, [item], pass_mark=0.7)
    attempt = practising.start(test, annotator, seed=5)
    practising.do(answers_of(attempt)[0], Answer("overall", **given))
    attempt.refresh_from_db()
    assert attempt.score == pytest.approx(credit)
    assert attempt.passed is False


def test_criteria_are_weighed_alike_and_named_when_weak(annotator) -> None:
    of = factories.project(criteria=[{"name": "honest"}, {"name": "kind"}])
    gold = {"honest": Answer("honest", "a"), "kind": Answer("kind", "b")}
    test = practising.exercise(of, [practising.item_with(of, 2, gold) for _ in range(2)])
    attempt = practising.start(test, annotator)
    for row in answers_of(attempt):
        practising.do(row, Answer("honest", "a"), Answer("kind", "a"))
    attempt.refresh_from_db()
    assert attempt.score == pytest.approx(0.5)
    found = learning_selectors.criterion_scores(answers_of(attempt), of.criterion_names)
    assert [(one.criterion, one.score, one.items) for one in found] == [("honest", 1.0, 2), ("kind", 0.0, 2)]


# --- limits ---------------------------------------------------------------------------------------


def later(monkeypatch: pytest.MonkeyPatch, **by: float) -> None:
    now = timezone.now() + timedelta(**by)
    monkeypatch.setattr(timezone, "now", lambda: now)


def test_the_next_attempt_waits_for_the_cool_down(project, annotator, monkeypatch) -> None:
    test = practising.exercise(project, cooldown_hours=24)
    first = practising.take(test, annotator, right=0)
    assert standing_of(test, annotator).again_at == first.finished_at + timedelta(hours=24)
    with pytest.raises(learning.MayNotStart):
        practising.start(test, annotator)
    later(monkeypatch, hours=23, minutes=59)
    with pytest.raises(learning.MayNotStart):
        practising.start(test, annotator)
    later(monkeypatch, minutes=2)
    assert practising.start(test, annotator).number == 2


def test_attempts_run_out_and_none_is_no_limit(project, annotator) -> None:
    test = practising.exercise(project, attempts=2, cooldown_hours=0)
    practising.take(test, annotator, right=0)
    assert standing_of(test, annotator).attempts_left == 1
    practising.take(test, annotator, right=0)
    assert standing_of(test, annotator).stage == Stage.EXHAUSTED
    with pytest.raises(learning.MayNotStart):
        practising.start(test, annotator)
    Exercise.objects.filter(pk=test.pk).update(attempts=0)
    assert practising.start(test, annotator).number == 3


def test_who_has_passed_does_not_take_it_again(project, annotator) -> None:
    test = practising.exercise(project)
    practising.take(test, annotator, right=3)
    with pytest.raises(learning.MayNotStart):
        practising.start(test, annotator)


def test_a_round_may_be_repeated_and_a_session_not(project, annotator) -> None:
    calibration = practising.exercise(project, kind="calibration")
    assert practising.take(calibration, annotator, right=1).passed is None
    assert practising.start(calibration, annotator).number == 2
    session = practising.exercise(project, kind="session")
    practising.take(session, annotator, right=1)
    with pytest.raises(learning.MayNotStart):
        practising.start(session, annotator)


def test_nothing_begins_or_goes_on_when_it_is_closed(project, annotator) -> None:
    test = practising.exercise(project)
    attempt = practising.start(test, annotator)
    exercises.close_exercise(exercise=test, actor=annotator)
    with pytest.raises(learning.AttemptOver):
        practising.do(answers_of(attempt)[0], Answer("overall", "a"))
    with pytest.raises(learning.MayNotStart):
        learning.start(exercise=test, annotator=annotator)
    with pytest.raises(learning.MayNotStart):
        learning.start(exercise=test, annotator=factories.user())


@pytest.mark.django_db(transaction=True)
def test_two_tabs_start_one_attempt() -> None:
    of = factories.project()
    annotator = factories.user()
    test = practising.exercise(of)
    gate, made, wrong = threading.Barrier(4), [], []

    def tab() -> None:
        try:
            gate.wait(20)
            made.append(learning.start(exercise=test, annotator=annotator).pk)
        except Exception as error:
            wrong.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=tab) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert len(made) == 4
    assert len(set(made)) == 1
    assert Attempt.objects.count() == 1
