"""Import: records stream into staging tables by COPY, are checked there, and merged by set-wise SQL.

One transaction per file. Nothing of a file is visible before all of it is; importing it again adds nothing.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

from django.db import connection, transaction

from accounts.models import User
from accounts.services import audit
from annotation.interchange.jsonl import RowError, read_jsonl
from annotation.interchange.records import ItemRecord
from annotation.models.project import Project
from annotation.services import import_merge
from annotation.services.import_staging import Staging, UnfitRow, work_items

CHUNK = 2_000  # records between two rounds of COPY
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
    candidates_only: int = 0  # prompts with more responses than are paired at once: left to the selection


@dataclass
class _Errors:
    """The first errors in full, and how many there were."""

    kept: list[RowError] = field(default_factory=list)
    total: int = 0

    def add(self, error: RowError) -> None:
        self.total += 1
        if len(self.kept) < ERRORS_KEPT:
            self.kept.append(error)


def import_stream(
    *, project: Project, stream: BinaryIO, actor: User | None = None, skip_bad: bool = False
) -> ImportReport:
    """Import JSON Lines (plain or gzip). All or nothing, unless `skip_bad` leaves out just the bad rows."""
    return import_records(
        project=project, records=read_jsonl(stream, kind=project.kind), actor=actor, skip_bad=skip_bad
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
            import_merge.create_staging(cursor)
            rows, candidates_only = _stage(project, records, errors)
            for line, message in import_merge.find_conflicts(cursor, project.pk):
                errors.add(RowError(line=line, message=message))
            applied = errors.total == 0 or skip_bad
            if applied:
                import_merge.drop_bad_lines(cursor)
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
        candidates_only=candidates_only,
    )


def _stage(project: Project, records: Iterable[ItemRecord | RowError], errors: _Errors) -> tuple[int, int]:
    staging = Staging(project)
    rows = candidates_only = 0
    for chunk in _chunks(records):
        for record in chunk:
            rows += 1
            if isinstance(record, RowError):
                errors.add(record)
                continue
            try:
                items = work_items(project, record)
                staging.add(record, items)
            except UnfitRow as error:
                errors.add(RowError(line=record.line, message=str(error)))
            else:
                candidates_only += not items
        with connection.cursor() as cursor:
            staging.flush(cursor)
    return rows, candidates_only


def _chunks(records: Iterable[ItemRecord | RowError]) -> Iterator[list[ItemRecord | RowError]]:
    iterator = iter(records)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk
