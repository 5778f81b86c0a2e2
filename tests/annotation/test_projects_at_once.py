"""Settings that change while people are at work: slots stay right, and no answer outlives its question."""

import contextlib
import threading
import time

import pytest

from accounts.models import User
from annotation.answering.answer import Answer, InvalidAnswer, checked
from annotation.models.project import Project
from annotation.models.work import Assignment, Judgment
from annotation.project_selectors import fingerprint
from annotation.services import assigning, judging, projects, slots
from annotation.services.projects import InvalidProject, SettingsChanged
from tests import factories
from tests.annotation.crowds import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def tie(held: Assignment, person: User) -> judging.Submission:
    return judging.submit(
        assignment_id=held.pk,
        annotator=person,
        answers=[Answer("overall", choice="tie")],
        idempotency_key=f"tie-{held.pk}",
    )


def assert_every_answer_fits(project: Project) -> None:
    project.refresh_from_db()
    for judgment in Judgment.objects.filter(item__project=project):
        checked([judging.given(answer) for answer in judgment.answers.all()], project.question, 2)
    assert slots.wrong_slots(project) == []


@pytest.mark.slow
def test_overlap_changes_while_a_crowd_claims_and_answers() -> None:
    project = factories.project(overlap=3)
    for _ in range(30):
        factories.pair_item(project)
    people = [factories.user() for _ in range(12)]
    manager = factories.user("manager")

    def work(person: User) -> int:
        if person == manager:
            for overlap in (1, 5, 2, 7, 3, 1, 4):
                projects.edit(project=Project.objects.get(), changes={"overlap": overlap}, actor=manager)
            return 0
        done = 0
        for _ in range(8):
            held = assigning.hand_out(project=Project.objects.get(), annotator=person).current
            if held is not None:
                done += tie(held, person).created
        return done

    given = sum(at_once(work, [manager, *people]))
    assert given == Judgment.objects.count() > 12
    assert_every_answer_fits(project)
    assert project.overlap == 4


@pytest.mark.slow
def test_the_question_changes_while_a_crowd_answers_it_for_the_first_time() -> None:
    refused = accepted = 0
    for _ in range(6):
        project = factories.project(overlap=3)
        for _ in range(4):
            factories.pair_item(project)
        people = [factories.user() for _ in range(4)]
        manager = factories.user()

        def work(person: User, project: Project = project, manager: User = manager) -> str:
            if person == manager:
                try:
                    projects.edit(project=project, changes={"ties": False}, actor=manager)
                except (InvalidProject, SettingsChanged):
                    return "refused"
                return "accepted"
            held = assigning.claim(project=Project.objects.get(pk=project.pk), annotator=person)
            if held is not None:
                with contextlib.suppress(InvalidAnswer, Assignment.DoesNotExist):
                    tie(held, person)
            return ""

        outcome = at_once(work, [*people, manager])[-1]
        refused += outcome == "refused"
        accepted += outcome == "accepted"
        assert_every_answer_fits(project)
        assert project.ties == (outcome == "refused")
    assert refused + accepted == 6


@pytest.mark.slow
def test_a_change_of_the_question_waits_for_the_answer_that_is_just_arriving(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer was checked against the old question and is not stored yet when the manager saves."""
    project = factories.project()
    person, manager = factories.user(), factories.user()
    held = factories.assignment(factories.pair_item(project), person)
    is_checked, may_store = threading.Event(), threading.Event()
    finish = judging._finish

    def slowly(assignment: Assignment) -> None:
        is_checked.set()
        assert may_store.wait(30)
        finish(assignment)

    monkeypatch.setattr(judging, "_finish", slowly)

    def work(who: User) -> str:
        if who == person:
            return "stored" if tie(held, person).created else "?"
        assert is_checked.wait(30)
        threading.Thread(target=lambda: (time.sleep(0.5), may_store.set())).start()
        with pytest.raises(InvalidProject, match="1 judgment "):
            projects.edit(project=project, changes={"ties": False}, actor=manager)
        return "refused"

    assert at_once(work, [person, manager]) == ["stored", "refused"]
    assert_every_answer_fits(project)
    assert project.ties


def test_two_managers_save_at_once_and_one_is_told() -> None:
    project = factories.project()
    seen = fingerprint(project)

    def save(manager: User) -> str:
        try:
            projects.edit(project=project, changes={"name": manager.username}, actor=manager, seen=seen)
        except SettingsChanged:
            return ""
        return manager.username

    saved = at_once(save, [factories.user() for _ in range(4)])
    assert [name for name in saved if name] == [Project.objects.get().name]
