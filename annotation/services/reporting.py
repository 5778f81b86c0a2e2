"""The report on a project's labels, reckoned in the background and read by the monitoring page.

A million judgments take some seconds, a page may not. So whatever the page says comes from one row, made anew
when something has changed: at once, before the page is written, where that takes no time, and by a worker
otherwise. Each turn of the worker also follows the policy on annotators; a page never does.
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

import numpy as np
import psycopg
from celery import current_app
from django.db import connection, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts.models import AuditEntry
from annotation import annotator_selectors, item_selectors, monitor_selectors
from annotation.aggregation import comparing
from annotation.aggregation.comparing import Comparison
from annotation.aggregation.shares import UnusableVotesError
from annotation.agreement.drift import Drift
from annotation.annotator_selectors import Totals
from annotation.item_selectors import DisputedItem
from annotation.models.alert import Alert
from annotation.models.project import Project
from annotation.models.quality import ChangedItem, QualityReport
from annotation.models.work import Judgment
from annotation.monitor_selectors import DayVolume
from annotation.plain import NotPlain, from_plain, to_plain
from annotation.rating_arrays import readings_of
from annotation.services import aggregating, alerting, assessing, drifting
from annotation.services.agreement_parts import AgreementInParts, agreement_in_parts
from annotation.services.assessing import Quality
from annotation.services.fitting import PairVotes

logger = logging.getLogger(__name__)

TASK: Final = "annotation.report"
REGROUPED: Final = "group changed"  # as accounts.services.membership records it
AT_ONCE: Final = 0.5  # seconds a report may take to be made while somebody waits for the page
FEW: Final = 2_000  # judgments: a first report on more is left to a worker
REST: Final = 5  # a worker rests so many times as long as the last report took, and `LEAST_REST`
LEAST_REST: Final = timedelta(seconds=5)
OLDEST: Final = timedelta(hours=1)  # after that it is made anew though nothing seems to have changed
KEPT: Final = 8  # reports that a process remembers
COMPARED_ANEW: Final = 0.1  # growth of the votes
WAIT: Final = 0.2  # seconds between two looks at what somebody else is making
SEED: Final = 20_260_102


@dataclass(frozen=True)
class Report:
    """Everything the page says but who works now and what is alarmed. See the classes for the meanings."""

    totals: Totals
    people: tuple[Quality, ...]
    agreement: tuple[AgreementInParts, ...]  # by criterion, the main one first
    drift: Drift
    days: tuple[DayVolume, ...]
    times: tuple[int, ...]
    tops: tuple[tuple[int | None, int], ...]  # of rankings: the position that came first, how often
    points: tuple[tuple[int, int], ...]  # of ratings
    disputed: tuple[DisputedItem, ...]
    methods: Comparison | None  # of ways to make labels; None: too few votes to say


def latest(project: Project) -> QualityReport | None:
    """The report to show: fresh where that is quick, else the last one while a worker makes the next.

    Its body, which may be a megabyte, is left to `read`: most polls end before anybody asks for it.
    """
    stored = stored_report(project)
    if stored is not None and not _readable(stored):
        stored = None
    if stored is not None and not _outdated(project, stored):
        return stored
    if stored.seconds <= AT_ONCE if stored is not None else _few(project):
        return make(project=project)
    wake(project)
    return stored


def stored_report(project: Project) -> QualityReport | None:
    """As it was made last, without its body."""
    return QualityReport.objects.filter(project=project).defer("body").first()


def read(stored: QualityReport) -> Report:
    """What the report says; restored once in each process, not for every page."""
    return _restored(stored.pk, stored.version, stored.computed_at)


@lru_cache(maxsize=KEPT)
def _restored(pk: int, _version: int, _computed_at: datetime) -> Report:
    return from_plain(Report, QualityReport.objects.values_list("body", flat=True).get(pk=pk))


def _readable(stored: QualityReport) -> bool:
    """Whether this release still understands it: one that an earlier release made may be of another shape."""
    try:
        read(stored)
    except (NotPlain, TypeError, KeyError, ValueError):
        return False
    return True


def report_of(project: Project) -> Report:
    """The latest report; made now, however long it takes, where there is none."""
    stored = latest(project) or make(project=project)
    while stored is None:  # somebody else is making the first one
        time.sleep(WAIT)
        stored = make(project=project)
    return read(stored)


def turn(*, project: Project) -> bool:
    """What a worker does every few seconds: where something has changed, follow the policy, report anew."""
    stored = stored_report(project)
    now = timezone.now()
    if stored is not None:
        rest = max(LEAST_REST, timedelta(seconds=REST * stored.seconds))
        due = not _readable(stored) or _outdated(project, stored) or now - stored.computed_at > OLDEST
        if not due or now - stored.computed_at < rest:
            return False
    elif not Judgment.objects.filter(item__project=project).exists():
        return False
    made = make(project=project, follow_policy=True)
    if made is None:
        return False
    _alarm(project, read(made))
    return True


def turn_all() -> int:
    """`turn` of every running project; how many reports that made."""
    running = Project.objects.filter(state=Project.State.RUNNING).order_by("pk")
    return sum(turn(project=project) for project in running)


def make(*, project: Project, follow_policy: bool = False) -> QualityReport | None:
    """Reckon and store the report. While another process does the same: whatever there is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [f"report/{project.pk}"])
        (mine,) = cursor.fetchone()
        if not mine:
            return QualityReport.objects.filter(project=project).first()
        try:
            return _make(project, follow_policy=follow_policy)
        finally:
            if not connection.needs_rollback:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [f"report/{project.pk}"])


def wake(project: Project) -> bool:
    """Ask a worker for a report; False: the broker is away, and the next turn finds what has changed."""
    try:
        current_app.send_task(TASK, args=[project.pk], retry=False)
    except (OperationalError, psycopg.Error, OSError) as error:
        logger.warning("no worker could be asked for a report yet: %s", error)
        return False
    return True


def _make(project: Project, *, follow_policy: bool) -> QualityReport:
    began = time.monotonic()
    before = stored_report(project)
    aggregating.refresh(project=project)
    QualityReport.objects.filter(project=project).update(stale=False)  # what changes from here on is news
    given = assessing.peer_votes(project)
    people = assessing.qualities(project, given)
    if follow_policy and assessing.apply(project=project, found=people):
        aggregating.refresh(project=project)
        QualityReport.objects.filter(project=project).update(stale=False)
        given = assessing.peer_votes(project)
        people = assessing.qualities(project, given)
    main = readings_of(project, project.main_criterion)
    rows = [one.row for one in people]
    pairwise, kind = project.kind == Project.Kind.PAIRWISE, project.kind
    report = Report(
        totals=annotator_selectors.totals(rows),
        people=tuple(people),
        agreement=tuple(agreement_in_parts(project=project, main=main)),
        drift=drifting.drift_of(main.main),
        days=tuple(monitor_selectors.volume_by_day(project)),
        times=tuple(monitor_selectors.times(project)),
        tops=() if pairwise else tuple(annotator_selectors.on_top(project)),
        points=tuple(annotator_selectors.points(project)) if kind == Project.Kind.RATING else (),
        disputed=tuple(item_selectors.disputed(project)),
        methods=_methods(given, before),
    )
    values = {
        "body": to_plain(report),
        "seconds": time.monotonic() - began,
        "computed_at": timezone.now(),
        "version": before.version + 1 if before is not None else 1,
    }
    with transaction.atomic():
        stored, _new = QualityReport.objects.update_or_create(project=project, defaults=values)
    return stored


def _methods(given: PairVotes, before: QualityReport | None) -> Comparison | None:
    """Which way of making labels fits; compared anew once the votes have grown by a tenth."""
    n = int((given.votes.weight > 0).sum())
    known = read(before).methods if before is not None and _readable(before) else None
    if known is not None:
        votes = next(iter(known.scores.values())).votes
        if abs(n - votes) <= COMPARED_ANEW * votes:
            return known
    try:
        return comparing.compared(given.votes, rng=np.random.default_rng(SEED))
    except UnusableVotesError:
        return None


def _alarm(project: Project, report: Report) -> None:
    """Raise what the report gives cause for, and end what it no longer does."""
    if report.drift.fallen:
        figures = {
            "criterion": project.main_criterion,
            "before": report.drift.before,
            "now": report.drift.now,
            "low": report.drift.low,
            "high": report.drift.high,
            "units": list(report.drift.units),
        }
        alerting.raise_alert(project, Alert.Kind.AGREEMENT, figures=figures)
    elif report.drift.difference is not None:
        alerting.end(project, Alert.Kind.AGREEMENT)


def _outdated(project: Project, stored: QualityReport) -> bool:
    """Groups are changed in another app, which knows nothing of reports: the audit log tells of it."""
    return (
        stored.stale
        or ChangedItem.objects.filter(project=project).exists()
        or AuditEntry.objects.filter(project=project, action=REGROUPED, at__gt=stored.computed_at).exists()
    )


def _few(project: Project) -> bool:
    return Judgment.objects.filter(item__project=project)[: FEW + 1].count() <= FEW
