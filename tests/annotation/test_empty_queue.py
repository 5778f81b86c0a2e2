"""The end of the queue says what is so, looks again, and never says that there is nothing while there is."""

import pytest
from django.urls import reverse

from accounts.models import Role
from annotation.models.work import Assignment
from annotation.services import assigning
from tests import cast, factories
from tests.annotation.working import let_lease_run_out

pytestmark = pytest.mark.django_db
FETCH = {"Laurel-Fetch": "1"}


@pytest.fixture
def project():
    return factories.project("harbour", overlap=1)


@pytest.fixture
def annotator(project):
    return member(project, "ines")


def member(project, name: str):
    person = cast.person(name)
    cast.member(person, project, Role.ANNOTATOR)
    return person


def judge_page(person):
    return cast.browser(person).get(reverse("annotation:judge", args=["harbour"]))


def look(person, fingerprint: str = ""):
    address = reverse("annotation:waiting", args=["harbour"])
    return cast.browser(person).get(address, {"shown": fingerprint}, headers=FETCH)


def title(person) -> str:
    return str(judge_page(person).context["empty"].title)


@pytest.mark.parametrize(
    ("fields", "items", "expected"),
    [
        ({"state": "paused"}, 1, "This project is paused"),
        ({"state": "closed"}, 1, "This project is closed"),
        ({"qualification_required": True}, 1, "First the qualification test"),
        ({}, 0, "Nothing to judge yet"),
    ],
)
def test_the_project_itself_is_the_reason(project, annotator, fields, items, expected):
    for _ in range(items):
        factories.pair_item(project)
    type(project).objects.filter(pk=project.pk).update(**fields)
    assert title(annotator) == expected
    waits = "data-waits" in judge_page(annotator).content.decode()
    assert waits == (expected != "This project is closed")


def test_all_is_done_only_when_nobody_has_anything_left(project, annotator):
    factories.judgment(factories.pair_item(project), annotator)
    assert title(annotator) == "All done"
    mine = factories.pair_item(project, slots_left=2)
    factories.judgment(mine, annotator)
    assert title(annotator) == "You have done all you can here"  # a second opinion is still wanted
    other = factories.user()
    factories.assignment(mine, other)
    assert title(annotator) == "You have done all you can here"


@pytest.mark.slow
def test_waiting_for_others_says_for_how_many_and_how_long(project, annotator):
    project.lease_seconds = 90
    project.save()
    for _ in range(2):
        other = factories.user()
        factories.pair_item(project)
        assert assigning.claim(project=project, annotator=other) is not None
    empty = judge_page(annotator).context["empty"]
    assert empty.title == "Waiting for others"
    assert "2 items" in empty.why
    assert "2 minutes" in empty.next
    let_lease_run_out(Assignment.objects.first())
    assert judge_page(annotator).context["item"] is not None


def test_the_goal_of_the_day_is_congratulated_and_ends_nothing(project, annotator):
    type(project).objects.filter(pk=project.pk).update(daily_goal=1)
    factories.judgment(factories.pair_item(project), annotator)
    assert "1 of 1" in judge_page(annotator).context["empty"].note
    factories.pair_item(project)
    assert judge_page(annotator).context["item"] is not None


def test_nobody_is_told_there_is_nothing_while_items_wait_unseen_with_another(project, annotator):
    """Two items, two people: the first has one on the screen and one behind it."""
    factories.pair_item(project)
    factories.pair_item(project)
    first = member(project, "noor")
    theirs = judge_page(first)
    assert theirs.context["ahead"] is not None
    mine = judge_page(annotator)
    assert mine.context["item"] is not None
    assert mine.context["item"].assignment_id != theirs.context["item"].assignment_id
    assert Assignment.objects.filter(state="open").count() == 2


def test_looking_again_says_nothing_new_until_there_is(project, annotator):
    factories.judgment(factories.pair_item(project), annotator)
    fingerprint = judge_page(annotator).context["empty"].fingerprint
    assert look(annotator, fingerprint).status_code == 204
    type(project).objects.filter(pk=project.pk).update(state="paused")
    changed = look(annotator, fingerprint)
    assert changed.status_code == 200
    assert "This project is paused" in changed.content.decode()
    assert "<html" not in changed.content.decode()
    type(project).objects.filter(pk=project.pk).update(state="running")
    factories.pair_item(project)
    found = look(annotator, fingerprint)
    assert found.status_code == 204
    assert found["Laurel-Current"] == str(Assignment.objects.get(annotator=annotator, state="open").pk)
