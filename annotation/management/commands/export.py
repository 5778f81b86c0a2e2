"""./laurel export PROJECT --format trl-dpo --out DIR: files a trainer loads.

./laurel export PROJECT --judgments FILE: every judgment with the order in which it was shown.
"""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotation.interchange.atomic_file import FileInTheWayError
from annotation.interchange.atomic_folder import FolderInTheWayError
from annotation.interchange.trl import ExportError
from annotation.management.base import LaurelCommand, Refusal, project_named
from annotation.models.dataset import DatasetSnapshot
from annotation.models.project import Project
from annotation.services import exporting, exporting_judgments, snapshotting


class Command(LaurelCommand):
    help = "Write preference data in a trainer's format, from a new snapshot or from one there is."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("--format", choices=exporting.FORMATS)
        parser.add_argument("--out", help="a folder that does not exist yet or is empty")
        parser.add_argument("--snapshot", type=int, help="number of an existing snapshot; default: a new one")
        parser.add_argument("--judgments", metavar="FILE", help="write every judgment to FILE as JSON lines")
        parser.add_argument(
            "--names", action="store_true", help="with --judgments: user names instead of pseudonyms"
        )

    def perform(
        self,
        *,
        project: str,
        format: str | None,
        out: str | None,
        snapshot: int | None,
        judgments: str | None,
        names: bool,
    ) -> dict[str, Any]:
        target = project_named(project)
        if judgments is not None:
            if format or out or snapshot:
                raise CommandError(
                    "--judgments FILE goes without --format, --out and --snapshot.", returncode=2
                )
            return self._judgments(target, judgments, names=names)
        if not format or not out:
            raise CommandError(
                "Say --format and --out for a trainer's files, or --judgments FILE.", returncode=2
            )
        return self._snapshot(target, format, out, snapshot)

    def _judgments(self, project: Project, file: str, *, names: bool) -> dict[str, Any]:
        try:
            count = exporting_judgments.export_judgments(project=project, out=Path(file), names=names)
        except FileInTheWayError as error:
            raise Refusal(str(error)) from error
        self.say(f"{file}: {count:,} judgments.")
        return {"project": project.slug, "file": file, "judgments": count}

    def _snapshot(self, target: Project, format: str, out: str, snapshot: int | None) -> dict[str, Any]:
        try:
            if snapshot is None:
                used, result = exporting.export_project(project=target, format=format, out=Path(out))
            else:
                used = target.snapshots.get(number=snapshot)
                result = exporting.export_snapshot(snapshot=used, format=format, out=Path(out))
        except DatasetSnapshot.DoesNotExist as error:
            raise Refusal(f"{target.slug} has no snapshot {snapshot}.") from error
        except (snapshotting.NothingToSnapshot, ExportError, FolderInTheWayError) as error:
            raise Refusal(str(error)) from error
        rows = ", ".join(f"{count:,} in {name}" for name, count in result.rows.items())
        self.say(f"{out}: {rows} ({format}, snapshot {used.number}).")
        return {"project": target.slug, "snapshot": used.number, **result.as_json()}
