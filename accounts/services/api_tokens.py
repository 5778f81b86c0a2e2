"""Tokens with which programs act for a person: made, shown once, found by their hash, counted, revoked."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts.models import ApiToken, User
from accounts.services import audit
from accounts.services.tokens import new_token, token_hash

PREFIX = "laurel_"  # so that a leaked one is recognised
LIFE_DAYS = 90
WINDOW = timedelta(minutes=1)


class TooMuch(Exception):
    """The token was used up for this minute."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"At most {limit} a minute. Wait a minute, or ask for fewer at once.")
        self.retry_after = int(WINDOW.total_seconds())


@dataclass(frozen=True)
class IssuedToken:
    row: ApiToken
    token: str  # shown once, stored nowhere


@transaction.atomic
def issue(*, user: User, name: str, days: int = LIFE_DAYS, actor: User | None = None) -> IssuedToken:
    """A token that lets a program do what `user` may do, for so many days."""
    secret, _ = new_token()
    token = PREFIX + secret
    row = ApiToken.objects.create(
        user=user, name=name, token_hash=token_hash(token), expires_at=timezone.now() + timedelta(days=days)
    )
    audit.record(actor=actor, action="API token made", detail={"user": user.username, "name": name})
    return IssuedToken(row, token)


@transaction.atomic
def revoke(*, row: ApiToken, actor: User | None = None) -> None:
    """From now on it opens nothing."""
    if ApiToken.objects.filter(pk=row.pk, revoked_at=None).update(revoked_at=timezone.now()):
        detail = {"user": row.user.username, "name": row.name}
        audit.record(actor=actor, action="API token revoked", detail=detail)


def find(authorization: str) -> ApiToken | None:
    """The living token of an Authorization header, with its user; None for anything else.

    It is looked up by its hash: how long that takes says nothing about the token (see `tokens`).
    """
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.startswith(PREFIX):
        return None
    return (
        ApiToken.objects.select_related("user")
        .filter(
            token_hash=token_hash(token),
            revoked_at=None,
            expires_at__gt=timezone.now(),
            user__is_active=True,
        )
        .first()
    )


def charge(*, row: ApiToken, count: int, limit: int) -> None:
    """Count `count` units of use, at most `limit` within a minute. Raises `TooMuch`.

    Two conditional updates, so that requests at the same time on every process count as one after another.
    """
    now = timezone.now()
    mine = ApiToken.objects.filter(pk=row.pk)
    over = Q(window_started_at=None) | Q(window_started_at__lte=now - WINDOW)
    if count <= limit and (
        mine.filter(over).update(window_started_at=now, window_count=count, last_used_at=now)
        or mine.filter(window_count__lte=limit - count).update(
            window_count=F("window_count") + count, last_used_at=now
        )
    ):
        return
    raise TooMuch(limit)
