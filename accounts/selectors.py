"""Reads about people. As everywhere, what is not yours does not exist."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.apps import apps
from django.db.models import Case, QuerySet, When
from django.http import Http404
from django.utils import timezone

from accounts.models import Invitation, Membership, Role, User

if TYPE_CHECKING:
    from django.db.models import Model


def managed_project(user: User, slug: str) -> "Model":
    """The project if the user manages it (a superuser manages every one); else Http404."""
    # accounts is the lowest layer: it knows projects by the key its rows hold, never by their module
    projects = apps.get_model("annotation", "Project")._default_manager.filter(slug=slug)
    if not user.is_superuser:
        projects = projects.filter(memberships__user=user, memberships__role=Role.MANAGER)
    project = projects.first()
    if project is None:
        raise Http404("No such project.")
    return project


def members(project: "Model") -> QuerySet[Membership]:
    """Managers first, then by name."""
    rows = Membership.objects.filter(project_id=project.pk).select_related("user")
    return rows.order_by(Case(When(role=Role.MANAGER, then=0), default=1), "user__username")


def open_invitations(project: "Model") -> QuerySet[Invitation]:
    """Invitations that still work, newest first."""
    return (
        Invitation.objects.filter(
            project_id=project.pk,
            accepted_at__isnull=True,
            revoked_at__isnull=True,
            expires_at__gt=timezone.now(),
        )
        .select_related("created_by")
        .order_by("-created_at", "-pk")
    )


def groups_of(project: "Model") -> dict[int, str]:
    """The group of each member who has one, by the member's key."""
    rows = Membership.objects.filter(project_id=project.pk).exclude(group="")
    return dict(rows.values_list("user_id", "group"))


def names_of(users: Iterable[int]) -> dict[int, str]:
    """What each of them is called on pages, by key."""
    return {user.pk: str(user) for user in User.objects.filter(pk__in=users)}
