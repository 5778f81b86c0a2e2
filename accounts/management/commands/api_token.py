"""./laurel api_token NAME: a token with which a program acts for a person."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.management.links import user_named
from accounts.models import ApiToken
from accounts.services import api_tokens


class Command(BaseCommand):
    help = "Make a token for programs, shown once; list somebody's tokens; revoke one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="NAME", help="whose: the program may do what they may do")
        parser.add_argument("--for", dest="purpose", default="scripts", help="what it is for, in words")
        parser.add_argument("--days", type=int, default=api_tokens.LIFE_DAYS, help="how long it works (90)")
        parser.add_argument("--list", action="store_true", dest="listing", help="list them; make none")
        parser.add_argument("--revoke", type=int, metavar="ID", help="end the token of this number")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON object only")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_named(options["user"])
        if options["listing"]:
            rows = [_described(row) for row in user.api_tokens.order_by("pk")]
            words = "\n".join(f"{row['id']}  {row['name']}  {row['state']}" for row in rows) or "none"
            self._print({"user": user.username, "tokens": rows}, words, options)
            return
        if options["revoke"] is not None:
            row = user.api_tokens.filter(pk=options["revoke"]).first()
            if row is None:
                raise CommandError(f"{user.username} has no token {options['revoke']}: see --list.")
            api_tokens.revoke(row=row)
            self._print({"user": user.username, "revoked": row.pk}, f"Token {row.pk} is revoked.", options)
            return
        if not 1 <= options["days"] <= 3650:
            raise CommandError(f"--days {options['days']}: give 1 to 3650.")
        issued = api_tokens.issue(user=user, name=options["purpose"], days=options["days"])
        told = {"user": user.username, "token": issued.token, **_described(issued.row)}
        self._print(told, issued.token, options)

    def _print(self, told: dict[str, Any], words: str, options: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(told, ensure_ascii=False) if options["as_json"] else words)


def _described(row: ApiToken) -> dict[str, Any]:
    used = row.last_used_at
    return {
        "id": row.pk,
        "name": row.name,
        "state": "revoked" if row.revoked_at else f"until {row.expires_at:%Y-%m-%d}",
        "expires_at": row.expires_at.isoformat(timespec="seconds"),
        "last_used_at": used.isoformat(timespec="seconds") if used else None,
    }
