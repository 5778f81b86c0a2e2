"""Raise, end and put aside alerts. One is open at a time of each kind, and of each kind and annotator."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from accounts.services import audit
from annotation.models.alert import Alert, AlertDelivery, AlertTarget
from annotation.models.project import Project
from annotation.services import waking


@transaction.atomic
def raise_alert(
    project: Project, kind: str, annotator: User | None = None, figures: dict[str, Any] | None = None
) -> Alert | None:
    """The new alert, on its way to every target that wants its kind; None while one like it is open.

    The figures of an open one are brought up to date, and nobody is told again. In the caller's transaction:
    what is rolled back was never raised, and nothing is sent before the commit.
    """
    alert, new = Alert.objects.get_or_create(
        project=project, kind=kind, annotator=annotator, ended_at=None, defaults={"figures": figures or {}}
    )
    if not new:
        if figures is not None and figures != alert.figures:
            Alert.objects.filter(pk=alert.pk).update(figures=figures)
        return None
    targets = AlertTarget.objects.filter(project=project, kinds__contains=[kind])
    now = timezone.now()
    queued = [AlertDelivery(alert=alert, target=target, next_try_at=now) for target in targets]
    if AlertDelivery.objects.bulk_create(queued):
        transaction.on_commit(waking.wake_deliverer, robust=True)
    return alert


def end(project: Project, kind: str, annotator: User | None = None) -> bool:
    """What the alert was about is over; False where none was open."""
    standing = Alert.objects.filter(project=project, kind=kind, annotator=annotator, ended_at=None)
    return bool(standing.update(ended_at=timezone.now()))


@transaction.atomic
def put_aside(*, alert: Alert, user: User) -> bool:
    """Nobody is reminded of it any more. It stays open, so that it is not raised again before it is over."""
    if not Alert.objects.filter(pk=alert.pk, seen_by=None).update(seen_by=user):
        return False
    detail = {"alert": alert.pk, "kind": alert.kind}
    audit.record(actor=user, project=alert.project, action="alert put aside", detail=detail)
    return True
