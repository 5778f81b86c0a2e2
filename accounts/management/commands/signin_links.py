"""./laurel signin_links: how the first people of this installation get in. Creates nobody."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.management.links import add_link_arguments, described
from accounts.models import User
from accounts.services.signin import FIRST_USERS, issue_link


class Command(BaseCommand):
    help = "Print a fresh one-time sign-in link for each of admin, engineer and annotator that exists here."

    def add_arguments(self, parser: CommandParser) -> None:
        add_link_arguments(parser)

    def handle(self, *args: Any, base_url: str, as_json: bool, **options: Any) -> None:
        found = User.objects.filter(username__in=FIRST_USERS, is_active=True).in_bulk(field_name="username")
        people = [found[name] for name in FIRST_USERS if name in found]
        rows = [described(issue_link(user=user), base_url) for user in people]
        if as_json:
            self.stdout.write(json.dumps({"links": rows}, ensure_ascii=False))
        elif rows:
            width = max(len(row["user"]) for row in rows)
            self.stdout.write("Sign in by link; each works once, for 24 hours (more: ./laurel signin NAME):")
            for row in rows:
                self.stdout.write(f"  {row['user']:<{width}}  {row['url']}")
