"""Whether background work is being done: `celery inspect` cannot say so on PGMQ, this row can."""

from typing import ClassVar

from django.db import models


class WorkerHeartbeat(models.Model):
    name = models.CharField(max_length=200, unique=True)
    queue = models.CharField(max_length=60)
    pid = models.IntegerField()
    host = models.CharField(max_length=200)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["queue", "-seen_at"], name="heartbeat_queue_seen"),
        ]

    def __str__(self) -> str:
        return f"{self.name} seen {self.seen_at:%H:%M:%S}"
