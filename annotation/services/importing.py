"""Import: records stream into staging tables by COPY, are checked there, and merged by set-wise SQL.

One transaction per file. Nothing of a file is visible before all of it is; importing it again adds nothing.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from django.db import connection, transaction

from accounts.models import User
from accounts.services import audit
from annotation.interchange.jsonl import RowError, read_jsonl
from annotation.interchange.records import ItemRecord, Kind
from annotation.models.project import Project
from annotation.services import import_merge
from annotation.services.import_staging import Staging, UnfitRow, work_items

CHUNK_LINES = 2_000  # lines, or
CHUNK_CHARACTERS = 8 << 20  # characters of text, between two rounds of COPY
ERRORS_KEPT = 1_000


@dataclass(frozen=True)
class ImportReport:
    """What an import did. `applied` is False when errors made it leave everything as it was."""

    applied: bool
    rows: int
    added: dict[str, int]
    errors: tuple[RowError, ...]
    errors_total: int
    seconds: float
    fatal: RowError | None = None  # why the file could not be read to its end
    candidates_only: int = 0  # prompts with more responses than are paired at once: left to the selection


@dataclass
class _Errors:
    """The first errors in full, and how many there were."""

    kept: list[RowError] = field(default_factory=list)
    total: int = 0
    fatal: RowError | None = None

    def add(self, *errors: RowError, total: int | None = None) -> None:
        self.total += len(errors) if total is None else total
        self.kept.extend(errors[: ERRORS_KEPT - len(self.kept)])
        self.fatal = next((error for error in errors if error.fatal), self.fatal)

    def stop(self, *, skip_bad: bool) -> bool:
        return self.fatal is not None or (self.total > 0 and not skip_bad)


def import_stream(
    *, project: Project, stream: BinaryIO, actor: User | None = None, skip_bad: bool = False
) -> ImportReport:
    """Import JSON Lines (plain or gzip). All or nothing, unless `skip_bad` leaves out just the bad rows.

    A file that cannot be read to its end is refused as a whole, `skip_bad` or not: nobody knows what is lost.
    """
    return import_records(
        project=project,
        records=read_jsonl(stream, kind=cast(Kind, project.kind)),
        actor=actor,
        skip_bad=skip_bad,
    )


def import_records(
    *,
    project: Project,
    records: Iterable[ItemRecord | RowError],
    actor: User | None = None,
    skip_bad: bool = False,
) -> ImportReport:
    started = time.monotonic()
    errors = _Errors()
    added: dict[str, int] = {}
    with transaction.atomic():
        with connection.cursor() as cursor:
            import_merge.lock(cursor, project.pk)
            _as_it_is_now(project)
            import_merge.create_staging(cursor)
            rows, candidates_only = _stage(project, records, errors)
            total, first = import_merge.set_conflicts_aside(cursor, project.pk, most=ERRORS_KEPT)
            errors.add(*(RowError(line=line, message=message) for line, message in first), total=total)
            applied = not errors.stop(skip_bad=skip_bad)
            if applied:
                added = import_merge.merge(cursor, project)
            import_merge.drop_staging(cursor)
        if applied:
            audit.record(
                actor=actor,
                project=project,
                action="import",
                detail={"rows": rows, "added": added, "left_out": errors.total},
            )
        else:
            transaction.set_rollback(True)
    return ImportReport(
        applied=applied,
        rows=rows,
        added=added,
        errors=tuple(sorted(errors.kept, key=lambda error: error.line)),
        errors_total=errors.total,
        seconds=time.monotonic() - started,
        fatal=errors.fatal,
        candidates_only=candidates_only,
    )


def _as_it_is_now(project: Project) -> None:
    """Overlap and question change under the import lock only: the rows are read against what holds now."""
    project.refresh_from_db(fields=["overlap", "kind", "criteria", "rating_points", "ties", "both_bad"])


def _stage(project: Project, records: Iterable[ItemRecord | RowError], errors: _Errors) -> tuple[int, int]:
    staging = Staging(project)
    rows = candidates_only = 0
    with connection.cursor() as cursor:
        for record in records:
            rows += 1
            if isinstance(record, RowError):
                errors.add(record)
                continue
            try:
                items = work_items(project, record)
            except UnfitRow as error:
                errors.add(RowError(line=record.line, message=str(error)))
                continue
            staging.add(record, items)
            candidates_only += not items
            if staging.waiting >= CHUNK_LINES or staging.weight >= CHUNK_CHARACTERS:
                staging.flush(cursor)
        staging.flush(cursor)
    return rows, candidates_only
