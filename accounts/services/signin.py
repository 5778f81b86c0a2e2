"""Who is let in: passwords (throttled), links that sign in once, and the first people of an installation."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import authenticate
from django.db import connection, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.models import AuditEntry, Role, SigninLink, User
from accounts.services import audit, membership
from accounts.services.tokens import new_token, token_hash

if TYPE_CHECKING:
    from django.db.models import Model

LINK_LIFE = timedelta(hours=24)
FIRST_USERS: dict[str, Role] = {
    "admin": Role.MANAGER,
    "engineer": Role.ENGINEER,
    "annotator": Role.ANNOTATOR,
}

THROTTLE_WINDOW = timedelta(minutes=15)
TRIES_PER_USER = 10
TRIES_PER_ADDRESS = 50
FAILED = "sign-in failed"
SIGNED_IN = "signed in"


class CannotSignIn(Exception):
    """This account is not one a person signs in with; the message says why."""


class TooManyTries(Exception):
    """Too many failed sign-ins for this name or from this address."""

    def __init__(self) -> None:
        minutes = int(THROTTLE_WINDOW.total_seconds() // 60)
        super().__init__(
            f"Too many failed tries. Wait {minutes} minutes, or use a sign-in link: ./laurel signin NAME."
        )


@dataclass(frozen=True)
class IssuedLink:
    user: User
    token: str  # shown once, stored nowhere
    expires_at: datetime


# --- passwords ------------------------------------------------------------------------------------


def check_password(request: HttpRequest, *, username: str, password: str) -> User | None:
    """The user this name and password belong to, or None. Raises `TooManyTries`.

    Tries are counted in the audit log, so every process counts the same. Tries for one name take turns: a
    hundred at once are a hundred tries.
    """
    name, address = _name_digest(username), address_of(request)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"sign-in/{name}"])
        if _throttled(name, address):
            raise TooManyTries
        user = authenticate(request, username=username, password=password)
        if isinstance(user, User) and user.origin == User.Origin.PERSON:
            audit.record(actor=user, action=SIGNED_IN, detail={"name": name, "by": "password"})
            return user
        audit.record(actor=None, action=FAILED, detail={"name": name, "address": address})
    return None


def address_of(request: HttpRequest) -> str:
    """Where a request comes from. Only behind a proxy is X-Forwarded-For believed, and then only the entry
    which that proxy added: the rest of it is whatever the client wrote."""
    direct = str(request.META.get("REMOTE_ADDR") or "")
    if getattr(settings, "SECURE_PROXY_SSL_HEADER", None):
        return str(request.META.get("HTTP_X_FORWARDED_FOR", "")).rsplit(",", 1)[-1].strip()[:64] or direct
    return direct


def _throttled(name: str, address: str) -> bool:
    since = timezone.now() - THROTTLE_WINDOW
    recent = AuditEntry.objects.filter(project__isnull=True, at__gte=since)
    last = recent.filter(action=SIGNED_IN, detail__name=name).order_by("-at").first()
    of_name = recent.filter(action=FAILED, detail__name=name, at__gte=last.at if last else since)
    if of_name.count() >= TRIES_PER_USER:
        return True
    return bool(address) and (
        recent.filter(action=FAILED, detail__address=address).count() >= TRIES_PER_ADDRESS
    )


def _name_digest(username: str) -> str:
    """What is typed as a name may be a password: the log keeps a keyed digest of it."""
    return salted_hmac("accounts.signin", username.strip().casefold(), algorithm="sha256").hexdigest()[:32]


@transaction.atomic
def set_password(*, user: User, password: str) -> None:
    """Store a new password; sign-in links given out before stop working."""
    user.set_password(password)
    user.save(update_fields=["password"])
    SigninLink.objects.filter(user=user, used_at__isnull=True).update(used_at=timezone.now())
    audit.record(actor=user, action="password changed")


# --- links ----------------------------------------------------------------------------------------


@transaction.atomic
def issue_link(*, user: User, actor: User | None = None) -> IssuedLink:
    """A link that signs this person in once, within a day. `actor` None: a command on the server."""
    _require_person(user)
    token, digest = new_token()
    link = SigninLink.objects.create(user=user, token_hash=digest, expires_at=timezone.now() + LINK_LIFE)
    audit.record(actor=actor, action="sign-in link issued", detail={"user": user.username})
    return IssuedLink(user=user, token=token, expires_at=link.expires_at)


@transaction.atomic
def use_link(token: str) -> User | None:
    """The user whose link this is, the first time and while it is valid; else None.

    One conditional UPDATE decides, so of two browsers that open a link at once one is let in.
    """
    now = timezone.now()
    digest = token_hash(token)
    links = SigninLink.objects.filter(
        token_hash=digest, used_at__isnull=True, expires_at__gt=now, user__is_active=True
    )
    if links.update(used_at=now) != 1:
        return None
    user = SigninLink.objects.select_related("user").get(token_hash=digest).user
    audit.record(actor=user, action=SIGNED_IN, detail={"by": "link"})
    return user


def _require_person(user: User) -> None:
    if user.origin != User.Origin.PERSON:
        raise CannotSignIn(f"“{user.username}” came with an import or a simulation and can never sign in.")
    if not user.is_active:
        raise CannotSignIn(f"“{user.username}” is deactivated; activate the account in the site admin first.")


# --- accounts -------------------------------------------------------------------------------------


@transaction.atomic
def create_person(*, username: str, actor: User | None = None, **fields: bool) -> User:
    """Somebody who signs in by link until they choose a password."""
    user = User(username=User.normalize_username(username), **fields)
    user.set_unusable_password()
    user.full_clean(exclude=["password"])
    user.save()
    audit.record(actor=actor, action="user created", detail={"user": user.username})
    return user


@transaction.atomic
def ensure_first_users(project: "Model | None" = None) -> list[User]:
    """`admin`, and with a sample project `engineer` and `annotator` as its members; safe to repeat.

    Nobody has a password: they come in by link. An account that exists is left as it is, and whoever was
    taken out of the project stays out.
    """
    new_project = project is not None and not membership.of(project).exists()
    people = []
    for username, role in FIRST_USERS.items():
        if project is None and username != "admin":
            continue
        user = User.objects.filter(username=username).first()
        created = user is None
        if user is None:
            staff = username == "admin"
            user = create_person(username=username, is_staff=staff, is_superuser=staff)
        if project is not None and (created or new_project):
            membership.add(project=project, user=user, role=role, actor=None)
        people.append(user)
    return people
