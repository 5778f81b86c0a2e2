"""The draft view without a browser: what it keeps, what it says back, what it refuses."""

import json

import pytest
from django.test import Client

from accounts.models import Role
from annotation.models.work import Assignment, Draft
from annotation.services import judging
from tests import cast, factories

pytestmark = pytest.mark.django_db

URL = "/p/harbour/judge/draft/"


@pytest.fixture
def project():
    return factories.project("harbour", reasons=["unsafe", "wrong"])


@pytest.fixture
def annotator(project):
    annotator = cast.person("ines")
    cast.member(annotator, project, Role.ANNOTATOR)
    return annotator


@pytest.fixture
def client(annotator) -> Client:
    return cast.browser(annotator)


@pytest.fixture
def mine(project, annotator) -> Assignment:
    return factories.assignment(factories.pair_item(project), annotator)


def form(assignment: Assignment, **fields: object) -> dict[str, object]:
    return {"assignment": assignment.pk, "draft_version": "0", "choice-0": "b", **fields}


def test_it_keeps_what_the_form_holds_and_nothing_else(client, mine):
    spans = json.dumps([{"response": 0, "start": 0, "end": 2, "quote": "An", "reason": "wrong"}])
    given = form(
        mine, reasons=["unsafe", "wrong"], comment="so far", spans=spans, seconds="3", key="k", x="y"
    )
    answer = client.post(URL, given)
    assert (answer.status_code, answer.json()["version"]) == (200, 1)
    assert answer.json()["saved_at"].startswith("20")
    assert Draft.objects.get().body == {
        "choice-0": ["b"],
        "reasons": ["unsafe", "wrong"],
        "comment": ["so far"],
        "spans": [spans],
    }


def test_a_newer_one_from_elsewhere_comes_back_instead(client, mine):
    client.post(URL, form(mine))
    client.post(URL, form(mine, **{"draft_version": "1", "choice-0": "tie"}))
    answer = client.post(URL, form(mine, **{"draft_version": "1", "choice-0": "a"}))
    assert answer.status_code == 409
    assert answer.json() == {"version": 2, "fields": {"choice-0": ["tie"]}}
    assert Draft.objects.get().body == {"choice-0": ["tie"]}


def test_too_late_once_it_is_answered_unless_the_answer_is_being_changed(client, mine, project, annotator):
    stored = judging.submit(
        assignment_id=mine.pk,
        annotator=annotator,
        answers=judging.pairwise(project, "a"),
        idempotency_key="k1",
    ).judgment
    assert client.post(URL, form(mine)).status_code == 410
    assert not Draft.objects.exists()
    assert client.post(URL, form(mine, replaces=stored.pk)).json()["version"] == 1


def test_a_draft_too_long_is_refused_in_words(client, mine):
    answer = client.post(URL, form(mine, comment="x" * 100_001))
    assert answer.status_code == 422
    assert "too long" in answer.json()["problem"]


@pytest.mark.parametrize("number", ["", "x", "-1", "²", "9" * 30, "1.5"])
def test_a_number_that_is_none_names_no_assignment(client, mine, number):
    assert client.post(URL, form(mine) | {"assignment": number}).status_code == 404


def test_the_hold_of_another_person_does_not_exist(client, project):
    other = factories.assignment(factories.pair_item(project), factories.user())
    assert client.post(URL, form(other)).status_code == 404
    assert not Draft.objects.exists()
