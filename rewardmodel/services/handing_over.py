"""Hand a run's model over as a folder: asked for here, made by a training worker in a child process.

(none) --start--> queued --claim--> running --> ready | failed
                     ^                 |
                     +--- lease out ---+     at most `ATTEMPTS` times
"""

import json
import secrets
import shutil
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts.models import User
from accounts.services import audit
from annotation.services import snapshotting
from rewardmodel.models import HandOver, TrainingRun
from rewardmodel.services import outcomes, sending
from rewardmodel.services.children import Child
from rewardmodel.services.following import stopping
from rewardmodel.services.running import folder_of
from rewardmodel.services.scoring import ensemble_folder
from rewardmodel.training import files

PROGRAM = "rewardmodel.training.handover"
LEASE = timedelta(seconds=60)
SEND_AGAIN = timedelta(seconds=30)
BEAT_SECONDS = 1.0
ATTEMPTS = 3
ACTIVE = (HandOver.State.QUEUED, HandOver.State.RUNNING)


class CannotHandOver(ValueError):
    """The run cannot be handed over; the message says why."""


def start(*, run: TrainingRun, actor: User | None = None) -> HandOver:
    """Queue the hand-over of a run; the one that is under way if there is one. Raises `CannotHandOver`."""
    check(run)
    with transaction.atomic():
        TrainingRun.objects.select_for_update(of=("self",), no_key=True).get(pk=run.pk)
        standing = HandOver.objects.filter(run=run).first()
        if standing is not None and standing.state in ACTIVE:
            return standing
        before = folder(standing) if standing is not None else None
        fields: dict[str, Any] = {
            "state": HandOver.State.QUEUED,
            "folder": f"handovers/{run.project.slug}/{run.number:04d}-{secrets.token_hex(3)}",
            "holder": "", "lease_expires_at": None, "attempts": 0, "progress": {}, "reason": "",
            "bytes": None, "sha256": "", "about": None, "created_by": actor, "created_at": timezone.now(),
            "finished_at": None,
        }  # fmt: skip
        made, _ = HandOver.objects.update_or_create(run=run, defaults=fields)
        audit.record(actor=actor, project=run.project, action="hand-over started", detail={"run": run.number})
        transaction.on_commit(lambda: _send(made.pk))
    if before is not None:
        shutil.rmtree(before, ignore_errors=True)
    return made


def check(run: TrainingRun) -> None:
    """Raise `CannotHandOver` unless the run is trained and its files are there."""
    if run.state != TrainingRun.State.SUCCEEDED:
        raise CannotHandOver(
            f"Run {run.number} has {run.state}, not succeeded: there is nothing to hand over."
        )
    if not (ensemble_folder(run) / "ensemble.json").is_file():
        raise CannotHandOver(
            f"The files of run {run.number} are gone from {ensemble_folder(run)}: train again."
        )


def folder(made: HandOver) -> Path:
    return Path(settings.LAUREL_DATA_DIR) / made.folder


def arguments(run: TrainingRun, out: Path, status: Path) -> list[str | Path]:
    """Of the program that makes the folder OUT."""
    snapshot = snapshotting.folder_of(run.snapshot)
    where: list[str | Path] = [folder_of(run), out, "--snapshot", snapshot]
    return [*where, "--cache", settings.LAUREL_CACHE_DIR, "--status", status, "--seed", str(run.seed)]


def execute(hand_over_id: int) -> bool:
    """Make the folder if the row is queued. False when there was nothing to do."""
    holder = uuid.uuid4().hex
    claimed = HandOver.objects.filter(pk=hand_over_id, state=HandOver.State.QUEUED).update(
        state=HandOver.State.RUNNING,
        holder=holder,
        attempts=F("attempts") + 1,
        lease_expires_at=timezone.now() + LEASE,
    )
    if not claimed:
        return False
    made = HandOver.objects.select_related("run__project", "run__snapshot").get(pk=hand_over_id)
    status = folder(made).with_name(folder(made).name + ".status")
    status.mkdir(parents=True, exist_ok=True)
    whole = folder(made).is_dir()  # it gets its name when it is: a worker was lost just after that
    code = 0 if whole else _make(made, status)
    if code is not None:
        _finish(made, code, status)
        shutil.rmtree(status, ignore_errors=True)
    return True


def reconcile() -> list[int]:
    """Send again what nobody works on. Returns the ids sent."""
    now = timezone.now()
    lost = HandOver.objects.filter(state=HandOver.State.RUNNING, lease_expires_at__lt=now)
    lost.filter(attempts__gte=ATTEMPTS).update(
        state=HandOver.State.FAILED,
        finished_at=now,
        reason="The worker that made it was lost several times. Look at its log and the machine's memory.",
    )
    lost.filter(attempts__lt=ATTEMPTS).update(state=HandOver.State.QUEUED, holder="", lease_expires_at=None)
    waiting = HandOver.objects.filter(_unsent(), state=HandOver.State.QUEUED).values_list("pk", flat=True)
    return [pk for pk in waiting if _send(pk)]


def _send(pk: int) -> bool:
    marked = HandOver.objects.filter(_unsent(), pk=pk, state=HandOver.State.QUEUED).update(
        lease_expires_at=timezone.now() + SEND_AGAIN
    )
    return bool(marked) and sending.wake_for_hand_over(pk)


def _unsent() -> Q:
    return Q(lease_expires_at__isnull=True) | Q(lease_expires_at__lt=timezone.now())


def _make(made: HandOver, status: Path) -> int | None:
    child = Child(PROGRAM, arguments(made.run, folder(made), status), log=status / "log.txt")
    try:
        return _follow(child, made, status)
    finally:
        child.end()


def _follow(child: Child, made: HandOver, status: Path) -> int | None:
    """Wait for the child and keep the lease. None when the row is no longer ours, or this worker stops."""
    while (code := child.poll(BEAT_SECONDS)) is None:
        fields: dict[str, Any] = {"lease_expires_at": timezone.now() + LEASE}
        if (progress := read_json(status / "progress.json")) is not None:
            fields["progress"] = progress
        if not _held(made).update(**fields):
            return None
        if stopping.is_set():
            _held(made).update(
                state=HandOver.State.QUEUED, holder="", attempts=F("attempts") - 1, lease_expires_at=None
            )
            return None
    return code


def _finish(made: HandOver, code: int, status: Path) -> None:
    """Ready with size and hash, or failed with the reason."""
    out, now = folder(made), timezone.now()
    about = read_json(out / "handover.json")
    if code == 0 and about is not None:
        total = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
        _held(made).update(
            state=HandOver.State.READY,
            bytes=total,
            sha256=files.sha256(out / "manifest.json"),
            about=about,
            finished_at=now,
            lease_expires_at=None,
        )
        return
    told = (read_json(status / "failure.json") or {}).get("reason")
    reason = told or f"The program ended with exit code {code}. Its last words: {outcomes.tail(status, 600)}"
    _held(made).update(state=HandOver.State.FAILED, reason=reason, finished_at=now, lease_expires_at=None)


def _held(made: HandOver) -> Any:
    return HandOver.objects.filter(pk=made.pk, state=HandOver.State.RUNNING, holder=made.holder)


def read_json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
