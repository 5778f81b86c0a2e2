"""Background work: thin, idempotent, safe to run twice."""

from celery import shared_task

from annotation.models.project import Project
from annotation.services import aggregating, assigning, noticing


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
