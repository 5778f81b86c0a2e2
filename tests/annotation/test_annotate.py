"""The judging views without a browser: what they refuse, what they store, how much they ask the database."""

import pytest
from django.urls import reverse

from accounts.models import Role
from annotation.models.work import Assignment, Judgment
from tests import cast, factories

pytestmark = pytest.mark.django_db

FETCH = {"Laurel-Fetch": "1"}


@pytest.fixture
def project():
    project = factories.project("harbour", reasons=["unsafe"], gold_rate=0.0)
    factories.guideline(project)
    return project


@pytest.fixture
def annotator(project):
    annotator = cast.person("ines")
    cast.member(annotator, project, Role.ANNOTATOR)
    return annotator


def url(name: str) -> str:
    return reverse(f"annotation:{name}", kwargs={"slug": "harbour"})


def held(project, annotator, display_order=(0, 1)) -> Assignment:
    return factories.assignment(factories.pair_item(project), annotator, display_order=display_order)


def body(assignment: Assignment, **fields: object) -> dict[str, object]:
    return {"assignment": assignment.pk, "key": "key-1", "choice-0": "a", "seconds": "3.5", **fields}


@pytest.mark.parametrize(
    ("display_order", "shown", "stored"),
    [
        ((0, 1), "a", "a"),
        ((0, 1), "b", "b"),
        ((1, 0), "a", "b"),
        ((1, 0), "b", "a"),
        ((1, 0), "tie", "tie"),
        ((1, 0), "both_bad", "both_bad"),
    ],
)
def test_the_side_of_the_screen_becomes_the_canonical_choice(
    project, annotator, display_order, shown, stored
):
    assignment = held(project, annotator, display_order)
    reply = cast.browser(annotator).post(url("judge"), body(assignment, **{"choice-0": shown}))
    assert reply.status_code == 302
    assert Judgment.objects.get().answers.get().choice == stored


def test_a_reopened_answer_comes_back_on_the_side_it_was_given(project, annotator):
    assignment = held(project, annotator, (1, 0))
    client = cast.browser(annotator)
    client.post(url("judge"), body(assignment, comment="why not"))
    html = client.post(url("undo"), headers=FETCH).content.decode()
    assert 'value="a" form="answer" required checked' in html
    assert "why not" in html


def test_without_a_choice_nothing_is_stored_and_what_was_written_stays(project, annotator):
    assignment = held(project, annotator)
    for choice in ("", "c", "A"):
        reply = cast.browser(annotator).post(
            url("judge"), body(assignment, **{"choice-0": choice}, comment="my words")
        )
        assert reply.status_code == 422
        assert "Choose an answer first." in reply.content.decode()
        assert "my words" in reply.content.decode()
    assert not Judgment.objects.exists()


def test_an_answer_the_service_refuses_is_shown_with_its_reason(project, annotator):
    assignment = held(project, annotator)
    reply = cast.browser(annotator).post(url("judge"), body(assignment, reasons=["made up"]), headers=FETCH)
    assert reply.status_code == 422
    assert "is not one of this project" in reply.content.decode()
    assert not Judgment.objects.exists()


def test_a_key_used_by_somebody_else_tells_nothing_about_their_answer(project, annotator):
    other = factories.user()
    factories.judgment(factories.pair_item(project), other, "b", idempotency_key="key-1")
    reply = cast.browser(annotator).post(url("judge"), body(held(project, annotator)))
    assert reply.status_code == 409
    assert "could not be stored" in reply.content.decode()
    assert "B is better</" not in reply.context["problem"]


@pytest.mark.parametrize("number", ["", "x", "0", "-1", "²", "9" * 30, "1; drop"])
@pytest.mark.parametrize("name", ["judge", "skip", "flag"])
def test_a_number_that_is_no_assignment_is_not_found(project, annotator, name, number):
    reply = cast.browser(annotator).post(url(name), {"assignment": number, "choice-0": "a", "key": "k"})
    assert reply.status_code == 404


@pytest.mark.parametrize("name", ["judge", "skip", "flag"])
def test_the_assignment_of_somebody_else_is_not_found(project, annotator, name):
    theirs = held(project, factories.user())
    assert cast.browser(annotator).post(url(name), body(theirs)).status_code == 404
    theirs.refresh_from_db()
    assert theirs.state == "open"


@pytest.mark.parametrize(
    ("sent", "stored"),
    [("nan", None), ("inf", None), ("-3", None), ("x", None), ("", None), ("1e9", "capped")],
)
def test_seconds_are_believed_only_within_reason(project, annotator, sent, stored):
    cast.browser(annotator).post(url("judge"), body(held(project, annotator), seconds=sent))
    seconds = Judgment.objects.get().seconds
    assert seconds is None if stored is None else seconds < 60


def test_the_script_gets_the_next_item_alone_and_a_browser_a_redirect(project, annotator):
    factories.pair_item(project)
    client = cast.browser(annotator)
    reply = client.post(url("judge"), body(held(project, annotator)), headers=FETCH)
    assert reply.status_code == 200
    html = reply.content.decode()
    assert "<html" not in html
    assert "Saved: A is better" in html
    assert 'id="answer"' in html
    assert client.post(url("skip"), {"assignment": reply.context["item"].assignment_id})["Location"] == url(
        "judge"
    )


def test_the_pages_are_not_kept_by_caches(project, annotator):
    assert "no-store" in cast.browser(annotator).get(url("judge"))["Cache-Control"]


def test_get_never_skips_flags_or_undoes(project, annotator):
    for name in ("skip", "flag", "undo"):
        assert cast.browser(annotator).get(url(name)).status_code == 405


def test_an_engineer_reads_the_guidelines_and_judges_nothing(project):
    engineer = cast.person("eva")
    cast.member(engineer, project, Role.ENGINEER)
    client = cast.browser(engineer)
    assert client.get(url("judge")).status_code == 404
    page = client.get(url("guidelines"))
    assert page.status_code == 200
    assert "Start judging" not in page.content.decode()


def test_showing_and_answering_cost_a_fixed_number_of_queries(
    project, annotator, django_assert_max_num_queries
):
    for _ in range(5):
        factories.pair_item(project)
    client = cast.browser(annotator)
    with django_assert_max_num_queries(23):  # the first of the day: it hands out two items
        page = client.get(url("judge"))
    with django_assert_max_num_queries(42):
        number = page.context["item"].assignment_id
        client.post(url("judge"), {"assignment": number, "choice-0": "a", "key": "q"}, headers=FETCH)


def test_home_costs_the_same_for_one_project_and_for_ten(project, annotator, django_assert_num_queries):
    client = cast.browser(annotator)
    with django_assert_num_queries(8):
        client.get("/")
    for _ in range(9):
        cast.member(annotator, factories.project(), Role.ANNOTATOR)
    with django_assert_num_queries(8):
        page = client.get("/")
    assert len(page.context["rows"]) == 10
