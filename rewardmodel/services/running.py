"""Start and cancel training runs. The partial unique index decides that a project has one at a time."""

import hashlib
import os
import secrets
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from accounts.models import User
from accounts.services import audit
from annotation.models.dataset import DatasetSnapshot
from annotation.models.project import Project
from annotation.services import snapshotting
from annotation.services.assigning import in_turn
from rewardmodel.models import TrainingRun
from rewardmodel.services import reconciling, sending
from rewardmodel.training.config import Config, from_dict
from rewardmodel.training.failure import ConfigError

ACTIVE = (TrainingRun.State.QUEUED, TrainingRun.State.RUNNING)


class RunUnderWay(Exception):
    """The project already has a run that is not over; `run` is that run."""

    def __init__(self, run: TrainingRun) -> None:
        super().__init__(f"Run {run.number} is already {run.get_state_display().lower()}: one run at a time.")
        self.run = run


class CannotTrain(ValueError):
    """A run cannot be started as asked; the message says what to do."""


class CannotCancel(ValueError):
    """The run is over."""


def start_run(
    *,
    project: Project,
    actor: User | None = None,
    config: dict[str, Any] | None = None,
    seed: int | None = None,
    trigger: str = TrainingRun.Trigger.PERSON,
) -> TrainingRun:
    """Freeze the project's data into a snapshot and queue a run on it.

    config: settings of `TrainingConfig`; what it leaves out keeps its default. Raises `RunUnderWay` with
    the run that is there, `CannotTrain` when there is nothing to train on or a setting is wrong.
    """
    asked = config or {}
    frozen = _frozen_config({**_beginning(project, asked), **asked}, seed)
    try:
        with transaction.atomic():
            in_turn(f"train/{project.pk}")  # two clicks: the second makes no snapshot
            _refuse_a_second(project)
            snapshot = _snapshot(project, actor)
            run = _create(project, actor, frozen, snapshot, trigger)
            transaction.on_commit(lambda: _send(run.pk))
    except IntegrityError as error:
        running = project.training_runs.filter(state__in=ACTIVE).first()
        if running is None:
            raise
        raise RunUnderWay(running) from error
    return run


@transaction.atomic
def cancel(*, run: TrainingRun, actor: User | None = None) -> TrainingRun:
    """End a queued run now, a running one within seconds. Raises `CannotCancel` when it is over."""
    by = f"Cancelled by {actor}." if actor else "Cancelled."
    waiting = TrainingRun.objects.filter(pk=run.pk, state=TrainingRun.State.QUEUED).update(
        state=TrainingRun.State.CANCELLED,
        finished_at=timezone.now(),
        cancel_requested=True,
        lease_expires_at=None,
        reason=by,
    )
    if not waiting and not TrainingRun.objects.filter(pk=run.pk, state=TrainingRun.State.RUNNING).update(
        cancel_requested=True, reason=by
    ):
        run.refresh_from_db()
        raise CannotCancel(f"Run {run.number} is over: it {run.state}.")
    audit.record(actor=actor, project=run.project, action="training cancelled", detail={"run": run.number})
    run.refresh_from_db()
    return run


def folder_of(run: TrainingRun) -> Path:
    return Path(settings.LAUREL_DATA_DIR) / run.folder


@cache
def code_version() -> str:
    """The release and the first digits of a hash over the training code: two equal ones train alike."""
    digest = hashlib.sha256()
    base = Path(settings.BASE_DIR) / "rewardmodel"
    for path in sorted(
        path for name in ("likelihood", "training", "evaluation") for path in base.glob(f"{name}/**/*.py")
    ):
        digest.update(path.relative_to(base).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{settings.VERSION}+{digest.hexdigest()[:12]}"


def _frozen_config(config: dict[str, Any], seed: int | None) -> Config:
    given = config | ({} if seed is None else {"seed": seed})
    try:
        return from_dict(given)
    except ConfigError as error:
        raise CannotTrain(error.reason) from error


def _beginning(project: Project, config: dict[str, Any]) -> dict[str, str]:
    """Heads begin where the ensemble in use ended; frozen now, whatever is promoted meanwhile. The path leads
    there from the new run's folder, so that the data folder can move."""
    active = project.ensembles.select_related("run").filter(active=True).first()
    if active is None or config.get("tier", "cpu") != "cpu":
        return {}
    there = PurePosixPath(active.run.folder, "ensemble")
    return {"warm_start": os.path.relpath(there, _folder(project, "new"))}


def _folder(project: Project, name: str) -> str:
    return f"runs/{project.slug}/{name}"


def _refuse_a_second(project: Project) -> None:
    running = project.training_runs.filter(state__in=ACTIVE).first()
    if running is not None:
        raise RunUnderWay(running)


def _snapshot(project: Project, actor: User | None) -> DatasetSnapshot:
    try:
        return snapshotting.create(project=project, actor=actor)
    except snapshotting.NothingToSnapshot as error:
        raise CannotTrain(str(error)) from error


def _create(
    project: Project, actor: User | None, config: Config, snapshot: DatasetSnapshot, trigger: str
) -> TrainingRun:
    number = (project.training_runs.aggregate(last=Max("number"))["last"] or 0) + 1
    run = TrainingRun.objects.create(
        project=project,
        number=number,
        snapshot=snapshot,
        snapshot_sha256=snapshot.manifest_sha256,
        config=config.as_dict(),
        seed=config.seed,
        code_version=code_version(),
        # Never a folder that another run, perhaps of a database since dropped, has left its files in.
        folder=_folder(project, f"{number:04d}-{secrets.token_hex(3)}"),
        trigger=trigger,
        created_by=actor,
    )
    detail = {"run": number, "snapshot": snapshot.number, "trigger": trigger}
    audit.record(actor=actor, project=project, action="training started", detail=detail)
    return run


def _send(run_id: int) -> None:
    if reconciling.mark_sent(run_id):
        sending.wake_trainer(run_id)
