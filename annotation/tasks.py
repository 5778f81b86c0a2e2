"""Background work: thin, idempotent, safe to run twice."""

from celery import shared_task

from annotation.models.project import Project
from annotation.services import (
    aggregating,
    assigning,
    delivering,
    noticing,
    reporting,
    spot_checking,
    waking,
)


@shared_task(name="annotation.expire_leases")
def expire_leases() -> int:
    """Give back the slots of people who left."""
    return assigning.expire_leases()


@shared_task(name="annotation.rebuild_soft_labels")
def rebuild_soft_labels(project_id: int) -> int:
    return aggregating.rebuild(project=Project.objects.get(pk=project_id))


@shared_task(name="annotation.check_alerts")
def check_alerts() -> int:
    """Does work run out, is a worker missing?"""
    return noticing.check_all()


@shared_task(name=reporting.TASK)
def report(project_id: int) -> bool:
    """Somebody looks at the monitoring page of a project that has changed."""
    project = Project.objects.filter(pk=project_id).first()
    return project is not None and reporting.turn(project=project)


@shared_task(name="annotation.report_all")
def report_all() -> int:
    """Labels, quality, policy and reports of every running project that has changed."""
    return reporting.turn_all()


@shared_task(name=waking.DELIVER)
def deliver_alerts() -> int:
    """Send what waits and is due."""
    return delivering.deliver_due()


@shared_task(name="annotation.draw_spot_checks")
def draw_spot_checks() -> int:
    """Put finished items that chance chose before the reviewers."""
    return spot_checking.draw_everywhere()
