"""What every Laurel command shares: a project by name, one JSON object on standard output, exit codes.

0: did what was asked. 1: bad input. 2: wrong usage.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.models.project import Project


class LaurelCommand(BaseCommand):
    """`perform` returns the JSON object and prints the words for people unless `--json` was given."""

    perform: Callable[..., dict[str, Any]]  # each command takes its own arguments, by keyword

    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--json", action="store_true", dest="as_json", help="print one JSON object and nothing else"
        )
        self.arguments(parser)

    def arguments(self, parser: CommandParser) -> None:
        """Add the command's own arguments."""

    def handle(self, *args: Any, **options: Any) -> None:
        self.as_json: bool = options.pop("as_json")
        try:
            result = self.perform(**{name: value for name, value in options.items() if name not in _DJANGO})
        except Refusal as refusal:
            if self.as_json:
                self.stdout.write(json.dumps({"error": str(refusal), **refusal.detail}, ensure_ascii=False))
            raise CommandError(str(refusal)) from refusal
        if self.as_json:
            self.stdout.write(json.dumps(result, ensure_ascii=False, allow_nan=False))

    def say(self, text: str) -> None:
        """Words for people; silent under --json."""
        if not self.as_json:
            self.stdout.write(text)

    def progress(self, text: str) -> None:
        """Words while it takes time, on standard error, where they never mix with the result."""
        if sys.stderr.isatty() or not self.as_json:
            self.stderr.write(text)


class Refusal(Exception):
    """Bad input: the message says what to do; `detail` goes into the JSON object."""

    def __init__(self, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.detail = detail


def project_named(slug: str) -> Project:
    """The project, or a refusal that lists what there is."""
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        known = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)[:20])
        raise Refusal(
            f"There is no project “{slug}”. " + (f"There are: {known}." if known else "There is none yet.")
        )
    return project


_DJANGO = {
    "verbosity", "settings", "pythonpath", "traceback", "no_color", "force_color", "skip_checks", "stdout",
    "stderr",
}  # fmt: skip
