"""./laurel deployment_prompts PROJECT FILE: for which prompts the model is to be good."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.db import transaction

from activelearning.services import deploying
from annotation.management.base import LaurelCommand, Refusal, project_named
from annotation.models.project import Project

SHOWN = 20


class Command(LaurelCommand):
    help = "Say which prompts the policy will meet; pairs are then chosen to make the model good on those."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("file", nargs="?", help="JSON Lines: a text, turns, or an object with prompt")
        parser.add_argument("--clear", action="store_true", help="take out those that are there first")

    def perform(self, *, project: str, file: str | None, clear: bool) -> dict[str, Any]:
        target = project_named(project)
        with transaction.atomic():  # with a bad file the old ones stay
            removed = deploying.clear(project=target) if clear else 0
            added = self._add(target, file) if file is not None else None
        total = added.total if added else target.deployment_prompts.count()
        if clear:
            self.say(f"{target.slug}: {removed:,} deployment prompts were taken out.")
        if added:
            self.say(f"{target.slug}: {added.read:,} prompts read, {added.added:,} are new.")
        self.say(f"{target.slug} has {total:,} deployment prompts.")
        return {
            "project": target.slug,
            "read": added.read if added else 0,
            "added": added.added if added else 0,
            "removed": removed,
            "total": total,
        }

    def _add(self, project: Project, file: str) -> deploying.Added:
        try:
            with Path(file).open("rb") as stream:
                return deploying.add_file(project=project, stream=stream)
        except OSError as error:
            raise Refusal(f"{file} cannot be read: {error.strerror}.") from error
        except deploying.InvalidPrompts as error:
            for bad in error.errors[:SHOWN]:
                self.stderr.write(f"line {bad.line}: {bad.message}")
            errors = [{"line": bad.line, "message": bad.message} for bad in error.errors]
            raise Refusal(str(error), errors=errors, errors_total=error.total) from error
