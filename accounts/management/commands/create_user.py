"""./laurel create_user NAME --project SLUG --role ROLE: a new member, and the link that lets them in."""

import json
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.management.links import add_link_arguments, described
from accounts.models import Role
from accounts.services import membership
from accounts.services.signin import create_person, issue_link


class Command(BaseCommand):
    help = "Make a user, add them to a project, and print a link that signs them in once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="NAME", help="user name")
        parser.add_argument("--project", metavar="SLUG", required=True, help="the project they join")
        parser.add_argument("--role", choices=Role.values, required=True)
        add_link_arguments(parser)

    def handle(
        self, *args: Any, user: str, project: str, role: str, base_url: str, as_json: bool, **options: Any
    ) -> None:
        found = apps.get_model("annotation", "Project").objects.filter(slug=project).first()
        if found is None:
            raise CommandError(f"There is no project “{project}”.")
        try:
            with transaction.atomic():
                person = create_person(username=user)
                membership.add(project=found, user=person, role=role, actor=None)
                row = described(issue_link(user=person), base_url)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        row = {**row, "project": project, "role": role}
        self.stdout.write(json.dumps(row, ensure_ascii=False) if as_json else row["url"])
