"""The pages of learning and training: what they tell, and to whom they do not tell it."""

import pytest
from django.test import Client

from annotation.answering.answer import Answer
from annotation.learning_selectors import answers_of
from annotation.models.learning import Attempt, Exercise, PracticeAnswer, Waiver
from annotation.services import exercises
from tests import factories
from tests.annotation import practising
from tests.cast import Cast, browser, make_cast

pytestmark = pytest.mark.django_db

SECRET = "The other one forgets the moon."


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def client(cast) -> Client:
    return browser(cast.annotator)


def gold(cast: Cast, count: int = 2) -> list:
    return [factories.gold_item(cast.project, reason=SECRET) for _ in range(count)]


def page(client: Client, path: str) -> str:
    answer = client.get(f"/p/harbour/{path}", follow=True)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def post(client: Client, exercise: Exercise, row: PracticeAnswer, choice: str = "a", attempt: int = 1):
    data = {"attempt": attempt, "item": row.item_id, "choice-0": choice, "seconds": "3"}
    return client.post(f"/p/harbour/learn/{exercise.pk}/", data)


# --- doing an exercise ----------------------------------------------------------------------------


def test_a_failed_test_tells_the_score_and_no_answer(cast, client) -> None:
    test = practising.exercise(cast.project, gold(cast), name="Entry")
    practising.take(test, cast.annotator, right=1)
    shown = page(client, f"learn/{test.pk}/")
    assert "You had 50 %; 80 % is needed." in shown
    assert "2 attempts are left." in shown
    assert "Open to you again" in shown
    assert client.get(f"/p/harbour/learn/{test.pk}/1/").url == f"/p/harbour/learn/{test.pk}/"
    assert SECRET not in shown


def test_not_even_the_last_attempt_tells_them(cast, client) -> None:
    test = practising.exercise(cast.project, gold(cast), attempts=1)
    practising.take(test, cast.annotator, right=0)
    assert "You have no attempts left." in page(client, f"learn/{test.pk}/")
    assert SECRET not in page(client, f"learn/{test.pk}/1/")


def test_who_has_passed_may_read_them(cast, client) -> None:
    test = practising.exercise(cast.project, gold(cast), pass_mark=0.5)
    practising.take(test, cast.annotator, right=1)
    assert f"/p/harbour/learn/{test.pk}/2/" in page(client, f"learn/{test.pk}/")
    assert SECRET in page(client, f"learn/{test.pk}/2/")


def test_a_round_tells_them_after_the_answer_and_not_before(cast, client) -> None:
    made = practising.exercise(cast.project, gold(cast), kind="calibration")
    client.post(f"/p/harbour/learn/{made.pk}/", {"start": "1"})
    rows = answers_of(Attempt.objects.get())
    assert SECRET not in page(client, f"learn/{made.pk}/")
    assert SECRET not in page(client, f"learn/{made.pk}/1/")
    answer = post(client, made, rows[0])
    assert answer.url == f"/p/harbour/learn/{made.pk}/1/"
    assert SECRET in page(client, f"learn/{made.pk}/1/")
    assert SECRET not in page(client, f"learn/{made.pk}/2/")


def test_an_answer_that_lacks_something_comes_back_with_the_rest(cast, client) -> None:
    cast.project.criteria = [{"name": "honest"}, {"name": "kind"}]
    cast.project.save()
    answers = {"honest": Answer("honest", "a"), "kind": Answer("kind", "b")}
    made = practising.exercise(cast.project, [practising.item_with(cast.project, 2, answers)])
    row = answers_of(practising.start(made, cast.annotator))[0]
    answer = post(client, made, row, "tie")
    assert answer.status_code == 422
    assert "Not complete yet: kind." in answer.content.decode()
    assert [one.checked for one in answer.context["sheet"].criteria[0].options] == [False, False, True, False]
    row.refresh_from_db()
    assert row.answers is None


def test_an_answer_to_an_attempt_before_changes_nothing(cast, client) -> None:
    test = practising.exercise(cast.project, gold(cast), cooldown_hours=0)
    practising.take(test, cast.annotator, right=0)
    row = answers_of(practising.start(test, cast.annotator))[0]
    post(client, test, row, attempt=1)
    row.refresh_from_db()
    assert row.answers is None
    post(client, test, row, attempt=2)
    row.refresh_from_db()
    assert row.answers is not None
    assert row.seconds == 3


def test_what_is_not_open_to_them_does_not_exist(cast, client) -> None:
    draft = practising.exercise(cast.project, gold(cast), state="draft")
    closed = practising.exercise(cast.project, gold(cast), state="closed")
    foreign = practising.exercise(cast.other_project)
    for one in (draft, closed, foreign):
        for method in (client.get, client.post):
            assert method(f"/p/harbour/learn/{one.pk}/", {"start": "1"}).status_code == 404
    manager = browser(cast.manager)
    assert manager.get(f"/p/harbour/exercises/{foreign.pk}/").status_code == 404
    attempt = practising.start(foreign, cast.outsider)
    own = practising.exercise(cast.project, gold(cast))
    assert manager.get(f"/p/harbour/exercises/{own.pk}/attempts/{attempt.pk}/").status_code == 404


def test_no_model_is_named_while_practising(cast, client) -> None:
    prompt = factories.prompt(cast.project)
    pair = [factories.response(prompt, model="secret-model-7b") for _ in range(2)]
    item = factories.gold_item(cast.project, on=prompt, pair=pair)
    made = practising.exercise(cast.project, [item], kind="calibration")
    practising.start(made, cast.annotator)
    assert "secret-model" not in page(client, f"learn/{made.pk}/")
    practising.do(answers_of(Attempt.objects.get())[0], Answer("overall", "a"))
    assert "secret-model" not in page(client, f"learn/{made.pk}/1/")


def test_the_learn_tab_is_there_when_there_is_something_to_learn(cast, client) -> None:
    link = 'href="/p/harbour/learn/"'
    assert link not in page(client, "guidelines/")
    practising.exercise(cast.project, gold(cast), state="draft")
    assert link not in page(client, "guidelines/")
    practising.exercise(cast.project, gold(cast), kind="calibration")
    assert link in page(client, "guidelines/")


def test_the_learn_page_costs_the_same_for_one_exercise_and_for_six(
    cast, client, django_assert_num_queries
) -> None:
    def visit() -> None:
        practising.take(
            practising.exercise(cast.project, gold(cast), kind="calibration"), cast.annotator, right=1
        )
        with django_assert_num_queries(8):
            page(client, "learn/")

    for _ in range(2):
        visit()


# --- for managers ---------------------------------------------------------------------------------


def test_a_manager_waives_and_takes_it_back(cast) -> None:
    manager = browser(cast.manager)
    data = {"user": cast.annotator.pk, "reason": "Ran the pilot."}
    manager.post("/p/harbour/exercises/waivers/", data)
    assert Waiver.objects.get().reason == "Ran the pilot."
    assert "Ran the pilot." in page(manager, "exercises/")
    manager.post("/p/harbour/exercises/waivers/", data | {"revoke": "1"})
    assert not Waiver.objects.exists()
    assert manager.post("/p/harbour/exercises/waivers/", data | {"user": cast.outsider.pk}).status_code == 404


def test_refusals_are_told_on_the_page(cast) -> None:
    manager = browser(cast.manager)
    test = practising.exercise(cast.project, gold(cast))
    practising.start(test, cast.annotator)
    answer = manager.post(f"/p/harbour/exercises/{test.pk}/items/", {"remove": "1"}, follow=True)
    assert "Somebody has begun" in answer.content.decode()
    answer = manager.post(f"/p/harbour/exercises/{test.pk}/again/", {"user": cast.annotator.pk}, follow=True)
    assert "has an attempt under way" in answer.content.decode()


def test_work_in_a_session_is_warned_of(cast) -> None:
    manager = browser(cast.manager)
    session = practising.exercise(cast.project, gold(cast), kind="session", state="draft")
    words = "Some of these items are work."
    assert words not in page(manager, f"exercises/{session.pk}/")
    work = factories.pair_item(cast.project)
    manager.post(f"/p/harbour/exercises/{session.pk}/items/", {"add": "1", "item": [work.pk]})
    assert words in page(manager, f"exercises/{session.pk}/")


# --- sessions -------------------------------------------------------------------------------------


@pytest.fixture
def session(cast) -> Exercise:
    """Two items: all agree on the first; on the second the annotator and the reviewer differ."""
    made = practising.exercise(
        cast.project, [factories.pair_item(cast.project) for _ in range(2)], kind="session"
    )
    for user, second in ((cast.annotator, "a"), (cast.reviewer, "b")):
        for row, choice in zip(answers_of(practising.start(made, user)), ("a", second), strict=True):
            practising.do(row, Answer("overall", choice))
    return made


def test_the_comparison_says_who_said_what_most_disputed_first(cast, session) -> None:
    answer = browser(cast.manager).get(f"/p/harbour/learn/{session.pk}/session/")
    found = answer.context["comparison"]
    assert [(one.number, one.disagreement) for one in found.items] == [(2, 1.0), (1, 0.0)]
    assert [(name, said.answers) for name, said in answer.context["items"][0][1]] == [
        ("annotator", ("A is better",)),
        ("reviewer", ("B is better",)),
    ]
    (agreement,) = found.agreement
    assert agreement.percent == pytest.approx(0.5)
    assert agreement.alpha == pytest.approx(0.0)  # aa, ab: D_o = 1/2, D_e = 2·3·1/(4·3)
    assert found.items[1].spreads[0].answers == (("A is better", 2),)


def test_those_who_took_part_see_numbers_and_managers_names(cast, session, client) -> None:
    exercises.close_exercise(exercise=session, actor=cast.manager)
    shown = page(client, f"learn/{session.pk}/session/")
    assert "Annotator 2" in shown
    assert ">You<" in shown
    assert ">reviewer<" not in shown
    assert ">reviewer<" in page(browser(cast.manager), f"learn/{session.pk}/session/")


def test_nobody_compares_before_everybody_has_finished(cast, session, client) -> None:
    path = f"/p/harbour/learn/{session.pk}/session/"
    assert client.get(path).status_code == 200  # the project has one annotator, and they have finished
    late = cast.project.memberships.model.objects.create(
        user=factories.user("later"), project=cast.project, role="annotator"
    ).user
    assert client.get(path).status_code == 302
    assert browser(late).get(path).status_code == 302
    practising.take_session(session, late)
    assert client.get(path).status_code == 200


def test_a_reviewer_with_answers_to_give_does_not_look_first(cast, client) -> None:
    made = practising.exercise(cast.project, [factories.pair_item(cast.project)], kind="session")
    path = f"/p/harbour/learn/{made.pk}/session/"
    reviewer = browser(cast.reviewer)
    assert reviewer.get(path).status_code == 200
    practising.start(made, cast.reviewer)
    assert reviewer.get(path).status_code == 302
    assert client.get(path).status_code == 302


def test_who_took_no_part_does_not_see_a_closed_session(cast, client) -> None:
    made = practising.exercise(
        cast.project, [factories.pair_item(cast.project)], kind="session", state="closed"
    )
    assert client.get(f"/p/harbour/learn/{made.pk}/session/").status_code == 302


def test_a_gap_is_noted_and_listed_with_its_version(cast, session, client) -> None:
    factories.guideline(cast.project)
    item = session.exercise_items.first()
    assert item is not None
    client.post(
        f"/p/harbour/learn/{session.pk}/session/", {"item": item.item_id, "note": "Are <b>jokes</b> fine?"}
    )
    shown = page(browser(cast.manager), f"learn/{session.pk}/session/")
    assert "Are &lt;b&gt;jokes&lt;/b&gt; fine?" in shown
    assert "guidelines version 1" in shown


@pytest.mark.parametrize("kind", ["ranking", "rating"])
def test_rankings_and_ratings_are_compared(cast, kind) -> None:
    cast.project.kind = kind
    cast.project.save()
    session = practising.exercise(cast.project, [practising.item_with(cast.project, 3)], kind="session")
    given = {"ranking": [(1, 2, 3), (1, 3, 2)], "rating": [(5, 3, 1), (5, 4, 1)]}[kind]
    field = {"ranking": "ranks", "rating": "ratings"}[kind]
    for user, numbers in zip((cast.annotator, cast.reviewer), given, strict=True):
        row = answers_of(practising.start(session, user))[0]
        practising.do(row, Answer("overall", **{field: numbers}))
    answer = browser(cast.manager).get(f"/p/harbour/learn/{session.pk}/session/")
    found = answer.context["comparison"]
    assert found.items[0].disagreement == pytest.approx(1 / 3)
    assert found.agreement[0].percent == pytest.approx(2 / 3)


def test_a_comparison_costs_the_same_however_many_answer(cast, session, django_assert_num_queries) -> None:
    manager = browser(cast.manager)
    manager.get(f"/p/harbour/learn/{session.pk}/session/")
    for _ in range(2):
        with django_assert_num_queries(15):
            manager.get(f"/p/harbour/learn/{session.pk}/session/")
        practising.take_session(session, factories.user())
