"""Freeze what the votes say into an immutable folder: the only hand-off to machine learning."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Max, OuterRef
from django.utils import timezone

from accounts.models import User
from accounts.services import audit
from annotation.interchange.records import Kind, Message, prompt_json
from annotation.interchange.snapshot import MANIFEST, write_snapshot
from annotation.interchange.snapshot_rows import Origin, PreferenceRow, ResponseRow
from annotation.models.content import Response
from annotation.models.dataset import DatasetSnapshot
from annotation.models.project import Project
from annotation.models.quality import SoftLabel
from annotation.models.work import Item, Judgment
from annotation.selectors import latest_guidelines
from annotation.services import aggregating

SPLIT_SEED = 1  # one for all snapshots: a prompt stays in its split while the project grows
_ORIGINS: dict[str, Origin] = {"imported": "imported", "random": "audit", "selected": "selected"}


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
        responses=_responses(project),
        preferences=_preferences(project),
        project=project.slug,
        kind=cast(Kind, project.kind),
        criteria=project.criterion_names,
        created_at=timezone.now(),
        split_seed=SPLIT_SEED,
        left_out=_left_out(project),
        guideline_version=guideline.version if guideline else None,
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


def _responses(project: Project) -> Iterator[ResponseRow]:
    rows = (
        Response.objects.filter(prompt__project=project).select_related("prompt").order_by("prompt_id", "pk")
    )
    for row in rows.iterator(chunk_size=2_000):
        turns = [Message(role=turn["role"], content=turn["content"]) for turn in row.prompt.messages]
        yield ResponseRow(
            prompt_id=str(row.prompt_id),
            response_id=str(row.pk),
            prompt=prompt_json(turns),
            text=row.text,
            model=row.model or None,
        )


def _preferences(project: Project) -> Iterator[PreferenceRow]:
    rows = SoftLabel.objects.filter(project=project).select_related("item").order_by("pk")
    for row in rows.iterator(chunk_size=2_000):
        yield PreferenceRow(
            pair_id=_pair_id(project, row),
            prompt_id=str(row.item.prompt_id),
            response_a=str(row.response_a_id),
            response_b=str(row.response_b_id),
            criterion=row.criterion,
            p_a=row.p_a,
            p_tie=row.p_tie,
            p_b=row.p_b,
            votes=row.votes,
            effective_votes=row.effective_votes,
            method=row.method,
            origin=_ORIGINS[row.item.origin],
        )


def _pair_id(project: Project, label: SoftLabel) -> str:
    """The item's, where it is one pair; else the item's with its two responses, unique in the project."""
    if project.kind == Project.Kind.PAIRWISE:
        return str(label.item_id)
    return f"{label.item_id}:{label.response_a_id}-{label.response_b_id}"


def _nothing(project: Project) -> str:
    if Judgment.objects.filter(item__project=project, item__is_gold=False, live=True).exists():
        return f"The judgments of {project.slug} compare no two responses: rate two or more of a prompt."
    return f"{project.slug} has no judgments yet: judge or import some, then try again."


def _left_out(project: Project) -> dict[str, int]:
    """What a snapshot does not hold, by reason. Judgments that were superseded are counted once each."""
    judgments = Judgment.objects.filter(item__project=project)
    judged = Exists(Judgment.objects.filter(item=OuterRef("pk"), live=True))
    items = Item.objects.filter(project=project, is_gold=False)
    counts = {
        "judgments on gold items": judgments.filter(item__is_gold=True, live=True).count(),
        "judgments superseded or taken back": judgments.filter(live=False, repeat=False).count(),
        "answers to silent repeats": judgments.filter(repeat=True).count(),
        "items without a judgment": items.filter(~judged).count(),
        "items of one response, which is compared with none": items.filter(
            judged, soft_labels__isnull=True
        ).count(),
    }
    return {reason: count for reason, count in counts.items() if count}
