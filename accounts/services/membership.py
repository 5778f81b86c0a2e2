"""Who is in a project, and as what. A project never loses its last manager."""

from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import Invitation, Membership, Role, User
from accounts.services import audit

if TYPE_CHECKING:
    from django.db.models import Model

# What a role may become without taking anything away: the new role can do all that the old one can.
_RAISES: dict[str, frozenset[str]] = {
    Role.ANNOTATOR: frozenset({Role.REVIEWER, Role.MANAGER}),
    Role.REVIEWER: frozenset({Role.MANAGER}),
    Role.ENGINEER: frozenset({Role.MANAGER}),
    Role.MANAGER: frozenset(),
}


class LastManager(Exception):
    """The change would leave the project without anybody to manage it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is the last manager of this project. Make somebody else a manager first.")


def of(project: "Model") -> QuerySet[Membership]:
    return Membership.objects.filter(project_id=project.pk)


@transaction.atomic
def add(*, project: "Model", user: User, role: str, actor: User | None) -> Membership:
    """Make somebody a member. A role they hold already is only ever raised here, never lowered or swapped."""
    _lock(project)
    row = of(project).filter(user=user).first()
    if row is None:
        row = Membership.objects.create(project_id=project.pk, user=user, role=role)
        _log(actor, project, "member added", row)
    elif role in _RAISES[row.role]:
        before, row.role = row.role, role
        row.save(update_fields=["role"])
        _log(actor, project, "role changed", row, before=before)
    return row


@transaction.atomic
def change_role(*, project: "Model", user: User, role: str, actor: User | None) -> Membership:
    """Give a member another role. Raises `LastManager`, or `Membership.DoesNotExist` for a stranger."""
    _lock(project)
    row = of(project).select_related("user").get(user=user)
    if row.role == role:
        return row
    _keep_a_manager(project, row)
    before, row.role = row.role, role
    row.save(update_fields=["role"])
    if before == Role.MANAGER:
        _revoke_invitations_of(project, user)
    _log(actor, project, "role changed", row, before=before)
    return row


@transaction.atomic
def change_group(*, project: "Model", user: User, group: str, actor: User | None) -> Membership:
    """Put a member into a group of annotators, or with "" into none. Raises `Membership.DoesNotExist`."""
    _lock(project)
    row = of(project).select_related("user").get(user=user)
    if row.group == group:
        return row
    before, row.group = row.group, group
    row.save(update_fields=["group"])
    detail = {"user": user.username, "group": group, "before": before}
    audit.record(actor=actor, project=project, action="group changed", detail=detail)
    return row


@transaction.atomic
def remove(*, project: "Model", user: User, actor: User | None) -> None:
    """Take a member out; what they answered stays, and invitations they sent stop working."""
    _lock(project)
    row = of(project).select_related("user").get(user=user)
    _keep_a_manager(project, row)
    _revoke_invitations_of(project, user)
    _log(actor, project, "member removed", row)
    row.delete()


def _keep_a_manager(project: "Model", leaving: Membership) -> None:
    others = of(project).filter(role=Role.MANAGER, user__is_active=True).exclude(pk=leaving.pk)
    if leaving.role == Role.MANAGER and not others.exists():
        raise LastManager(str(leaving.user))


def _revoke_invitations_of(project: "Model", user: User) -> None:
    sent = Invitation.objects.filter(
        project_id=project.pk, created_by=user, accepted_at=None, revoked_at=None
    )
    sent.update(revoked_at=timezone.now())


def _lock(project: "Model") -> None:
    """Changes to one project's members take turns: two managers who remove each other cannot both succeed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"members/{project.pk}"])


def _log(actor: User | None, project: "Model", action: str, row: Membership, before: str = "") -> None:
    detail = {"user": row.user.username, "role": str(row.role)}
    if before:
        detail["before"] = before
    audit.record(actor=actor, project=project, action=action, detail=detail)
