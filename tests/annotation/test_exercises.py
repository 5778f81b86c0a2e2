"""Preparing exercises: which items, in which order, when they may open, what stays as it is."""

import pytest

from accounts.models import AuditEntry
from annotation import learning_selectors
from annotation.answering.answer import Answer
from annotation.models.learning import Exercise
from annotation.services import exercises
from annotation.services.exercises import Refused
from tests import factories
from tests.annotation import practising
from tests.cast import Cast, make_cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def draft(cast: Cast, kind: str = "qualification") -> Exercise:
    return exercises.create(project=cast.project, kind=kind, name="Test", actor=cast.manager)


def order(exercise: Exercise) -> list[int]:
    return list(exercise.exercise_items.order_by("position").values_list("item_id", flat=True))


def test_items_are_added_moved_and_removed(cast) -> None:
    test = draft(cast)
    a, b, c = (factories.gold_item(cast.project).pk for _ in range(3))
    assert exercises.add_items(exercise=test, item_ids=[c, a, c, b], actor=cast.manager) == 3
    exercises.move_item(exercise=test, item_id=b, by=-1, actor=cast.manager)
    assert order(test) == [c, b, a]
    exercises.move_item(exercise=test, item_id=c, by=-1, actor=cast.manager)
    exercises.move_item(exercise=test, item_id=c, by=1, actor=cast.manager)
    assert order(test) == [b, c, a]
    exercises.remove_item(exercise=test, item_id=c, actor=cast.manager)
    assert order(test) == [b, a]
    assert exercises.add_items(exercise=test, item_ids=[c], actor=cast.manager) == 1
    assert order(test) == [b, a, c]


def test_only_gold_of_this_project_goes_into_a_test_and_anything_of_it_into_a_session(cast) -> None:
    work, gold = factories.pair_item(cast.project), factories.gold_item(cast.project)
    foreign = factories.gold_item(cast.other_project)
    every = [work.pk, gold.pk, foreign.pk]
    test, session = draft(cast), draft(cast, "session")
    assert exercises.add_items(exercise=test, item_ids=every, actor=cast.manager) == 1
    assert exercises.add_items(exercise=session, item_ids=every, actor=cast.manager) == 2
    assert order(test) == [gold.pk]


def test_drawing_takes_at_most_what_is_there_and_nothing_twice(cast) -> None:
    gold = {factories.gold_item(cast.project).pk for _ in range(4)}
    test = draft(cast)
    assert exercises.draw_items(exercise=test, count=3, actor=cast.manager) == 3
    assert exercises.draw_items(exercise=test, count=3, actor=cast.manager) == 1
    assert set(order(test)) == gold


def test_items_stay_as_they_are_once_somebody_has_begun(cast) -> None:
    test = practising.exercise(cast.project)
    before = order(test)
    spare = factories.gold_item(cast.project)
    practising.start(test, cast.annotator)
    changes = [
        lambda: exercises.add_items(exercise=test, item_ids=[spare.pk], actor=cast.manager),
        lambda: exercises.draw_items(exercise=test, count=1, actor=cast.manager),
        lambda: exercises.remove_item(exercise=test, item_id=before[0], actor=cast.manager),
        lambda: exercises.move_item(exercise=test, item_id=before[0], by=1, actor=cast.manager),
    ]
    for change in changes:
        with pytest.raises(Refused, match="begun"):
            change()
    assert order(test) == before


def test_a_test_opens_only_with_an_experts_answer_under_every_criterion(cast) -> None:
    cast.project.criteria = [{"name": "honest"}, {"name": "kind"}]
    cast.project.save()
    whole = practising.item_with(
        cast.project, 2, {"honest": Answer("honest", "a"), "kind": Answer("kind", "b")}
    )
    half = practising.item_with(cast.project, 2, {"honest": Answer("honest", "a")})
    test = practising.exercise(cast.project, [whole, half], state="draft")
    with pytest.raises(Refused, match=f"#{half.pk}"):
        exercises.open_exercise(exercise=test, actor=cast.manager)
    test.refresh_from_db()
    assert test.state == "draft"
    exercises.remove_item(exercise=test, item_id=half.pk, actor=cast.manager)
    exercises.open_exercise(exercise=test, actor=cast.manager)
    with pytest.raises(Refused):  # open, and nobody has begun: it may grow, but not become unfit
        exercises.add_items(exercise=test, item_ids=[half.pk], actor=cast.manager)
    assert order(test) == [whole.pk]


def test_a_round_needs_one_experts_answer_and_a_session_none(cast) -> None:
    work = factories.pair_item(cast.project)
    session = practising.exercise(cast.project, [work], kind="session", state="draft")
    assert exercises.open_exercise(exercise=session, actor=cast.manager).state == "open"
    calibration = practising.exercise(cast.project, [work], kind="calibration", state="draft")
    with pytest.raises(Refused):
        exercises.open_exercise(exercise=calibration, actor=cast.manager)


def test_nothing_empty_opens(cast) -> None:
    with pytest.raises(Refused):
        exercises.open_exercise(exercise=draft(cast, "session"), actor=cast.manager)


def test_one_test_is_open_at_a_time(cast) -> None:
    first = practising.exercise(cast.project)
    second = practising.exercise(cast.project, state="draft")
    with pytest.raises(Refused, match="Another"):
        exercises.open_exercise(exercise=second, actor=cast.manager)
    exercises.close_exercise(exercise=first, actor=cast.manager)
    exercises.open_exercise(exercise=second, actor=cast.manager)


def test_a_changed_pass_mark_leaves_finished_attempts_alone(cast) -> None:
    test = practising.exercise(cast.project, pass_mark=0.5)
    attempt = practising.take(test, cast.annotator, right=2)
    exercises.edit(exercise=test, actor=cast.manager, pass_mark=1.0, name="Harder")
    attempt.refresh_from_db()
    assert attempt.passed
    logged = AuditEntry.objects.get(action="exercise changed")
    assert logged.detail["after"] == {"name": "Harder", "pass_mark": 1.0}


def test_search_finds_words_numbers_and_given_ids(cast) -> None:
    test = draft(cast, "session")
    tides = factories.pair_item(cast.project, on=factories.prompt(cast.project, "Why do tides turn?"))
    named = factories.pair_item(cast.project, external_id="batch-7")
    factories.pair_item(cast.other_project, on=factories.prompt(cast.other_project, "Tides elsewhere"))

    def found(words: str) -> list[int]:
        return [item.pk for item in learning_selectors.search_items(test, words, limit=5)]

    assert found("TIDES") == [tides.pk]
    assert found("Batch-7") == [named.pk]
    assert tides.pk in found(str(tides.pk))
    assert found("") == [named.pk, tides.pk]


def test_a_gap_is_kept_with_item_and_version(cast) -> None:
    factories.guideline(cast.project)
    item = factories.pair_item(cast.project)
    session = practising.exercise(cast.project, [item], kind="session")
    exercises.note_gap(exercise=session, item_id=item.pk, note=" Jokes? ", actor=cast.manager)
    kept = AuditEntry.objects.get(action="guideline gap")
    assert (kept.detail["item"], kept.detail["version"], kept.detail["note"]) == (item.pk, 1, "Jokes?")
    for item_id, note in ((item.pk, " "), (0, "Jokes?")):
        with pytest.raises(Refused):
            exercises.note_gap(exercise=session, item_id=item_id, note=note, actor=cast.manager)
