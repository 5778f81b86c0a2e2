"""Reads about standings: who is handed work, on what terms, and what was said to whom."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.db.models import Count, Q, QuerySet

from accounts.models import User
from annotation.models.project import Project
from annotation.models.standing import Message, Standing


@dataclass(frozen=True)
class Terms:
    """On what terms somebody works in a project. gold_rate: at least this share, None as everybody."""

    barred: bool = False
    gold_rate: float | None = None


USUAL: Final = Terms()


def terms_of(standing: Standing | None) -> Terms:
    if standing is None:
        return USUAL
    return Terms(standing.state != Standing.State.ACTIVE, standing.gold_rate)


def standing(project: Project, annotator: User) -> Standing | None:
    """What the project has decided about this person; None: nothing yet."""
    return Standing.objects.filter(project=project, annotator=annotator).first()


def is_barred(project: Project, annotator: User) -> bool:
    return terms_of(standing(project, annotator)).barred


def barred_from(project_ids: Iterable[int], annotator: User) -> set[int]:
    """The projects among these that give this person no work because they are paused or excluded."""
    rows = Standing.objects.filter(project__in=list(project_ids), annotator=annotator)
    return set(rows.exclude(state=Standing.State.ACTIVE).values_list("project_id", flat=True))


def standings(project: Project) -> dict[int, Standing]:
    """By annotator; whoever is not here is active."""
    return {one.annotator_id: one for one in Standing.objects.filter(project=project)}


def thread(project: Project, annotator: User) -> QuerySet[Message]:
    """What was said to this person and by them, oldest first."""
    rows = Message.objects.filter(project=project, annotator=annotator)
    return rows.select_related("author").order_by("pk")


def unread(project: Project, annotator: User) -> int:
    """Messages to this person that they have not opened."""
    return unread_in([project.pk], annotator).get(project.pk, 0)


def unread_in(project_ids: Iterable[int], annotator: User) -> dict[int, int]:
    """The same by project, where there are any; in one query."""
    rows = Message.objects.filter(project__in=list(project_ids), annotator=annotator, read_at=None)
    theirs = rows.filter(Q(author=None) | ~Q(author=annotator)).order_by()
    return dict(theirs.values_list("project").annotate(n=Count("pk")))
