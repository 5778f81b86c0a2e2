"""./laurel snapshot PROJECT: freeze the data into an immutable folder."""

from typing import Any

from django.core.management.base import CommandParser

from annotation.management.base import LaurelCommand, Refusal, project_named
from annotation.services import snapshotting


class Command(LaurelCommand):
    help = "Write an immutable snapshot (responses.parquet, preferences.parquet, manifest.json)."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")

    def perform(self, *, project: str) -> dict[str, Any]:
        try:
            snapshot = snapshotting.create(project=project_named(project))
        except snapshotting.NothingToSnapshot as error:
            raise Refusal(str(error)) from error
        folder = snapshotting.folder_of(snapshot)
        self.say(f"Snapshot {snapshot.number} of {project}: {folder}")
        return {
            "project": project,
            "snapshot": snapshot.number,
            "folder": str(folder),
            "manifest": snapshot.manifest,
        }
