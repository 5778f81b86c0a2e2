"""Invitation links: made by a manager, good for one person and one week."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from accounts.models import Invitation, Membership, User
from accounts.selectors import open_invitations
from accounts.services import audit, membership
from accounts.services.tokens import new_token, token_hash

if TYPE_CHECKING:
    from django.db.models import Model

INVITATION_LIFE = timedelta(days=7)


class InvitationGone(Exception):
    """The invitation was used, taken back, or is too old."""

    def __init__(self) -> None:
        super().__init__("This invitation cannot be used any more. Ask whoever sent it for a new one.")


class AlreadyMember(Exception):
    """The person holds a role that the invitation would not raise; it was not used up."""

    def __init__(self, row: Membership) -> None:
        super().__init__(
            f"You are in this project already, as {row.get_role_display()}. The invitation is still good for "
            "somebody else; to get another role, ask a manager of the project."
        )


@dataclass(frozen=True)
class IssuedInvitation:
    invitation: Invitation
    token: str  # shown once, stored nowhere


@transaction.atomic
def invite(*, project: "Model", role: str, actor: User, note: str = "") -> IssuedInvitation:
    token, digest = new_token()
    invitation = Invitation.objects.create(
        project_id=project.pk,
        role=role,
        note=note,
        token_hash=digest,
        created_by=actor,
        expires_at=timezone.now() + INVITATION_LIFE,
    )
    audit.record(actor=actor, project=project, action="invitation made", detail=_about(invitation))
    return IssuedInvitation(invitation=invitation, token=token)


def usable(token: str) -> Invitation | None:
    """The invitation of this link if it still works."""
    return (
        Invitation.objects.filter(
            token_hash=token_hash(token),
            accepted_at__isnull=True,
            revoked_at__isnull=True,
            expires_at__gt=timezone.now(),
        )
        .select_related("project")
        .first()
    )


@transaction.atomic
def accept(*, token: str, user: User) -> Membership:
    """Join by the link. Raises `InvitationGone`, or `AlreadyMember` when the role held would not grow.

    One conditional UPDATE decides, so of two people who use a link at once one gets in.
    """
    invitation = usable(token)
    if invitation is None:
        raise InvitationGone
    now = timezone.now()
    taken = Invitation.objects.filter(
        pk=invitation.pk, accepted_at__isnull=True, revoked_at__isnull=True, expires_at__gt=now
    ).update(accepted_at=now, accepted_by=user)
    if taken != 1:
        raise InvitationGone
    before = membership.of(invitation.project).filter(user=user).values_list("role", flat=True).first()
    row = membership.add(project=invitation.project, user=user, role=invitation.role, actor=user)
    if before == row.role:
        raise AlreadyMember(row)  # and the transaction gives the invitation back
    audit.record(
        actor=user, project=invitation.project, action="invitation accepted", detail=_about(invitation)
    )
    return row


@transaction.atomic
def register_and_accept(*, token: str, user: User, password: str) -> User:
    """A new account and its first membership, or neither. `user` is validated and not saved yet."""
    user.set_password(password)
    user.save()
    audit.record(actor=user, action="user created", detail={"user": user.username, "by": "invitation"})
    accept(token=token, user=user)
    return user


@transaction.atomic
def revoke(*, project: "Model", invitation_id: int, actor: User) -> bool:
    """Take an open invitation back; False when it was not open any more."""
    invitation = open_invitations(project).filter(pk=invitation_id).first()
    if invitation is None:
        return False
    taken_back = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None)
    if not taken_back.update(revoked_at=timezone.now()):
        return False
    audit.record(actor=actor, project=project, action="invitation revoked", detail=_about(invitation))
    return True


def _about(invitation: Invitation) -> dict[str, object]:
    return {"invitation": invitation.pk, "role": str(invitation.role), "note": invitation.note}
