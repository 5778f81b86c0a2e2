"""./laurel ensure_users: the first people of an installation; safe to repeat."""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.services.signin import ensure_first_users


class Command(BaseCommand):
    help = "Make the user admin and, with a sample project, engineer and annotator as its members."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sample-project", metavar="SLUG", default="", help="the project they join")

    def handle(self, *args: Any, sample_project: str, verbosity: int, **options: Any) -> None:
        project = None
        if sample_project:
            project = apps.get_model("annotation", "Project").objects.filter(slug=sample_project).first()
            if project is None:
                raise CommandError(f"There is no project “{sample_project}”: load the sample project first.")
        people = ensure_first_users(project)
        if verbosity:
            self.stdout.write(f"Users: {', '.join(user.username for user in people)}.")
