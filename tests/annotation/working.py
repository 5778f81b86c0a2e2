"""What people do with an assignment, in few words."""

from datetime import timedelta

from django.utils import timezone

from annotation.models.work import Assignment
from annotation.services import judging


def let_lease_run_out(assignment: Assignment) -> None:
    Assignment.objects.filter(pk=assignment.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def answer(assignment: Assignment, choice: str = "a", key: str = "") -> judging.Submission:
    return judging.submit(
        assignment_id=assignment.pk,
        annotator=assignment.annotator,
        choice=choice,
        idempotency_key=key or f"key-{assignment.pk}-{choice}",
    )
