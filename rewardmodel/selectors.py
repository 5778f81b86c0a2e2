"""Reads about training runs and ensembles."""

from dataclasses import dataclass
from functools import cached_property

from django.db.models import Q, QuerySet
from django.http import Http404

from annotation.models.project import Project
from annotation.models.work import Judgment
from annotation.selectors import worker_alive
from rewardmodel.models import QUEUE, Ensemble, TrainingRun
from rewardmodel.training.config import TrainingConfig


def runs_of(project: Project) -> QuerySet[TrainingRun]:
    """Newest first, with what a list shows."""
    return project.training_runs.select_related("snapshot", "ensemble", "created_by").defer("progress")


def run_for(project: Project, number: int) -> TrainingRun:
    """The project's run of that number, or Http404."""
    run = (
        project.training_runs.select_related("project", "snapshot", "ensemble", "created_by")
        .filter(number=number)
        .first()
    )
    if run is None:
        raise Http404("No such run.")
    return run


def active_ensemble(project: Project) -> Ensemble | None:
    """What scores now, with its run."""
    return project.ensembles.select_related("run", "project").filter(active=True).first()


@dataclass(frozen=True)
class Readiness:
    """Whether there is enough to train on."""

    pairs: int
    prompts: int
    votes: int
    min_pairs: int
    min_prompts: int

    @cached_property
    def enough(self) -> bool:
        return self.pairs >= self.min_pairs and self.prompts >= self.min_prompts


def readiness(project: Project) -> Readiness:
    """Judged pairs, gold left out, against the least that training asks for."""
    judged = Judgment.objects.filter(live=True, item__is_gold=False, item__project=project)
    with_votes = Q(judgments__live=True)
    items = project.items.filter(with_votes, is_gold=False).distinct()
    asked = TrainingConfig()
    return Readiness(
        pairs=items.count(),
        prompts=items.values("prompt").distinct().count(),
        votes=judged.count(),
        min_pairs=asked.min_pairs,
        min_prompts=asked.min_prompts,
    )


def trainer_alive() -> bool:
    """Whether a training worker gave a sign of life lately."""
    return worker_alive(QUEUE)
