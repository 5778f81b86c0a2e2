"""What people do with an assignment, in few words."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from annotation.models.work import Assignment
from annotation.services import assigning, judging
from tests import factories


def let_lease_run_out(assignment: Assignment) -> None:
    """An hour ago: to the database it is the moment at which the test's transaction began."""
    Assignment.objects.filter(pk=assignment.pk).update(lease_expires_at=timezone.now() - timedelta(hours=1))


def answer(
    assignment: Assignment, choice: str = "a", key: str = "", *, replaces: int | None = None
) -> judging.Submission:
    """The same choice under every criterion of a pairwise project."""
    return judging.submit(
        assignment_id=assignment.pk,
        annotator=assignment.annotator,
        answers=judging.pairwise(assignment.project, choice),
        idempotency_key=key or f"key-{assignment.pk}-{choice}",
        replaces=replaces,
    )


def held(overlap: int = 3) -> Assignment:
    """Somebody's open hold on the only item of a pairwise project."""
    project = factories.project(overlap=overlap, reasons=["factual error", "unsafe"])
    factories.pair_item(project)
    claimed = assigning.claim(project=project, annotator=factories.user())
    assert claimed is not None
    return claimed


def send(assignment: Assignment, choice: str = "a", key: str = "k1", **fields: Any) -> judging.Submission:
    """Like `answer`, with whatever else belongs to a submission."""
    return judging.submit(
        assignment_id=assignment.pk,
        annotator=assignment.annotator,
        answers=judging.pairwise(assignment.project, choice),
        idempotency_key=key,
        **fields,
    )
