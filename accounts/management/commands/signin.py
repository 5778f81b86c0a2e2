"""./laurel signin NAME: a link that signs one person in, once."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.management.links import add_link_arguments, described, user_named
from accounts.services.signin import CannotSignIn, issue_link


class Command(BaseCommand):
    help = "Print a link that signs one person in, once, within 24 hours."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="NAME", help="user name")
        add_link_arguments(parser)

    def handle(self, *args: Any, user: str, base_url: str, as_json: bool, **options: Any) -> None:
        try:
            row = described(issue_link(user=user_named(user)), base_url)
        except CannotSignIn as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(row, ensure_ascii=False) if as_json else row["url"])
