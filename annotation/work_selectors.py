"""One's own work, newest first, a page at a time.

Known items and silent repeats are rows like any others: nothing here asks what an item is. What waits unseen
behind the screen, and what left again unseen, is not shown: it may yet go to somebody else.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final, TypedDict

from django.db.models import CharField, DateTimeField, F, Func, Prefetch, Q, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast, Coalesce
from django.utils import timezone

from accounts.models import User
from annotation.models.project import Project
from annotation.models.work import Assignment, Draft, Judgment

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

PAGE: Final = 25
STATES: Final = ("draft", "pending", "submitted", "skipped", "flagged", "expired")

_IN_STATE: Final[dict[str, Q]] = {
    "draft": Q(state=Assignment.State.OPEN, draft__isnull=False),
    "pending": Q(state=Assignment.State.OPEN, draft__isnull=True),
    "submitted": Q(state=Assignment.State.DONE),
    "skipped": Q(state=Assignment.State.SKIPPED),
    "flagged": Q(state=Assignment.State.FLAGGED),
    "expired": Q(state=Assignment.State.EXPIRED),
}

# The assignments whose standing answer says so on the screen it was given on, under any criterion.
_ANSWERED: Final = """
    SELECT j.assignment_id FROM annotation_judgment j JOIN annotation_answer a ON a.judgment_id = j.id
    JOIN annotation_assignment s ON s.id = j.assignment_id
    WHERE s.annotator_id = %s AND s.project_id = %s AND s.state = 'done' AND {condition}
      AND NOT EXISTS (SELECT 1 FROM annotation_judgment n WHERE n.supersedes_id = j.id)
"""
_SIDE: Final = """
    CASE WHEN j.display_order = '{1,0}' AND a.choice = 'a' THEN 'b'
         WHEN j.display_order = '{1,0}' AND a.choice = 'b' THEN 'a' ELSE a.choice END = %s
"""
_RANKED_FIRST: Final = "a.ranks[j.display_order[%s] + 1] = 1"  # SQL counts from 1
_RATED: Final = "%s = ANY(a.ratings)"


@dataclass(frozen=True)
class Filters:
    """What to show. answer: a, b, tie, both_bad; the letter ranked first; or the points given."""

    state: str = ""
    answer: str = ""
    text: str = ""
    since: date | None = None
    until: date | None = None

    @property
    def any(self) -> bool:
        return bool(self.state or self.answer or self.text or self.since or self.until)


@dataclass(frozen=True)
class Place:
    """Where a page begins: after the row of this time and number."""

    at: datetime
    pk: int


class At(TypedDict):
    at: datetime  # when something last happened to it


@dataclass(frozen=True)
class Own:
    """One row: the assignment, when something last happened to it, and the answer that stands."""

    assignment: Assignment
    at: datetime
    state: str
    draft: Draft | None
    judgment: Judgment | None
    begun_at: datetime


@dataclass(frozen=True)
class OwnPage:
    rows: tuple[Own, ...]
    after: Place | None  # where the next page begins; none: this is the last


def own_work(project: Project, annotator: User, filters: Filters, after: Place | None = None) -> OwnPage:
    """Three queries, however much there is."""
    found = _filtered(_shown(project, annotator), project, annotator, filters)
    if after is not None:
        found = found.filter(Q(at__lt=after.at) | Q(at=after.at, pk__lt=after.pk))
    given = Judgment.objects.order_by("pk").prefetch_related("answers")
    rows = list(
        found.select_related("item__prompt", "draft")
        .prefetch_related(Prefetch("judgments", queryset=given))
        .order_by("-at", "-pk")[: PAGE + 1]
    )
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    return OwnPage(
        rows=tuple(_own(row, project) for row in rows[:PAGE]),
        after=Place(last.at, last.pk) if last else None,
    )


def answers_offered(project: Project) -> Sequence[str]:
    """The values of the answer filter."""
    question = project.question
    if question.kind == "pairwise":
        left_out = {"tie": question.ties, "both_bad": question.both_bad}
        return [choice for choice in ("a", "b", "tie", "both_bad") if left_out.get(choice, True)]
    if question.kind == "rating":
        return [str(points) for points in range(1, question.points + 1)]
    return list("ABCDEFGH")


def _shown(project: Project, annotator: User) -> "QuerySet[WithAnnotations[Assignment, At]]":
    unseen = Q(state__in=[Assignment.State.OPEN, Assignment.State.EXPIRED], shown_at__isnull=True)
    return (
        Assignment.objects.filter(project=project, annotator=annotator)
        .exclude(unseen)
        .annotate(at=Coalesce("finished_at", "shown_at", "created_at", output_field=DateTimeField()))
    )


def _filtered(
    found: "QuerySet[WithAnnotations[Assignment, At]]", project: Project, annotator: User, filters: Filters
) -> "QuerySet[WithAnnotations[Assignment, At]]":
    if filters.state in _IN_STATE:
        found = found.filter(_IN_STATE[filters.state])
    if filters.since:
        found = found.filter(at__gte=_begin(filters.since))
    if filters.until:
        found = found.filter(at__lt=_begin(filters.until + timedelta(days=1)))
    if filters.text:
        said = Func(
            F("item__prompt__messages"), Value("$[*].content"), function="jsonb_path_query_array",
            template="%(function)s(%(expressions)s::jsonpath)", output_field=CharField(),
        )  # fmt: skip
        written = json.dumps(filters.text, ensure_ascii=False)[1:-1]  # as it stands in JSON
        found = found.annotate(said=Cast(said, CharField())).filter(said__icontains=written)
    if filters.answer in answers_offered(project):
        found = found.filter(pk__in=_answered(project, annotator, filters.answer))
    return found


def _answered(project: Project, annotator: User, answer: str) -> RawSQL:
    value: str | int
    if project.kind == Project.Kind.PAIRWISE:
        condition, value = _SIDE, answer
    elif project.kind == Project.Kind.RANKING:
        condition, value = _RANKED_FIRST, "ABCDEFGH".index(answer) + 1
    else:
        condition, value = _RATED, int(answer)
    statement = _ANSWERED.replace("{condition}", condition)  # one of the three above
    return RawSQL(statement, [annotator.pk, project.pk, value])  # noqa: S611


def _begin(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _own(row: "WithAnnotations[Assignment, At]", project: Project) -> Own:
    draft = getattr(row, "draft", None)
    judgments = list(row.judgments.all())
    state = next(name for name in STATES if _is(row, draft, name))
    row.project = project
    return Own(
        assignment=row,
        at=row.at,
        state=state,
        draft=draft,
        judgment=judgments[-1] if judgments and state == "submitted" else None,
        begun_at=row.shown_at or row.created_at,
    )


def _is(row: Assignment, draft: Draft | None, name: str) -> bool:
    if row.state == Assignment.State.OPEN:
        return name == ("pending" if draft is None else "draft")
    return name == {"done": "submitted"}.get(row.state, row.state)
