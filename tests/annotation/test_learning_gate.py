"""The gate: who gets work in a project that asks for a qualification, and what practice uses up."""

import pytest

from accounts.models import AuditEntry, User
from annotation.models.learning import Attempt
from annotation.models.project import Project
from annotation.services import assigning, exercises
from annotation.services.exercises import Refused
from tests import factories
from tests.annotation import practising
from tests.cast import Cast, make_cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    made = make_cast()
    Project.objects.filter(pk=made.project.pk).update(qualification_required=True)
    made.project.refresh_from_db()
    for _ in range(3):
        factories.pair_item(made.project)
    return made


def works(cast: Cast, annotator: User) -> bool:
    return assigning.claim(project=cast.project, annotator=annotator) is not None


def test_nobody_works_before_passing(cast) -> None:
    test = practising.exercise(cast.project, pass_mark=0.9)
    assert not works(cast, cast.annotator)
    practising.take(test, cast.annotator, right=2)
    assert not works(cast, cast.annotator)
    exercises.edit(exercise=test, actor=cast.manager, cooldown_hours=0)
    practising.take(test, cast.annotator, right=3)
    assert works(cast, cast.annotator)


def test_a_calibration_round_opens_nothing(cast) -> None:
    practising.take(practising.exercise(cast.project, kind="calibration"), cast.annotator, right=3)
    assert not works(cast, cast.annotator)


def test_a_pass_in_another_project_opens_nothing(cast) -> None:
    practising.take(practising.exercise(cast.other_project), cast.annotator, right=3)
    assert not works(cast, cast.annotator)


def test_what_was_passed_stands_when_the_test_is_closed(cast) -> None:
    test = practising.exercise(cast.project)
    practising.take(test, cast.annotator, right=3)
    exercises.close_exercise(exercise=test, actor=cast.manager)
    assert works(cast, cast.annotator)


@pytest.mark.parametrize("who", ["reviewer", "manager", "admin"])
def test_reviewers_and_managers_need_none(cast, who) -> None:
    assert works(cast, getattr(cast, who))


def test_simulated_annotators_need_none(cast) -> None:
    assert works(cast, factories.simulated_user())


def test_a_waiver_opens_the_work_and_revoking_it_closes_it(cast) -> None:
    exercises.grant_waiver(
        project=cast.project, annotator=cast.annotator, reason="Wrote the guidelines.", actor=cast.manager
    )
    held = assigning.claim(project=cast.project, annotator=cast.annotator)
    assert held is not None
    exercises.revoke_waiver(
        project=cast.project, annotator=cast.annotator, reason="Moved on.", actor=cast.manager
    )
    assigning.skip(assignment_id=held.pk, annotator=cast.annotator)
    assert not works(cast, cast.annotator)
    logged = AuditEntry.objects.filter(action__startswith="waiver").order_by("pk")
    assert [(one.action, one.detail["reason"], one.actor) for one in logged] == [
        ("waiver granted", "Wrote the guidelines.", cast.manager),
        ("waiver revoked", "Moved on.", cast.manager),
    ]


def test_a_waiver_needs_a_reason_and_an_annotator(cast) -> None:
    for annotator, reason in ((cast.annotator, "  "), (cast.reviewer, "why"), (cast.outsider, "why")):
        with pytest.raises(Refused):
            exercises.grant_waiver(
                project=cast.project, annotator=annotator, reason=reason, actor=cast.manager
            )


def test_another_attempt_goes_past_the_limit_and_the_wait(cast) -> None:
    test = practising.exercise(cast.project, attempts=1, cooldown_hours=24)
    practising.take(test, cast.annotator, right=0)
    given = exercises.give_another_attempt(exercise=test, annotator=cast.annotator, actor=cast.manager)
    assert given.number == 2
    with pytest.raises(Refused, match="under way"):
        exercises.give_another_attempt(exercise=test, annotator=cast.annotator, actor=cast.manager)
    assert practising.take(test, cast.annotator, right=3) == given
    assert works(cast, cast.annotator)
    with pytest.raises(Refused):
        exercises.give_another_attempt(exercise=test, annotator=cast.annotator, actor=cast.manager)
    assert AuditEntry.objects.get(action="attempt given").detail["user"] == "annotator"


def test_another_attempt_is_for_annotators_of_the_project(cast) -> None:
    test = practising.exercise(cast.project)
    for stranger in (cast.outsider, cast.engineer):
        with pytest.raises(Refused):
            exercises.give_another_attempt(exercise=test, annotator=stranger, actor=cast.manager)
    assert not Attempt.objects.exists()


def test_what_somebody_practises_on_is_no_work_for_them(cast) -> None:
    project = cast.other_project
    item, other = factories.pair_item(project), factories.pair_item(project)
    session = practising.exercise(project, [item], kind="session")
    practising.start(session, cast.annotator)  # drawn, not even looked at
    seen = []
    while (held := assigning.claim(project=project, annotator=cast.annotator)) is not None:
        seen.append(held.item_id)
        assigning.skip(assignment_id=held.pk, annotator=cast.annotator)
    assert seen == [other.pk]
    for _ in range(2):
        held = assigning.claim(project=project, annotator=cast.reviewer)
        assert held is not None
        seen.append(held.item_id)
        assigning.skip(assignment_id=held.pk, annotator=cast.reviewer)
    assert item.pk in seen
