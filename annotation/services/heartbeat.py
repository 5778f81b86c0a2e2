"""A worker's sign of life."""

from datetime import datetime, timedelta

from django.utils import timezone

from annotation.models.worker import WorkerHeartbeat

FORGET_AFTER = timedelta(days=1)


def beat(*, name: str, queue: str, pid: int, host: str, started_at: datetime) -> None:
    """Write the worker's row, and forget workers silent for a day."""
    now = timezone.now()
    WorkerHeartbeat.objects.update_or_create(
        name=name,
        defaults={"queue": queue, "pid": pid, "host": host, "started_at": started_at, "seen_at": now},
    )
    WorkerHeartbeat.objects.filter(seen_at__lt=now - FORGET_AFTER).delete()
