"""Reads about alerts: what is open, what has happened lately, who is told, which worker is silent."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import F, Max, QuerySet
from django.utils import timezone

from annotation.models.project import Project
from annotation.models.trust import Alert, AlertDelivery, AlertTarget
from annotation.models.worker import WorkerHeartbeat

SILENT_SECONDS = 120  # a worker that starts again sooner was not missing
SHOWN = 50


def open_alerts(project: Project) -> list[Alert]:
    """What nobody has put aside and is not over, newest first: the bar on top of the monitor."""
    alerts = Alert.objects.filter(project=project, ended_at=None, seen_by=None)
    return list(alerts.select_related("project", "annotator").order_by("-raised_at", "-pk"))


def latest_alerts(project: Project) -> QuerySet[Alert]:
    """Every alert with whoever put it aside: what is open comes first, then the newest."""
    alerts = Alert.objects.filter(project=project).select_related("project", "annotator", "seen_by")
    return alerts.order_by(F("ended_at").desc(nulls_first=True), "-raised_at", "-pk")


def targets(project: Project) -> QuerySet[AlertTarget]:
    return AlertTarget.objects.filter(project=project).order_by("channel", "address")


def latest_deliveries(project: Project) -> QuerySet[AlertDelivery]:
    """The newest first; a page shows as many as it likes."""
    deliveries = AlertDelivery.objects.filter(target__project=project)
    return deliveries.select_related("alert__project", "alert__annotator", "target").order_by("-pk")


def last_seen(queues: Collection[str]) -> dict[str, datetime]:
    """When each queue's latest worker gave its last sign of life; a queue without any is left out."""
    found: dict[str, datetime] = {}
    rows = WorkerHeartbeat.objects.values_list("queue").annotate(last=Max("seen_at"))
    for names, seen in rows:  # one worker may serve several queues: "light,training"
        for queue in names.split(","):
            if queue in queues:
                found[queue] = max(seen, found.get(queue, seen))
    return found


def is_silent(queue: str) -> bool:
    """Whether the queue had a worker within a day and it has given no sign of life for two minutes."""
    seen = last_seen([queue]).get(queue)
    return seen is not None and seen < timezone.now() - timedelta(seconds=SILENT_SECONDS)
