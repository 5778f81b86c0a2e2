"""What commands on a trained run share: the run that is named, or the one that scores."""

from annotation.management.base import Refusal
from annotation.models.project import Project
from rewardmodel.models import TrainingRun
from rewardmodel.selectors import active_ensemble
from rewardmodel.services.scoring import ensemble_folder


def scoring_run(project: Project, number: int | None) -> TrainingRun:
    """The run of that number, or that of the active ensemble; a refusal when it cannot score."""
    if number is None:
        active = active_ensemble(project)
        if active is None:
            raise Refusal(
                f"{project.slug} has no ensemble that scores: ./laurel train {project.slug} --wait."
            )
        run = active.run
    else:
        found = project.training_runs.select_related("project").filter(number=number).first()
        if found is None:
            raise Refusal(f"{project.slug} has no run {number}.")
        run = found
    if not (ensemble_folder(run) / "ensemble.json").is_file():
        raise Refusal(
            f"Run {run.number} has no ensemble in {ensemble_folder(run)}: choose another, or train."
        )
    return run
