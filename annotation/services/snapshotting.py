"""Freeze what the votes say into an immutable folder: the only hand-off to machine learning."""

import hashlib
from pathlib import Path
from typing import cast

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from accounts.models import User
from accounts.services import audit
from annotation.interchange.records import Kind
from annotation.interchange.snapshot import MANIFEST, write_snapshot
from annotation.models.dataset import DatasetSnapshot
from annotation.models.project import Project
from annotation.models.work import Judgment
from annotation.selectors import latest_guidelines
from annotation.services import aggregating, snapshot_rows

SPLIT_SEED = 1  # one for all snapshots: a prompt stays in its split while the project grows


class NothingToSnapshot(ValueError):
    """No pair of responses carries a vote; the message says what to do."""


@transaction.atomic
def create(*, project: Project, actor: User | None = None) -> DatasetSnapshot:
    """Rebuild the soft labels and write them, with every response, to a new snapshot folder.

    Raises `NothingToSnapshot`. The row exists only if the folder is whole.
    """
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)  # two snapshots take turns
    if aggregating.refit(project=project) == 0:
        raise NothingToSnapshot(_nothing(project))
    number = (project.snapshots.aggregate(last=Max("number"))["last"] or 0) + 1
    folder = _free_folder(project, number)
    guideline = latest_guidelines(project)
    manifest = write_snapshot(
        folder,
        responses=snapshot_rows.responses(project),
        preferences=snapshot_rows.preferences(project),
        answers=snapshot_rows.answers(project),
        project=project.slug,
        kind=cast(Kind, project.kind),
        criteria=project.criterion_names,
        criteria_weights=project.criteria_weights,
        created_at=timezone.now(),
        split_seed=SPLIT_SEED,
        left_out=snapshot_rows.left_out(project),
        guideline_version=guideline.version if guideline else None,
        audit_prompts={str(pk) for pk in project.prompts.filter(audit=True).values_list("pk", flat=True)},
    )
    snapshot = DatasetSnapshot.objects.create(
        project=project,
        number=number,
        folder=str(folder.relative_to(settings.LAUREL_DATA_DIR)),
        manifest=manifest.as_json(),
        manifest_sha256=hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest(),
        created_by=actor,
    )
    audit.record(actor=actor, project=project, action="snapshot", detail={"number": number})
    return snapshot


def folder_of(snapshot: DatasetSnapshot) -> Path:
    return Path(settings.LAUREL_DATA_DIR) / snapshot.folder


def _free_folder(project: Project, number: int) -> Path:
    """The snapshot's folder; one left by a transaction that never committed is stepped over."""
    base = Path(settings.LAUREL_SNAPSHOT_DIR) / project.slug
    base.mkdir(parents=True, exist_ok=True)
    folder, attempt = base / f"{number:04d}", 1
    while folder.exists():
        folder = base / f"{number:04d}-{attempt}"
        attempt += 1
    return folder


def _nothing(project: Project) -> str:
    if Judgment.objects.filter(item__project=project, item__is_gold=False, live=True).exists():
        return f"The judgments of {project.slug} compare no two responses: rate two or more of a prompt."
    return f"{project.slug} has no judgments yet: judge or import some, then try again."
