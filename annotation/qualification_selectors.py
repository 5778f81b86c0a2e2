"""Who may work in a project that asks for a qualification first."""

from collections.abc import Iterable

from accounts.models import Membership, Role, User
from annotation.models.learning import Attempt, Exercise, Waiver
from annotation.models.project import Project


def may_work(project: Project, annotator: User) -> bool:
    """Whether this person may be given items: no qualification is asked, or they passed, or need none.

    Reviewers and managers need none, and simulated annotators none either.
    """
    if not project.qualification_required or annotator.is_superuser:
        return True
    if annotator.origin != User.Origin.PERSON:
        return True
    others = Membership.objects.filter(user=annotator, project=project).exclude(role=Role.ANNOTATOR)
    return (
        Attempt.objects.filter(
            exercise__project=project,
            exercise__kind=Exercise.Kind.QUALIFICATION,
            annotator=annotator,
            passed=True,
        ).exists()
        or Waiver.objects.filter(project=project, annotator=annotator).exists()
        or others.exists()
    )


def unqualified_among(projects: Iterable[Project], annotator: User) -> set[int]:
    """The projects that would not give this person items before a qualification, in three queries at most."""
    asking = {project.pk for project in projects if project.qualification_required}
    if not asking or annotator.is_superuser or annotator.origin != User.Origin.PERSON:
        return set()
    passed = Attempt.objects.filter(
        exercise__project__in=asking,
        exercise__kind=Exercise.Kind.QUALIFICATION,
        annotator=annotator,
        passed=True,
    )
    waived = Waiver.objects.filter(project__in=asking, annotator=annotator)
    others = Membership.objects.filter(user=annotator, project__in=asking).exclude(role=Role.ANNOTATOR)
    return (
        asking
        - set(passed.values_list("exercise__project", flat=True))
        - set(waived.values_list("project", flat=True))
        - set(others.values_list("project", flat=True))
    )
