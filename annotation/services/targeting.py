"""Who is told of a project's alerts: e-mail addresses and webhooks. The audit log keeps no secret of them."""

import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction

from accounts.models import User
from accounts.services import audit
from annotation.models.alert import AlertTarget
from annotation.models.project import Project

SECRET_BYTES = 32
MOST_TARGETS = 20  # of a project


class TargetExists(Exception):
    """This address is told already."""


class TooManyTargets(Exception):
    """The project tells as many addresses as one may."""


def add_target(
    *, project: Project, channel: str, address: str, kinds: Sequence[str], actor: User
) -> AlertTarget:
    """A webhook gets a secret, which the page shows this once. Raises TargetExists or TooManyTargets."""
    secret = secrets.token_urlsafe(SECRET_BYTES) if channel == AlertTarget.Channel.WEBHOOK else ""
    try:
        with transaction.atomic():
            target = AlertTarget.objects.create(
                project=project,
                channel=channel,
                address=address,
                kinds=list(kinds),
                secret=secret,
                created_by=actor,
            )
            if AlertTarget.objects.filter(project=project).count() > MOST_TARGETS:
                raise TooManyTargets
            detail = {**about(target), "kinds": list(kinds)}
            audit.record(actor=actor, project=project, action="alert target added", detail=detail)
    except IntegrityError as error:
        raise TargetExists from error
    return target


@transaction.atomic
def remove_target(*, target: AlertTarget, actor: User) -> None:
    """What is still on its way there is not sent any more."""
    detail = about(target)
    project = target.project
    target.delete()
    audit.record(actor=actor, project=project, action="alert target removed", detail=detail)


def about(target: AlertTarget) -> dict[str, str]:
    """A webhook's address may hold a password in its path: only its host is told."""
    webhook = target.channel == AlertTarget.Channel.WEBHOOK
    return {
        "channel": target.channel,
        "address": urlsplit(target.address).hostname or "" if webhook else target.address,
    }
