"""Who changed a project's settings, state and guidelines: the record, and two who save at once."""

import pytest

from accounts.models import AuditEntry
from annotation.models.project import Project
from annotation.models.work import Assignment
from annotation.project_selectors import SETTINGS, fingerprint, guideline_versions
from annotation.services import assigning, projects
from annotation.services.projects import InvalidProject, SettingsChanged
from tests import factories
from tests.annotation.test_projects_service import FREE, judged, made

pytestmark = pytest.mark.django_db


def test_the_later_of_two_who_save_at_once_is_told() -> None:
    project = made("pairwise")
    seen = fingerprint(project)
    projects.edit(project=project, changes={"overlap": 5}, seen=seen)
    with pytest.raises(SettingsChanged):
        projects.edit(project=project, changes={"name": "Other"}, seen=seen)
    assert (project.overlap, Project.objects.get().name) == (5, project.name)
    projects.edit(project=project, changes={"name": "Other"}, seen=fingerprint(project))
    assert Project.objects.get().name == "Other"


@pytest.mark.parametrize("name", sorted(FREE))
def test_every_setting_is_part_of_what_was_seen_and_of_the_record(name: str) -> None:
    assert set(FREE) | {"kind", "ties", "both_bad", "strength_scale", "rating_points"} == set(SETTINGS)
    ada, project = factories.user("ada"), made("pairwise")
    seen, before = fingerprint(project), getattr(project, name)
    value = next(value for value in FREE[name] if value != before)
    assert projects.edit(project=project, changes={name: value}, actor=ada) == {name: [before, value]}
    assert fingerprint(project) != seen
    entry = AuditEntry.objects.get(action="settings changed")
    assert (entry.actor, entry.detail) == (ada, {"changes": {name: [before, value]}})
    assert projects.edit(project=project, changes={name: value}, actor=ada) == {}
    assert AuditEntry.objects.filter(action="settings changed").count() == 1


def test_pausing_closing_and_reopening() -> None:
    project = made("pairwise")
    factories.pair_item(project)
    annotator = factories.user()
    held = assigning.claim(project=project, annotator=annotator)
    for state in ("paused", "closed", "running"):
        projects.set_state(project=project, state=state)
        assert Project.objects.get().state == state
        assert Assignment.objects.get() == held
    projects.set_state(project=project, state="running")
    entries = AuditEntry.objects.filter(action="state changed").order_by("pk")
    assert [entry.detail["changes"]["state"] for entry in entries] == [
        ["running", "paused"],
        ["paused", "closed"],
        ["closed", "running"],
    ]
    with pytest.raises(SettingsChanged):
        projects.set_state(project=project, state="closed", seen="paused")
    with pytest.raises(InvalidProject):
        projects.set_state(project=project, state="deleted")
    assert Project.objects.get().state == "running"


def test_guidelines_are_versions_with_an_author_and_the_judgments_made_under_them() -> None:
    ada, project = factories.user("ada"), made("pairwise")
    first = projects.publish_guidelines(project=project, text="One", actor=ada, seen=0)
    judged(project)
    with pytest.raises(SettingsChanged):
        projects.publish_guidelines(project=project, text="Mine", seen=0)
    assert projects.publish_guidelines(project=project, text="One", seen=0) == first
    projects.publish_guidelines(project=project, text="Two", seen=1)
    found = [(one.guideline.version, one.author, one.judgments) for one in guideline_versions(project)]
    assert found == [(2, None, 0), (1, ada, 2)]
