"""Reads about selection batches and the loop."""

from dataclasses import dataclass
from functools import cached_property

from django.db.models import Count, Q, QuerySet
from django.http import Http404

from activelearning.models import LoopPolicy, LoopTurn, SelectedPair, SelectionBatch
from activelearning.services import looping
from annotation.models.project import Project
from rewardmodel.models import Ensemble

BATCHES_SHOWN, TURNS_SHOWN = 50, 10


def batches_of(project: Project) -> QuerySet[SelectionBatch]:
    """Newest first, each with `size` and `judged`: how many of its pairs have a vote."""
    counted = project.selection_batches.annotate(
        size=Count("pairs", distinct=True),
        judged=Count("pairs", distinct=True, filter=Q(pairs__item__judgments__live=True)),
    )
    return counted.select_related("ensemble__run").order_by("-number")[:BATCHES_SHOWN]


def batch_for(project: Project, number: int) -> SelectionBatch:
    """The project's batch of that number, or Http404."""
    found = project.selection_batches.select_related("ensemble__run").filter(number=number).first()
    if found is None:
        raise Http404("No such batch.")
    return found


def pairs_of(batch: SelectionBatch) -> QuerySet[SelectedPair]:
    """In the order of choice, with texts and `votes`: how many live judgments the item has."""
    counted = batch.pairs.annotate(votes=Count("item__judgments", filter=Q(item__judgments__live=True)))
    return counted.select_related("response_a", "response_b", "item__prompt").order_by("rank")


def quotas(batch: SelectionBatch) -> dict[str, int]:
    """Pairs for each reason, in the order of the reasons."""
    counted = dict(batch.pairs.order_by().values_list("reason").annotate(Count("pk")))
    return {reason: counted.get(reason, 0) for reason in SelectedPair.Reason.values}


@dataclass(frozen=True)
class LoopState:
    """Where the loop is: what scores, what is under way, how far to the next turn."""

    policy: LoopPolicy
    until_next: int
    turns: list[LoopTurn]
    ensemble: Ensemble | None

    @cached_property
    def under_way(self) -> LoopTurn | None:
        """The open turn: there is at most one, and it is the newest."""
        return self.turns[0] if self.turns and self.turns[0].state in looping.OPEN else None

    @property
    def accuracy(self) -> dict[str, float]:
        """Of the active ensemble on held-out pairs, with its interval; empty where it was not measured."""
        metrics = (self.ensemble.run.metrics or {}) if self.ensemble else {}
        found: dict[str, float] = metrics.get("accuracy") or {}
        return found if found.get("value") is not None else {}

    @property
    def gathered(self) -> int:
        """Judgments since the last turn, as far as they count towards the next one."""
        return max(0, self.policy.retrain_every - self.until_next)


def loop_of(project: Project) -> LoopState:
    return LoopState(
        policy=looping.policy_of(project),
        until_next=looping.judgments_until_next(project),
        turns=list(project.loop_turns.select_related("run", "batch")[:TURNS_SHOWN]),
        ensemble=project.ensembles.filter(active=True).select_related("run").first(),
    )
