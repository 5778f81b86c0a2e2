"""Reads about alerts: what is open, what has happened lately, who is told, which worker is silent."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import Max, Min, Q, QuerySet
from django.utils import timezone

from annotation.models.alert import Alert, AlertDelivery, AlertTarget
from annotation.models.project import Project
from annotation.models.worker import WorkerHeartbeat
from annotation.selectors import WORKER_ALIVE_SECONDS

SILENT_SECONDS = 120  # a worker that starts again sooner was not missing
SHOWN = 50


def open_alerts(project: Project) -> list[Alert]:
    """What nobody has put aside and is not over, newest first: the bar on top of the monitor."""
    alerts = Alert.objects.filter(project=project, ended_at=None, seen_by=None)
    return list(alerts.select_related("project", "annotator").order_by("-raised_at", "-pk"))


def open_count(project: Project) -> int:
    """For the badge on the tab: one short look into an index of the open ones."""
    return Alert.objects.filter(project=project, ended_at=None, seen_by=None).count()


def latest_alerts(project: Project) -> QuerySet[Alert]:
    """Every alert with whoever put it aside: what is open comes first, then the newest."""
    alerts = Alert.objects.filter(project=project).select_related("project", "annotator", "seen_by")
    is_open = Q(ended_at=None, seen_by=None)
    return alerts.annotate(first=is_open).order_by("-first", "-raised_at", "-pk")


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


def up_since() -> datetime | None:
    """When the longest-running of the workers that are alive started; none: nobody is.

    Before, everything may have been down together, and nobody was missing.
    """
    since = timezone.now() - timedelta(seconds=WORKER_ALIVE_SECONDS)
    alive = WorkerHeartbeat.objects.filter(seen_at__gte=since)
    up: datetime | None = alive.aggregate(up=Min("started_at"))["up"]
    return up


def is_silent(last: datetime | None, up: datetime | None) -> bool:
    """Whether a queue last seen then is missing: two minutes without a sign, with others there to see it."""
    longest = timedelta(seconds=SILENT_SECONDS)
    return last is not None and max(last, up or last) < timezone.now() - longest
