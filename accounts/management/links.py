"""What the commands that print sign-in links share."""

from django.core.management.base import CommandError, CommandParser
from django.urls import reverse

from accounts.addresses import own_address
from accounts.models import User
from accounts.services.signin import IssuedLink


def add_link_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "--base-url", default="", help="address of the server, such as https://laurel.example"
    )
    parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON object only")


def link_url(link: IssuedLink, base_url: str) -> str:
    base = base_url.rstrip("/") or own_address()
    if not base.startswith(("http://", "https://")):
        raise CommandError(f"--base-url {base_url} is no web address: begin it with http:// or https://.")
    return base + reverse("accounts:signin_link", kwargs={"token": link.token})


def described(link: IssuedLink, base_url: str) -> dict[str, str]:
    """One link as the JSON object of a command."""
    return {
        "user": link.user.username,
        "url": link_url(link, base_url),
        "expires_at": link.expires_at.isoformat(timespec="seconds"),
    }


def user_named(username: str) -> User:
    """The person of this name, or an error that lists who there is."""
    user = User.objects.filter(username=username).first()
    if user is None:
        people = User.objects.filter(origin=User.Origin.PERSON, is_active=True).order_by("username")
        known = ", ".join(people.values_list("username", flat=True)[:20])
        raise CommandError(
            f"There is no user “{username}”. There are: {known or 'none'}. "
            "Make one with ./laurel create_user NAME --project SLUG --role ROLE."
        )
    return user
