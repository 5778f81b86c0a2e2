"""Reads about training runs and ensembles."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.db.models import Count, Exists, OuterRef, QuerySet, Sum
from django.http import Http404

from accounts.models import AuditEntry, User
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
        project.training_runs.select_related("project", "snapshot", "ensemble", "hand_over", "created_by")
        .filter(number=number)
        .first()
    )
    if run is None:
        raise Http404("No such run.")
    return run


def active_ensemble(project: Project) -> Ensemble | None:
    """What scores now, with its run."""
    return project.ensembles.select_related("run", "project").filter(active=True).first()


PROMOTED, ROLLED_BACK = "ensemble promoted", "ensemble rolled back"  # as promoting records them


@dataclass(frozen=True)
class Promotion:
    """One change of what scores. actor None: the gate, or a command. verdict: the gate's word on the run."""

    at: datetime
    actor: User | None
    run: int
    before: int | None
    back: bool  # a roll-back
    reason: str
    verdict: str

    @property
    def by_gate(self) -> bool:
        return self.actor is None and bool(self.verdict) and self.reason == self.verdict


def promotions_of(project: Project, *, most: int = 20) -> list[Promotion]:
    """The latest first, from the audit log."""
    entries = AuditEntry.objects.filter(project=project, action__in=(PROMOTED, ROLLED_BACK))
    found = list(entries.select_related("actor").order_by("-at", "-pk")[:most])
    verdicts = dict(project.training_runs.values_list("number", "verdict")) if found else {}
    return [
        Promotion(
            at=one.at,
            actor=one.actor,
            run=number,
            before=one.detail.get("before", one.detail.get("from")),
            back=one.action == ROLLED_BACK,
            reason=one.detail.get("reason", ""),
            verdict=verdicts.get(number, ""),
        )
        for one in found
        if (number := one.detail.get("run", one.detail.get("to"))) is not None
    ]


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
    """Judged pairs, gold left out, against the least that training asks for. An item of n responses that is
    ranked or rated holds n (n - 1) / 2 of them."""
    judged = Judgment.objects.filter(live=True, item__is_gold=False, item__project=project)
    items = project.items.filter(Exists(judged.filter(item=OuterRef("pk"))), is_gold=False)
    size = Count("item_responses")
    pairs = items.annotate(held=size * (size - 1) / 2).aggregate(pairs=Sum("held"))["pairs"]
    asked = TrainingConfig()
    return Readiness(
        pairs=pairs or 0,
        prompts=items.values("prompt").distinct().count(),
        votes=judged.count(),
        min_pairs=asked.min_pairs,
        min_prompts=asked.min_prompts,
    )


def trainer_alive() -> bool:
    """Whether a training worker gave a sign of life lately."""
    return worker_alive(QUEUE)
