"""How far one person and the whole project are.

One's own work is counted from one's own assignments, so that known items and silent repeats count like any
others. What is counted over the whole project is kept for half a minute in each process: nobody's next item
waits for a count of a million rows.
"""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time

from django.core.cache import cache
from django.db import connection
from django.db.models import Count, Q, Sum
from django.utils import timezone

from accounts.models import User
from annotation.answering.answer import Answer as Given
from annotation.answering.credit import RIGHT
from annotation.answering.expert import judgment_credit
from annotation.gold_selectors import ROUNDING
from annotation.models.project import Project
from annotation.models.quality import GoldAnswer
from annotation.models.work import Answer, Assignment, Item, Judgment
from annotation.selectors import may_be_changed

TOTALS_SECONDS = 30
PACE_SECONDS = 30
ACCURACY_SECONDS = 3600
FEWEST_GOLD = 10  # with fewer, a change in the share would tell which item was known
FEWEST_FOR_PACE = 3


@dataclass(frozen=True)
class Totals:
    """The items of a project, gold apart; one is done when every slot is taken."""

    done: int = 0
    total: int = 0
    open_slots: int = 0

    @property
    def percent(self) -> int:
        """All of it only when nothing is missing."""
        if not self.total:
            return 0
        return min(round(100 * self.done / self.total), 100 if self.done == self.total else 99)


@dataclass(frozen=True)
class _Pace:
    median_seconds: float
    per_hour: int


@dataclass(frozen=True)
class Accuracy:
    right: int
    answered: int

    @property
    def percent(self) -> int:
        return round(100 * self.right / self.answered)


@dataclass(frozen=True)
class Progress:
    """One annotator's work in a project, and the project's. Seconds are those the item was in view."""

    mine: int
    mine_today: int
    done: int
    total: int
    open_slots: int
    goal: int | None = None  # answers a day
    median_seconds: float | None = None  # per item, today
    per_hour: int | None = None  # answers per hour in view, today
    accuracy: Accuracy | None = None  # on known items, up to last midnight

    @property
    def percent(self) -> int:
        """Of the project."""
        return Totals(self.done, self.total, self.open_slots).percent

    @property
    def toward_goal(self) -> int:
        """Where the bar of the day stands."""
        return min(self.mine_today, self.goal or 0)

    @property
    def goal_reached(self) -> bool:
        return self.goal is not None and self.mine_today >= self.goal > 0


def midnight() -> datetime:
    """When today began."""
    return timezone.make_aware(datetime.combine(timezone.localdate(), time.min))


def progress(project: Project, annotator: User, *, fresh: bool = False) -> Progress:
    """`fresh`: the project's totals are counted now, not taken from the last half minute."""
    today = midnight()
    mine, mine_today = _answered(project, annotator, today)
    totals = totals_of([project.pk], fresh=fresh)[project.pk]
    pace = _pace(project, annotator, today) if mine_today >= FEWEST_FOR_PACE else None
    return Progress(
        mine=mine,
        mine_today=mine_today,
        done=totals.done,
        total=totals.total,
        open_slots=totals.open_slots,
        goal=project.daily_goal or None,
        median_seconds=pace.median_seconds if pace else None,
        per_hour=pace.per_hour if pace else None,
        accuracy=accuracy(project, annotator) if project.show_accuracy else None,
    )


def totals_of(project_ids: Iterable[int], *, fresh: bool = False) -> dict[int, Totals]:
    """The totals of each project: one query for those that are not known from the last half minute."""
    keys = {_totals_key(pk): pk for pk in project_ids}
    known: dict[str, Totals] = {} if fresh else cache.get_many(list(keys))
    missing = [pk for key, pk in keys.items() if key not in known]
    counted = dict.fromkeys(missing, Totals())
    if missing:
        rows = (
            Item.objects.filter(project__in=missing, is_gold=False)
            .values_list("project")
            .annotate(done=Count("pk", filter=Q(slots_left=0)), all=Count("pk"), slots=Sum("slots_left"))
        )
        counted |= {pk: Totals(done, total, slots or 0) for pk, done, total, slots in rows}
        cache.set_many({_totals_key(pk): totals for pk, totals in counted.items()}, TOTALS_SECONDS)
    return {pk: counted.get(pk) or known[key] for key, pk in keys.items()}


def accuracy(project: Project, annotator: User) -> Accuracy | None:
    """The share of right answers to known items as it stood at midnight; None with too few of them.

    An answer that is changed today changes nothing before tomorrow: otherwise one could find the known items
    by changing answers one at a time.
    """
    key = f"laurel/accuracy/{project.pk}/{annotator.pk}/{timezone.localdate()}"
    known = cache.get(key)
    if known is None:
        known = _accuracy(project, annotator, before=midnight())
        cache.set(key, known, ACCURACY_SECONDS)
    found: Accuracy = known
    return found if found.answered >= FEWEST_GOLD else None


_ANSWERED = """
    SELECT count(*), count(*) FILTER (WHERE finished_at >= %s) FROM annotation_assignment
    WHERE annotator_id = %s AND project_id = %s AND state = 'done'
"""


def _answered(project: Project, annotator: User, since: datetime) -> tuple[int, int]:
    """How many items one person has answered, and how many of them since then."""
    with connection.cursor() as cursor:
        cursor.execute(_ANSWERED, [since, annotator.pk, project.pk])
        answered: tuple[int, int] = cursor.fetchone()
    return answered


def _totals_key(project_id: int) -> str:
    return f"laurel/totals/{project_id}"


def _pace(project: Project, annotator: User, since: datetime) -> _Pace | None:
    """Of first answers given since then; known from the last half minute, for it changes slowly."""
    key = f"laurel/pace/{project.pk}/{annotator.pk}/{since.date()}"
    known: _Pace | None = cache.get(key)
    if known is not None:
        return known
    seconds = Judgment.objects.filter(
        annotator=annotator,
        judged_at__gte=since,
        assignment__project=project,
        supersedes__isnull=True,
        seconds__gt=0,
    ).values_list("seconds", flat=True)
    measured = [each for each in seconds if each is not None]
    if len(measured) < FEWEST_FOR_PACE:
        return None
    pace = _Pace(statistics.median(measured), round(len(measured) * 3600 / sum(measured)))
    cache.set(key, pace, PACE_SECONDS)
    return pace


def _accuracy(project: Project, annotator: User, *, before: datetime) -> Accuracy:
    """What is right is told as on the monitor: by the judgment's credit, retired gold left out.

    What stood at that moment counts.
    """
    stood: dict[int, int] = {}  # item: judgment
    rows = (
        Judgment.objects.filter(
            annotator=annotator,
            item__project=project,
            item__is_gold=True,
            item__retired_at__isnull=True,
            judged_at__lt=before,
        )
        .filter(
            Q(assignment__isnull=True)
            | Q(assignment__state=Assignment.State.DONE)
            | Q(assignment__finished_at__gte=before)
        )
        .order_by("judged_at", "pk")
        .values_list("item", "pk")
    )
    for item, judgment in rows:
        stood[item] = judgment
    expert: dict[int, dict[str, Given]] = {}
    for gold in GoldAnswer.objects.filter(item__in=stood):
        expert.setdefault(gold.item_id, {})[gold.criterion] = _plain(gold)
    given: dict[int, dict[str, Given]] = {}
    for answer in Answer.objects.filter(judgment__in=stood.values()):
        given.setdefault(answer.judgment_id, {})[answer.criterion] = _plain(answer)
    credits = [
        judgment_credit(given.get(stood[item], {}), answers, project.question)
        for item, answers in expert.items()
    ]
    counted = [credit for credit in credits if credit is not None]
    return Accuracy(sum(credit >= RIGHT - ROUNDING for credit in counted), len(counted))


def _plain(row: Answer | GoldAnswer) -> Given:
    return Given(
        row.criterion,
        row.choice,
        ranks=None if row.ranks is None else tuple(row.ranks),
        ratings=None if row.ratings is None else tuple(row.ratings),
    )


@dataclass(frozen=True)
class OwnWork:
    """What a person has done and has waiting in one project."""

    done: int = 0
    today: int = 0
    drafts: int = 0
    held: int = 0  # on their screen or behind it
    to_reopen: int = 0  # answers that may still be changed


def own_work(annotator: User, project_ids: Iterable[int]) -> dict[int, OwnWork]:
    """Of several projects, in one query."""
    done, opened = Q(state=Assignment.State.DONE), Q(state=Assignment.State.OPEN)
    rows = (
        Assignment.objects.filter(annotator=annotator, project__in=list(project_ids))
        .values("project")
        .annotate(
            done=Count("pk", filter=done),
            today=Count("pk", filter=done & Q(finished_at__gte=midnight())),
            drafts=Count("pk", filter=opened & Q(draft__isnull=False)),
            held=Count("pk", filter=opened),
            to_reopen=Count("pk", filter=may_be_changed()),
        )
    )
    return {
        row["project"]: OwnWork(row["done"], row["today"], row["drafts"], row["held"], row["to_reopen"])
        for row in rows
    }
