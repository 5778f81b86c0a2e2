"""Reads about projects and work. `project_for` is the one door: what is not yours does not exist."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.http import Http404
from django.utils import timezone

from accounts.models import Membership, Role, User
from annotation.models.content import Response
from annotation.models.project import Guideline, Project
from annotation.models.work import Assignment, Item, Judgment
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
    project = Project.objects.filter(slug=slug).first()
    if project is None or role_in(user, project) not in set(roles):
        raise Http404("No such project.")
    return project


def memberships(user: User) -> list[tuple[Project, Role]]:
    """The user's projects with their role in each, by project name."""
    if user.is_superuser:
        return [(project, Role.MANAGER) for project in projects_of(user)]
    rows = Membership.objects.filter(user=user).select_related("project").order_by("project__name")
    return [(row.project, Role(row.role)) for row in rows]


def latest_guidelines(project: Project) -> Guideline | None:
    return project.guidelines.order_by("-version").first()


@dataclass(frozen=True)
class Progress:
    """How far one annotator and the whole project are. Gold counts for neither."""

    mine: int
    mine_today: int
    done: int
    total: int
    open_slots: int

    @property
    def percent(self) -> int:
        return round(100 * self.done / self.total) if self.total else 0


def progress(project: Project, annotator: User) -> Progress:
    """`done` and `total` count items; an item is done when every slot is taken."""
    midnight = timezone.make_aware(datetime.combine(timezone.localdate(), time.min))
    mine = Judgment.objects.filter(annotator=annotator, item__project=project, live=True).aggregate(
        all=Count("pk"), today=Count("pk", filter=Q(judged_at__gte=midnight))
    )
    work = project.items.filter(is_gold=False).aggregate(
        total=Count("pk"), done=Count("pk", filter=Q(slots_left=0)), slots=Sum("slots_left")
    )
    return Progress(
        mine=mine["all"],
        mine_today=mine["today"],
        done=work["done"],
        total=work["total"],
        open_slots=work["slots"] or 0,
    )


@dataclass(frozen=True)
class Overview:
    """One of a person's projects as the first page shows it."""

    project: Project
    role: Role
    done: int
    total: int
    mine: int


def overviews(user: User) -> list[Overview]:
    """The user's projects with role and progress, in three queries however many there are."""
    mine_in = memberships(user)
    projects = [project.pk for project, _ in mine_in]
    work = {
        row["project"]: row
        for row in Item.objects.filter(project__in=projects, is_gold=False)
        .values("project")
        .annotate(total=Count("pk"), done=Count("pk", filter=Q(slots_left=0)))
    }
    judged = dict(
        Judgment.objects.filter(annotator=user, live=True, item__project__in=projects)
        .values_list("item__project")
        .annotate(Count("pk"))
    )
    nothing = {"done": 0, "total": 0}
    return [
        Overview(
            project=project,
            role=role,
            done=work.get(project.pk, nothing)["done"],
            total=work.get(project.pk, nothing)["total"],
            mine=judged.get(project.pk, 0),
        )
        for project, role in mine_in
    ]


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


def judging_page(assignment: Assignment) -> JudgingPage:
    item = assignment.item
    texts = [row.response.text for row in item.item_responses.select_related("response").order_by("position")]
    return JudgingPage(
        assignment_id=assignment.pk,
        turns=tuple(Turn(role=turn["role"], content=turn["content"]) for turn in item.prompt.messages),
        responses=tuple(texts[position] for position in assignment.display_order),
        category=str(item.metadata.get("category") or item.prompt.metadata.get("category") or ""),
    )


def own_assignment(user: User, project: Project, assignment_id: int) -> Assignment:
    """The user's own assignment in this project, or Http404."""
    assignment = (
        Assignment.objects.select_related("item__prompt", "item__project")
        .filter(pk=assignment_id, annotator=user, item__project=project)
        .first()
    )
    if assignment is None:
        raise Http404("No such assignment.")
    return assignment


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
