"""Which ensemble scores. At most one is active per project; going back is one step."""

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from accounts.services import audit
from annotation.models.project import Project
from annotation.services import odds
from rewardmodel.models import Ensemble, TrainingRun
from rewardmodel.selectors import PROMOTED, ROLLED_BACK
from rewardmodel.services.scoring import ensemble_folder


class NotPromotable(ValueError):
    """The run cannot score; the message says why."""


@transaction.atomic
def promote(*, run: TrainingRun, actor: User | None = None, reason: str = "") -> Ensemble:
    """Make the run's ensemble the one that scores; the one before stays and can be rolled back to."""
    Project.objects.select_for_update().get(pk=run.project_id)
    run.refresh_from_db()
    if run.state != TrainingRun.State.SUCCEEDED:
        raise NotPromotable(f"Run {run.number} has {run.state}, not succeeded: only a trained one can score.")
    if not (ensemble_folder(run) / "ensemble.json").is_file():
        raise NotPromotable(
            f"The files of run {run.number} are gone from {ensemble_folder(run)}: train again."
        )
    standing = run.project.ensembles.filter(active=True).first()
    if standing is not None and standing.run_id == run.pk:
        return standing
    run.project.ensembles.filter(active=True).update(active=False)
    ensemble, _ = Ensemble.objects.update_or_create(
        run=run,
        defaults={
            "project": run.project,
            "active": True,
            "rolled_back": False,
            "promoted_by": actor,
            "promoted_at": timezone.now(),
            "reason": reason or "Promoted by hand.",
        },
    )
    odds.forget(project=run.project)
    detail = {
        "run": run.number,
        "before": standing.run.number if standing else None,
        "reason": ensemble.reason,
    }
    audit.record(actor=actor, project=run.project, action=PROMOTED, detail=detail)
    return ensemble


@transaction.atomic
def roll_back(*, project: Project, actor: User | None = None, reason: str = "") -> Ensemble:
    """Go back to the ensemble that scored before the active one. Raises `NotPromotable` if there is none."""
    Project.objects.select_for_update().get(pk=project.pk)
    active = project.ensembles.select_related("run").filter(active=True).first()
    before = previous(active) if active else None
    if active is None or before is None:
        raise NotPromotable("There is no earlier ensemble to go back to.")
    if not (ensemble_folder(before.run) / "ensemble.json").is_file():
        raise NotPromotable(
            f"The files of run {before.run.number} are gone: it cannot score any more. Promote another run."
        )
    Ensemble.objects.filter(pk=active.pk).update(active=False, rolled_back=True)
    Ensemble.objects.filter(pk=before.pk).update(active=True)
    odds.forget(project=project)
    detail = {"from": active.run.number, "to": before.run.number, "reason": reason}
    audit.record(actor=actor, project=project, action=ROLLED_BACK, detail=detail)
    before.refresh_from_db()
    return before


def previous(ensemble: Ensemble) -> Ensemble | None:
    """The one promoted before this one; what somebody has gone back from is passed over."""
    return (
        Ensemble.objects.select_related("run")
        .filter(project_id=ensemble.project_id, promoted_at__lt=ensemble.promoted_at, rolled_back=False)
        .order_by("-promoted_at")
        .first()
    )
