"""Items that nobody has begun go behind the other work; what somebody has begun stays where it is."""

import pytest

from annotation.models.project import Project
from annotation.models.work import Assignment, Item
from annotation.services import assigning, items
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return factories.project(overlap=2)


def test_untouched_items_go_back_each_to_its_place(project: Project) -> None:
    made = factories.pair_item(project, origin="selected", priority=4)
    imported = factories.pair_item(project, priority=4)
    assert items.put_back(project=project, items=[made.pk, imported.pk]) == [made.pk, imported.pk]
    assert Item.objects.get(pk=made.pk).priority == items.LAST_RESORT
    assert Item.objects.get(pk=imported.pk).priority == items.IMPORTED
    assert items.put_back(project=project, items=[]) == []


@pytest.mark.parametrize("state", ["open", "done", "skipped", "flagged", "expired"])
def test_what_somebody_has_begun_stays(project: Project, state: str) -> None:
    item = factories.pair_item(project, origin="selected", priority=4)
    held = factories.assignment(item, factories.user())
    Assignment.objects.filter(pk=held.pk).update(state=state)
    assert items.put_back(project=project, items=[item.pk]) == ([item.pk] if state == "expired" else [])
    assert Item.objects.get().priority == (-1 if state == "expired" else 4)


def test_a_vote_that_was_imported_counts_as_begun(project: Project) -> None:
    item = factories.pair_item(project, priority=4)
    factories.judgment(item, factories.user())
    Assignment.objects.all().update(state="expired")
    assert items.put_back(project=project, items=[item.pk]) == []


def test_gold_and_other_projects_items_are_left_alone(project: Project) -> None:
    gold = factories.gold_item(project)
    other = factories.pair_item(factories.project(), priority=4)
    assert items.put_back(project=project, items=[gold.pk, other.pk]) == []


def test_people_get_what_was_put_back_after_everything_else(project: Project) -> None:
    stale = factories.pair_item(project, origin="selected", priority=4)
    imported = factories.pair_item(project)
    items.put_back(project=project, items=[stale.pk])
    person = factories.user()
    project.memberships.create(user=person, role="annotator")
    first = assigning.claim(project=project, annotator=person)
    assert first is not None
    assert first.item_id == imported.pk
    assigning.skip(assignment_id=first.pk, annotator=person)
    second = assigning.claim(project=project, annotator=person)
    assert second is not None
    assert second.item_id == stale.pk
