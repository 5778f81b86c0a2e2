"""Hand a snapshot over to trainers, as files."""

import shutil
import tempfile
import zipfile
from pathlib import Path

from django.conf import settings

from accounts.models import User
from accounts.services import audit
from annotation.interchange import trl
from annotation.interchange.trl import ExportResult
from annotation.models.dataset import DatasetSnapshot
from annotation.models.project import Project
from annotation.services import snapshotting

FORMATS = tuple(trl.FORMATS)


def export_project(
    *, project: Project, format: str, out: Path, actor: User | None = None
) -> tuple[DatasetSnapshot, ExportResult]:
    """Take a snapshot now and write it to `out` in the trainer's format.

    Raises `NothingToSnapshot`, `ExportError`, `FolderInTheWayError`; each says what to do.
    """
    snapshot = snapshotting.create(project=project, actor=actor)
    return snapshot, export_snapshot(snapshot=snapshot, format=format, out=out, actor=actor)


def export_snapshot(
    *, snapshot: DatasetSnapshot, format: str, out: Path, actor: User | None = None
) -> ExportResult:
    """Write a snapshot to `out`. The same snapshot gives the same bytes."""
    result = trl.export(
        snapshotting.folder_of(snapshot), out, format=format, criterion=snapshot.project.main_criterion
    )
    audit.record(
        actor=actor,
        project=snapshot.project,
        action="export",
        detail={"snapshot": snapshot.number, "format": format, "rows": dict(result.rows)},
    )
    return result


def export_archive(*, snapshot: DatasetSnapshot, format: str, actor: User | None = None) -> Path:
    """The export as one zip file to download; made once per snapshot and format."""
    base = Path(settings.LAUREL_EXPORT_DIR)
    base.mkdir(parents=True, exist_ok=True)
    # The hash: a project of the same name may have had this number before.
    name = f"{snapshot.project.slug}-{snapshot.number:04d}-{format}"
    archive = base / f"{name}-{snapshot.manifest_sha256[:8]}.zip"
    if archive.exists():
        return archive
    scratch = Path(tempfile.mkdtemp(dir=base, prefix=".export-"))
    try:
        export_snapshot(snapshot=snapshot, format=format, out=scratch / "files", actor=actor)
        partial = scratch / "archive.zip"
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as target:
            for path in sorted((scratch / "files").iterdir()):
                entry = zipfile.ZipInfo(f"{name}/{path.name}")  # always of the same date: the same bytes
                entry.compress_type = zipfile.ZIP_DEFLATED
                with path.open("rb") as source, target.open(entry, "w", force_zip64=True) as packed:
                    shutil.copyfileobj(source, packed)
        partial.rename(archive)
    finally:
        shutil.rmtree(scratch)
    return archive
