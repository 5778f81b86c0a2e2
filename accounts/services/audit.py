"""The record of who changed what."""

from typing import TYPE_CHECKING, Any

from accounts.models import AuditEntry, User

if TYPE_CHECKING:
    from django.db.models import Model


def record(
    *, actor: User | None, action: str, project: "Model | None" = None, detail: dict[str, Any] | None = None
) -> None:
    """Add one line to the audit log, inside the caller's transaction. `actor` None: a command or the loop."""
    AuditEntry.objects.create(
        actor=actor,
        project_id=project.pk if project is not None else None,
        action=action,
        detail=detail or {},
    )
