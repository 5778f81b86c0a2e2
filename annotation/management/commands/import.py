"""./laurel import PROJECT FILE: items, responses and votes in JSON Lines."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import CommandParser
from django.db import transaction

from annotation.management.base import LaurelCommand, Refusal, project_named
from annotation.models.project import Project
from annotation.services import importing, projects

SHOWN = 20


class Command(LaurelCommand):
    help = "Import items, responses and votes from a JSON Lines file (plain or gzip; - for standard input)."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("file", help="path of the file, or - for standard input")
        parser.add_argument("--create", action="store_true", help="create the project if it does not exist")
        parser.add_argument("--name", default="", help="with --create: its name for people")
        parser.add_argument("--overlap", type=int, default=3, help="with --create: people per item (3)")
        parser.add_argument(
            "--criterion", action="append", default=[], help="with --create: a criterion; may be repeated"
        )
        parser.add_argument(
            "--kind",
            choices=Project.Kind.values,
            default=Project.Kind.PAIRWISE,
            help="with --create: the question",
        )
        parser.add_argument("--skip-bad", action="store_true", help="import the good rows, leave out the bad")

    def perform(self, *, project: str, file: str, skip_bad: bool, **creation: Any) -> dict[str, Any]:
        with _opened(file) as stream, transaction.atomic():
            target = self._project(project, **creation)
            report = importing.import_stream(project=target, stream=stream, skip_bad=skip_bad)
            if not report.applied:  # a project made for this file goes with it
                transaction.set_rollback(True)
        return self._result(target, report)

    def _project(
        self, slug: str, *, create: bool, name: str, overlap: int, criterion: list[str], kind: str
    ) -> Project:
        if not create or Project.objects.filter(slug=slug).exists():
            try:
                return project_named(slug)
            except Refusal as refusal:
                raise Refusal(f"{refusal} Add --create to make it.") from refusal
        try:
            return projects.create(slug=slug, name=name, kind=kind, overlap=overlap, criteria=criterion)
        except projects.InvalidProject as error:
            raise Refusal(str(error)) from error

    def _result(self, project: Project, report: importing.ImportReport) -> dict[str, Any]:
        errors = [{"line": error.line, "message": error.message} for error in report.errors]
        result = {
            "project": project.slug,
            "rows": report.rows,
            "added": report.added,
            "errors": errors,
            "errors_total": report.errors_total,
            "seconds": round(report.seconds, 3),
        }
        for error in report.errors[:SHOWN]:
            self.stderr.write(f"line {error.line}: {error.message}")
        if report.errors_total > SHOWN:
            self.stderr.write(f"… and {report.errors_total - SHOWN} more")
        if not report.applied:
            remedy = "Mend them, or add --skip-bad to leave them out."
            why = f"{report.errors_total} of {report.rows} rows are bad. {remedy}"
            if report.fatal is not None:
                why = f"{report.fatal.message} (line {report.fatal.line})."
            raise Refusal(f"Nothing was imported: {why}", **result)
        added = ", ".join(f"{count:,} {name}" for name, count in report.added.items())
        self.say(f"{project.slug}: {report.rows:,} rows read, added {added} in {report.seconds:.1f} s.")
        if report.errors_total:
            self.say(f"{report.errors_total} bad rows were left out.")
        if report.candidates_only:
            self.say(
                f"{report.candidates_only} prompts have more than 8 responses; their pairs await selection."
            )
        return result


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115  closed below
    except OSError as error:
        raise Refusal(f"{file} cannot be read: {error.strerror}.") from error
    with stream:
        yield stream
