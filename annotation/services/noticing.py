"""Look whether somebody should be told: the work runs out, or a worker is missing. Every minute.

**The queue runs dry** when people are at work and
- fewer places are open than were filled in the last 30 minutes, or none is; or
- the few that are open are all on items which those at work have answered already.
It has filled up again once there are twice as many as the pace asks for; a lunch break in which the pace
falls ends nothing. A project that is finished, with nobody working on it, raises nothing.

**A worker is missing** when a queue that had one within a day has been silent for two minutes. One sign of
life within the last half minute ends it; in between everything stays as it is, so that a worker that comes
and goes is told of once. When everything was down together nobody was missing: the two minutes count from
when the first of those that are alive came back.
"""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from annotation import alert_selectors
from annotation.models.alert import Alert
from annotation.models.project import Project
from annotation.selectors import WORKER_ALIVE_SECONDS
from annotation.services import alerting
from annotation.services.supply import PACE, Supply, supply_of

QUEUES = ("light", "training", "scheduler")
ENOUGH = 2  # times the pace

Figures = dict[str, Any]


def check_all() -> int:
    """Every running project, and whichever is not but still has such an alert; how many were raised."""
    kinds = (Alert.Kind.QUEUE, Alert.Kind.WORKER)
    stopped = Project.objects.exclude(state=Project.State.RUNNING)
    for project in stopped.filter(alerts__ended_at=None, alerts__kind__in=kinds).distinct():
        for kind in kinds:
            alerting.end(project, kind)
    return sum(len(check(project)) for project in Project.objects.filter(state=Project.State.RUNNING))


def check(project: Project) -> list[Alert]:
    """The alerts that are new; those that are over end. Twice is the same as once."""
    standing = {
        alert.kind: alert.figures
        for alert in Alert.objects.filter(project=project, annotator=None, ended_at=None)
    }
    found = {
        Alert.Kind.QUEUE: _runs_dry(supply_of(project), standing.get(Alert.Kind.QUEUE)),
        Alert.Kind.WORKER: _missing(standing.get(Alert.Kind.WORKER)),
    }
    raised = []
    for kind, figures in found.items():
        if figures is None:
            alerting.end(project, kind)
        elif alert := alerting.raise_alert(project, kind, figures=figures):
            raised.append(alert)
    return raised


def _runs_dry(supply: Supply, standing: Figures | None) -> Figures | None:
    """The figures of the alert while there is reason for one."""
    before = standing or {}
    short = supply.people > 0 and (supply.left == 0 or supply.left < supply.answered or supply.closed)
    pace = max(supply.answered, before.get("answered", 0))
    closed = supply.closed or (before.get("closed", False) and not supply.people)
    still = standing is not None and (closed or supply.left < ENOUGH * max(pace, 1))
    if not short and not still:
        return None
    return {
        "left": supply.left,
        "answered": pace,
        "minutes": int(PACE.total_seconds() // 60),
        "closed": closed,
    }


def _missing(standing: Figures | None) -> Figures | None:
    """Each queue without a worker and since when. What was missing is so until there is a sign of life."""
    before: dict[str, str] = (standing or {}).get("queues", {})
    seen, up = alert_selectors.last_seen(QUEUES), alert_selectors.up_since()
    back = timezone.now() - timedelta(seconds=WORKER_ALIVE_SECONDS)
    missing = {}
    for queue in QUEUES:
        last = seen.get(queue)  # none: forgotten after a day, or never there, and nobody expects it
        if queue in before and (last is None or last < back):
            missing[queue] = before[queue]
        elif last is not None and queue not in before and alert_selectors.is_silent(last, up):
            missing[queue] = last.isoformat(timespec="seconds")
    return {"queues": missing} if missing else None
