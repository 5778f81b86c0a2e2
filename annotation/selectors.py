"""Reads about projects and work. `project_for` is the one door: what is not yours does not exist."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection
from django.db.models import Count, DurationField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Now
from django.http import Http404
from django.utils import timezone

from accounts.models import Membership, Role, User
from annotation.columns import columns
from annotation.models.content import Response
from annotation.models.project import Guideline, Project
from annotation.models.work import Assignment, Draft, Item, Judgment
from annotation.models.worker import WorkerHeartbeat

JUDGES = frozenset({Role.ANNOTATOR, Role.REVIEWER, Role.MANAGER})
WATCHERS = frozenset({Role.REVIEWER, Role.MANAGER, Role.ENGINEER})
BUILDERS = frozenset({Role.MANAGER, Role.ENGINEER})
MANAGERS = frozenset({Role.MANAGER})
EVERYONE = frozenset(Role)

WORKER_ALIVE_SECONDS = 30


def role_in(user: User, project: Project) -> Role | None:
    """The user's role in the project; a superuser manages every project; None for an outsider."""
    membership = Membership.objects.filter(user=user, project=project).first()
    if membership is not None and not user.is_superuser:
        return Role(membership.role)
    return Role.MANAGER if user.is_superuser else None


def projects_of(user: User) -> QuerySet[Project]:
    """Every project the user may see, by name."""
    projects = Project.objects.order_by("name", "pk")
    return projects if user.is_superuser else projects.filter(memberships__user=user)


def project_for(user: User, slug: str, *, roles: Iterable[Role]) -> Project:
    """The project if the user holds one of `roles` in it; else Http404, whether it exists or not."""
    held: tuple[Project, Role] | None
    if user.is_superuser:
        project = Project.objects.filter(slug=slug).first()
        held = (project, Role.MANAGER) if project else None
    else:
        found = _joined(user, slug)
        held = (found, Role(found.role)) if found else None  # type: ignore[attr-defined]
    if held is None or held[1] not in set(roles):
        raise Http404("No such project.")
    return held[0]


# Asked at the top of every page, and between all items.
_JOINED = f"""
    SELECT {columns(Project, "p")}, m.role AS role,
        (SELECT max(g.version) FROM annotation_guideline g WHERE g.project_id = p.id) AS guideline_version,
        (SELECT s.display_order FROM annotation_assignment s
         WHERE s.id = %(assignment)s AND s.annotator_id = m.user_id AND s.project_id = p.id) AS display_order
    FROM accounts_membership m JOIN annotation_project p ON p.id = m.project_id
    WHERE m.user_id = %(user)s AND p.slug = %(slug)s
"""  # noqa: S608  texts of our own


def _joined(user: User, slug: str, assignment_id: int = 0) -> Project | None:
    """The project, with the member's `role`, its `guideline_version` and the assignment's `display_order`."""
    values = {"user": user.pk, "slug": slug, "assignment": assignment_id}
    return next(iter(Project.objects.raw(_JOINED, values)), None)


def memberships(user: User) -> list[tuple[Project, Role]]:
    """The user's projects with their role in each, by project name."""
    if user.is_superuser:
        return [(project, Role.MANAGER) for project in projects_of(user)]
    rows = Membership.objects.filter(user=user).select_related("project").order_by("project__name")
    return [(row.project, Role(row.role)) for row in rows]


def latest_guidelines(project: Project) -> Guideline | None:
    return project.guidelines.order_by("-version").first()


def open_to(project: Project, annotator: User) -> QuerySet[Item]:
    """Items with a free slot that this person has neither judged nor held; an expired hold is forgotten."""
    held = Assignment.objects.filter(item=OuterRef("pk"), annotator=annotator).exclude(
        state=Assignment.State.EXPIRED
    )
    judged = Judgment.objects.filter(item=OuterRef("pk"), annotator=annotator, live=True)
    return project.items.filter(slots_left__gt=0).filter(~Exists(held), ~Exists(judged))


@dataclass(frozen=True)
class Turn:
    role: str
    content: str


@dataclass(frozen=True)
class JudgingPage:
    """What the browser may know of an assignment: no model names, no origin, no gold."""

    assignment_id: int
    turns: tuple[Turn, ...]
    responses: tuple[str, ...]  # in display order
    category: str
    draft: Draft | None


# One statement with only what is shown: for each answer it runs once, and the models have many columns.
_PAGES = """
    SELECT s.id, p.messages, i.metadata ->> 'category', p.metadata ->> 'category',
        (SELECT array_agg(r.text ORDER BY x.position) FROM annotation_itemresponse x
         JOIN annotation_response r ON r.id = x.response_id WHERE x.item_id = i.id),
        d.id, d.version, d.body
    FROM annotation_assignment s
    JOIN annotation_item i ON i.id = s.item_id
    JOIN annotation_prompt p ON p.id = i.prompt_id
    LEFT JOIN annotation_draft d ON d.assignment_id = s.id
    WHERE s.id = ANY(%s)
"""


def judging_pages(assignments: Sequence[Assignment]) -> dict[int, JudgingPage]:
    """By assignment, in one query however many they are."""
    known = {assignment.pk: assignment for assignment in assignments}
    with connection.cursor() as cursor:
        cursor.execute(_PAGES, [list(known)])
        rows = cursor.fetchall()
    pages = {}
    for pk, messages, of_item, of_prompt, texts, draft_pk, version, body in rows:
        pages[pk] = JudgingPage(
            assignment_id=pk,
            turns=tuple(Turn(turn["role"], turn["content"]) for turn in json.loads(messages)),
            responses=tuple(texts[position] for position in known[pk].display_order),
            category=of_item or of_prompt or "",
            draft=Draft(pk=draft_pk, assignment_id=pk, body=json.loads(body), version=version)
            if draft_pk
            else None,
        )
    return pages


def own_assignment(user: User, project: Project, assignment_id: int) -> Assignment:
    """The user's own assignment in this project, or Http404."""
    assignment = Assignment.objects.filter(pk=assignment_id, annotator=user, project=project).first()
    if assignment is None:
        raise Http404("No such assignment.")
    assignment.project = project
    return assignment


def answered_in(user: User, slug: str, assignment_id: int) -> tuple[Project, list[int]]:
    """The project that somebody answers in, and in which order their assignment shows its responses.

    In one query for all but superusers. Raises Http404 as `project_for` and `own_assignment` do.
    """
    found = None if user.is_superuser else _joined(user, slug, assignment_id)
    if found is not None and Role(found.role) in JUDGES and found.display_order:  # type: ignore[attr-defined]
        return found, found.display_order  # type: ignore[attr-defined]
    project = project_for(user, slug, roles=JUDGES)
    return project, own_assignment(user, project, assignment_id).display_order


def may_be_changed() -> Q:
    """Of assignments: answered, and the answer may be changed; `services.assigning.may_reopen` of many."""
    hours = ExpressionWrapper(
        F("project__reopen_hours") * Value(timedelta(hours=1)), output_field=DurationField()
    )
    in_time = Q(project__reopen_hours__isnull=True) | Q(finished_at__gte=Now() - hours)
    unseen = ~Q(note__in=Assignment.KNOWS_THE_ANSWER)
    return Q(state=Assignment.State.DONE) & ~Q(project__state=Project.State.CLOSED) & in_time & unseen


@dataclass(frozen=True)
class Holdings:
    """What a project holds."""

    prompts: int
    responses: int
    items: int
    gold: int
    judgments: int
    annotators: int
    labelled_pairs: int


def holdings(project: Project) -> Holdings:
    items = project.items.aggregate(
        work=Count("pk", filter=Q(is_gold=False)), gold=Count("pk", filter=Q(is_gold=True))
    )
    judged = Judgment.objects.filter(item__project=project, live=True).aggregate(
        judgments=Count("pk"),
        annotators=Count("annotator", distinct=True),
        pairs=Count("item", distinct=True, filter=Q(item__is_gold=False)),
    )
    return Holdings(
        prompts=project.prompts.count(),
        responses=Response.objects.filter(prompt__project=project).count(),
        items=items["work"],
        gold=items["gold"],
        judgments=judged["judgments"],
        annotators=judged["annotators"],
        labelled_pairs=judged["pairs"],
    )


def worker_alive(queue: str) -> bool:
    """Whether a worker of this queue gave a sign of life in the last half minute."""
    since = timezone.now() - timedelta(seconds=WORKER_ALIVE_SECONDS)
    return WorkerHeartbeat.objects.filter(queue=queue, seen_at__gte=since).exists()
