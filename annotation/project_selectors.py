"""Reads about a project's settings: what they are, what fixes them, who changed them, what is missing."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, QuerySet

from accounts.models import AuditEntry, Invitation, Membership, Role, User
from annotation.answering.answer import Question
from annotation.models.learning import Exercise, PracticeAnswer
from annotation.models.project import Guideline, Project
from annotation.models.quality import GoldAnswer
from annotation.models.work import Assignment, Judgment

MANY: Final = 10_000  # judgments: beyond, nobody waits for the exact number
SETTINGS: Final = (
    "name", "kind", "criteria", "reasons", "ties", "both_bad", "strength_scale", "rating_points", "overlap",
    "lease_seconds", "gold_rate", "repeat_rate", "blind_review", "qualification_required", "reopen_hours",
    "expert_weight", "spot_check_rate", "auto_pause", "aggregation",
    "show_progress", "show_accuracy", "show_category", "daily_goal", "break_minutes",
)  # fmt: skip
RECORDED: Final = (
    "project created",
    "settings changed",
    "state changed",
    "guidelines published",
    "alert target added",
    "alert target removed",
)


def may_create(user: User) -> bool:
    """Superusers, and whoever manages a project already."""
    return user.is_superuser or Membership.objects.filter(user=user, role=Role.MANAGER).exists()


def settings_of(project: Project) -> dict[str, Any]:
    return {name: getattr(project, name) for name in SETTINGS}


def fingerprint(project: Project) -> str:
    """Another one after any change of a setting: a form carries it: no change is overwritten unseen."""
    text = json.dumps(settings_of(project), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def what_is_asked(question: Question) -> tuple[object, ...]:
    """The parts of a question that bear on its kind: a change in any of them is another question."""
    bearing = {
        "pairwise": (question.ties, question.both_bad, question.strength),
        "ranking": (question.ties,),
        "rating": (question.points,),
    }
    return (question.kind, question.criteria, *bearing[question.kind])


@dataclass(frozen=True)
class Answered:
    """How much has been answered under a project's question; any of it fixes the question."""

    judgments: int  # counted up to `MANY`, and one more where there are more
    gold: int
    practice: int

    def __bool__(self) -> bool:
        return bool(self.judgments or self.gold or self.practice)


def answered(project: Project) -> Answered:
    """Every judgment counts, also one that was taken back or superseded: it stays on record."""
    return Answered(
        judgments=Judgment.objects.filter(item__project=project)[: MANY + 1].count(),
        gold=GoldAnswer.objects.filter(item__project=project).values("item").distinct().count(),
        practice=PracticeAnswer.objects.filter(
            attempt__exercise__project=project, answers__isnull=False
        ).count(),
    )


def open_work(project: Project) -> int:
    """How many items people hold at this moment."""
    return Assignment.objects.filter(project=project, state=Assignment.State.OPEN).count()


@dataclass(frozen=True)
class Version:
    """One version of the guidelines, who published it, and how many judgments were made under it."""

    guideline: Guideline
    author: User | None
    judgments: int


def guideline_versions(project: Project) -> list[Version]:
    """The newest first, in three queries."""
    published = AuditEntry.objects.filter(project=project, action="guidelines published")
    authors = {entry.detail.get("version"): entry.actor for entry in published.select_related("actor")}
    judged = dict(
        Judgment.objects.filter(guideline__project=project).values_list("guideline").annotate(Count("pk"))
    )
    return [
        Version(guideline, authors.get(guideline.version), judged.get(guideline.pk, 0))
        for guideline in project.guidelines.order_by("-version")
    ]


def history(project: Project) -> QuerySet[AuditEntry]:
    """Every change of settings, state and guidelines, the newest first."""
    entries = AuditEntry.objects.filter(project=project, action__in=RECORDED)
    return entries.select_related("actor").order_by("-at", "-pk")


@dataclass(frozen=True)
class Readiness:
    """What is there before people start."""

    guidelines: int  # the latest version; 0: none
    items: int
    gold: int
    annotators: int
    invited: int
    qualification: bool  # a test is open


def readiness(project: Project) -> Readiness:
    latest = project.guidelines.order_by("-version").first()
    members = Membership.objects.filter(project=project, role=Role.ANNOTATOR, user__is_active=True)
    waiting = Invitation.objects.filter(
        project=project, accepted_at__isnull=True, revoked_at__isnull=True, role=Role.ANNOTATOR
    )
    return Readiness(
        guidelines=latest.version if latest and latest.text.strip() else 0,
        items=project.items.filter(is_gold=False).count(),
        gold=project.items.filter(is_gold=True).count(),
        annotators=members.count(),
        invited=waiting.count(),
        qualification=Exercise.objects.filter(
            project=project, kind=Exercise.Kind.QUALIFICATION, state=Exercise.State.OPEN
        ).exists(),
    )
