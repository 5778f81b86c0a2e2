"""Rankings, ratings, several criteria, reopening and the fragments of the judging page, without a browser."""

import json
import re

import pytest
from django.urls import reverse

from accounts.models import Role
from annotation.models.project import Project
from annotation.models.work import Assignment, Draft, Judgment
from tests import cast, factories

pytestmark = pytest.mark.django_db

FETCH = {"Laurel-Fetch": "1"}
CRITERIA = [{"name": "clear", "description": ""}, {"name": "true", "description": ""}]


def url(name: str, **more: object) -> str:
    return reverse(f"annotation:{name}", kwargs={"slug": "harbour", **more})


@pytest.fixture
def annotator(db):
    return cast.person("ines")


def project_of(annotator, kind: str = "pairwise", **fields: object) -> Project:
    project = factories.project("harbour", kind=kind, **fields)
    factories.guideline(project)
    cast.member(annotator, project, Role.ANNOTATOR)
    return project


def held(project: Project, annotator, order: tuple[int, ...] = (0, 1)) -> Assignment:
    on = factories.prompt(project)
    item = factories.pair_item(project, pair=factories.responses(on, len(order)))
    return factories.assignment(item, annotator, display_order=order)


def body(assignment: Assignment, **fields: object) -> dict[str, object]:
    return {"assignment": assignment.pk, "key": f"key-{len(fields)}", **fields}


def test_ranks_on_the_screen_become_ranks_of_the_item(annotator):
    project = project_of(annotator, "ranking")
    assignment = held(project, annotator, (2, 0, 1))
    shown = {"rank-0-0": "1", "rank-0-1": "3", "rank-0-2": "3"}  # on the screen: A, then B and C together
    assert cast.browser(annotator).post(url("judge"), body(assignment, **shown)).status_code == 302
    assert Judgment.objects.get().answers.get().ranks == [2, 2, 1]


def test_ratings_of_several_criteria_become_ratings_of_the_item(annotator):
    project = project_of(annotator, "rating", criteria=CRITERIA)
    assignment = held(project, annotator, (1, 0))
    shown = {"rating-0-0": "5", "rating-0-1": "2", "rating-1-0": "1", "rating-1-1": "4"}
    reply = cast.browser(annotator).post(url("judge"), body(assignment, **shown), headers=FETCH)
    assert reply.status_code == 200
    assert "Saved: clear: A 5, B 2; true: A 1, B 4" in reply.content.decode()
    stored = {answer.criterion: answer.ratings for answer in Judgment.objects.get().answers.all()}
    assert stored == {"clear": [2, 5], "true": [4, 1]}


def test_a_strength_goes_with_the_side_it_was_given_to(annotator):
    project = project_of(annotator, strength_scale=True)
    cast.browser(annotator).post(url("judge"), body(held(project, annotator, (1, 0)), **{"choice-0": "a-3"}))
    answer = Judgment.objects.get().answers.get()
    assert (answer.choice, answer.strength) == ("b", 3)


@pytest.mark.parametrize(
    ("kind", "entered", "problem"),
    [
        ("ranking", {"rank-0-0": "1"}, "Rank every response first."),
        ("rating", {"rating-0-1": "2"}, "Rate every response first."),
        ("ranking", {"rank-0-0": "1", "rank-0-1": "1"}, "an order without ties"),
    ],
)
def test_what_is_not_complete_is_shown_again_as_it_was(annotator, kind, entered, problem):
    project = project_of(annotator, kind, ties=False)
    assignment = held(project, annotator)
    reply = cast.browser(annotator).post(
        url("judge"), body(assignment, comment="my words", **entered), headers=FETCH
    )
    assert reply.status_code == 422
    html = reply.content.decode()
    assert problem in html
    assert "my words" in html
    assert html.count(" selected") + html.count(" checked") == len(entered)
    assert not Judgment.objects.exists()


def test_the_criteria_without_an_answer_are_named(annotator):
    project = project_of(annotator, criteria=CRITERIA)
    reply = cast.browser(annotator).post(url("judge"), body(held(project, annotator), **{"choice-0": "tie"}))
    assert reply.status_code == 422
    assert "Not complete yet: true." in reply.content.decode()


def test_marked_places_are_stored_for_the_response_they_are_in(annotator):
    project = project_of(annotator)
    span = {"response": 0, "start": 0, "end": 4, "quote": "Some", "reason": ""}
    cast.browser(annotator).post(
        url("judge"),
        body(held(project, annotator, (1, 0)), **{"choice-0": "a", "spans": json.dumps([span])}),
    )
    assert [each["response"] for each in Judgment.objects.get().spans] == [1]


@pytest.mark.parametrize(
    "spans", ['[{"response": 0}]', "[1]", '[{"response": 9, "start": 0, "end": 1, "quote": "x"}]']
)
def test_marked_places_that_are_none_are_refused(annotator, spans):
    project = project_of(annotator)
    reply = cast.browser(annotator).post(
        url("judge"), body(held(project, annotator), **{"choice-0": "a", "spans": spans})
    )
    assert reply.status_code == 422
    assert not Judgment.objects.exists()


def test_the_guidelines_that_were_on_the_page_are_stored_not_the_latest(annotator):
    project = project_of(annotator)
    page = cast.browser(annotator)
    assignment = held(project, annotator)
    assert 'name="guideline" value="1"' in page.get(url("judge")).content.decode()
    factories.guideline(project, "Newer.")
    page.post(url("judge"), body(assignment, guideline="1", **{"choice-0": "a"}))
    assert Judgment.objects.get().guideline.version == 1


def test_reopening_shows_the_answer_and_replaces_it(annotator):
    project = project_of(annotator, "ranking")
    assignment = held(project, annotator, (1, 0))
    page = cast.browser(annotator)
    page.post(url("judge"), body(assignment, **{"rank-0-0": "2", "rank-0-1": "1"}))
    first = Judgment.objects.get()
    html = page.get(url("judge_again", assignment_id=assignment.pk)).content.decode()
    assert "You are changing an answer" in html
    assert f'name="replaces" value="{first.pk}"' in html
    assert html.count("<option selected>") == 2
    changed = {"rank-0-0": "1", "rank-0-1": "2", "replaces": first.pk, "key": "another"}
    page.post(url("judge"), body(assignment, **changed))
    second = Judgment.objects.get(live=True)
    assert (second.supersedes, second.answers.get().ranks) == (first, [2, 1])


def test_an_answer_that_can_no_longer_be_changed_is_not_opened(annotator):
    project = project_of(annotator, reopen_hours=0)
    assignment = held(project, annotator)
    page = cast.browser(annotator)
    page.post(url("judge"), body(assignment, **{"choice-0": "a"}))
    reply = page.get(url("judge_again", assignment_id=assignment.pk))
    assert (reply.status_code, reply["Location"]) == (302, url("judge"))


def test_the_assignment_of_somebody_else_is_not_opened(annotator):
    project = project_of(annotator)
    theirs = held(project, factories.user())
    assert cast.browser(annotator).get(url("judge_again", assignment_id=theirs.pk)).status_code == 404


def test_a_conflict_says_what_stands_in_the_terms_of_the_screen(annotator):
    project = project_of(annotator, "ranking")
    assignment = held(project, annotator, (2, 0, 1))
    page = cast.browser(annotator)
    page.post(url("judge"), body(assignment, **{"rank-0-0": "2", "rank-0-1": "1", "rank-0-2": "2"}))
    other = {"rank-0-0": "1", "rank-0-1": "2", "rank-0-2": "3", "key": "another"}
    reply = page.post(url("judge"), body(assignment, **other))
    assert reply.status_code == 409
    assert "B &gt; A = C" in reply.content.decode()


def test_a_draft_comes_back_with_its_version(annotator):
    project = project_of(annotator, "rating")
    assignment = held(project, annotator)
    Draft.objects.create(assignment=assignment, version=7, body={"rating-0-1": ["4"], "comment": ["half"]})
    html = cast.browser(annotator).get(url("judge")).content.decode()
    assert 'id="rating-0-1-4" value="4" form="answer" required checked' in html
    assert "half</textarea>" in html
    assert 'name="draft_version" value="7"' in html


def test_who_has_painted_the_next_item_gets_only_the_one_after(annotator):
    project = project_of(annotator)
    for _ in range(4):
        factories.pair_item(project)
    page = cast.browser(annotator)
    shown = page.get(url("judge")).context
    first, ahead = shown["item"].assignment_id, shown["ahead"].assignment_id
    answer = {"assignment": first, "key": "k", "choice-0": "a"}
    reply = page.post(url("judge"), answer, headers={**FETCH, "Laurel-Shown": str(ahead)})
    html = reply.content.decode()
    assert reply["Laurel-Current"] == str(ahead)
    assert 'id="item"' not in html
    assert f'data-assignment="{reply.context["ahead"].assignment_id}"' in html
    assert reply.context["ahead"].assignment_id not in (first, ahead)
    stale = page.get(url("judge"), headers={**FETCH, "Laurel-Shown": str(first)})
    assert 'id="item"' in stale.content.decode(), "what the browser shows is not the current item"


def test_a_skip_keeps_the_reason_and_refuses_a_novel(annotator):
    project = project_of(annotator)
    page = cast.browser(annotator)
    first = held(project, annotator)
    long = page.post(url("skip"), {"assignment": first.pk, "reason": "x" * 501})
    first.refresh_from_db()
    assert (long.status_code, first.state) == (422, "open")
    page.post(url("skip"), {"assignment": first.pk, "quick": "Too long", "reason": "40 pages"})
    first.refresh_from_db()
    assert (first.state, first.note) == ("skipped", "Too long: 40 pages")
    second = held(project, annotator)
    page.post(url("skip"), {"assignment": second.pk, "quick": "<made up>"})
    second.refresh_from_db()
    assert second.note == ""


def test_a_skip_that_comes_after_the_answer_says_that_the_answer_stands(annotator):
    project = project_of(annotator)
    page = cast.browser(annotator)
    first = held(project, annotator)
    page.post(url("judge"), {"assignment": first.pk, "choice-0": "a", "key": "from the phone"})
    late = page.post(url("skip"), {"assignment": first.pk, "replaces": ""}, headers=FETCH)
    first.refresh_from_db()
    assert (late.status_code, first.state) == (200, "done")
    assert "Your answer to that item stands" in late.content.decode()
    address = reverse("annotation:judge_again", kwargs={"slug": "harbour", "assignment_id": first.pk})
    again = page.get(address).content.decode()
    replaces = re.search(r'name="replaces" value="(\d+)" form="flag-it"', again)
    assert replaces, "whoever sees the answer may take it back"
    page.post(url("flag"), {"assignment": first.pk, "replaces": replaces[1]})
    first.refresh_from_db()
    assert first.state == "flagged"


@pytest.mark.parametrize("show", [True, False])
def test_the_category_is_shown_only_where_the_project_says_so(annotator, show):
    project = project_of(annotator, show_category=show)
    factories.pair_item(project, metadata={"category": "maths-olympiad"})
    assert ("maths-olympiad" in cast.browser(annotator).get(url("judge")).content.decode()) is show
