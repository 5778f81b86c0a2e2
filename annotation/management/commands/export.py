"""./laurel export PROJECT --format trl-dpo --out DIR: files a trainer loads."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from annotation.interchange.atomic_folder import FolderInTheWayError
from annotation.interchange.trl import ExportError
from annotation.management.base import LaurelCommand, Refusal, project_named
from annotation.models.dataset import DatasetSnapshot
from annotation.services import exporting, snapshotting


class Command(LaurelCommand):
    help = "Write preference data in a trainer's format, from a new snapshot or from one there is."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("--format", required=True, choices=exporting.FORMATS)
        parser.add_argument("--out", required=True, help="a folder that does not exist yet or is empty")
        parser.add_argument("--snapshot", type=int, help="number of an existing snapshot; default: a new one")

    def perform(self, *, project: str, format: str, out: str, snapshot: int | None) -> dict[str, Any]:
        target = project_named(project)
        try:
            if snapshot is None:
                used, result = exporting.export_project(project=target, format=format, out=Path(out))
            else:
                used = target.snapshots.get(number=snapshot)
                result = exporting.export_snapshot(snapshot=used, format=format, out=Path(out))
        except DatasetSnapshot.DoesNotExist as error:
            raise Refusal(f"{project} has no snapshot {snapshot}.") from error
        except (snapshotting.NothingToSnapshot, ExportError, FolderInTheWayError) as error:
            raise Refusal(str(error)) from error
        rows = ", ".join(f"{count:,} in {name}" for name, count in result.rows.items())
        self.say(f"{out}: {rows} ({format}, snapshot {used.number}).")
        return {"project": target.slug, "snapshot": used.number, **result.as_json()}
