"""Reads about selection batches."""

from django.db.models import Count, Q, QuerySet
from django.http import Http404

from activelearning.models import LoopTurn, SelectedPair, SelectionBatch
from annotation.models.project import Project
from rewardmodel.models import Ensemble

BATCHES_SHOWN, TURNS_SHOWN = 50, 10


def batches_of(project: Project) -> QuerySet[SelectionBatch]:
    """Newest first, each with `size` and `judged`: how many of its pairs have a vote."""
    counted = project.selection_batches.annotate(
        size=Count("pairs", distinct=True),
        judged=Count("pairs", distinct=True, filter=Q(pairs__item__judgments__live=True)),
    )
    return counted.select_related("ensemble__run").defer("survey").order_by("-number")[:BATCHES_SHOWN]


def batch_for(project: Project, number: int) -> SelectionBatch:
    """The project's batch of that number, or Http404."""
    batches = project.selection_batches.select_related("project", "ensemble__run").defer("survey")
    found = batches.filter(number=number).first()
    if found is None:
        raise Http404("No such batch.")
    return found


def pairs_of(batch: SelectionBatch) -> QuerySet[SelectedPair]:
    """In the order of choice, with texts and `votes`: how many live judgments the item has.

    Where responses are ranked or rated, with all those of the item.
    """
    counted = batch.pairs.annotate(votes=Count("item__judgments", filter=Q(item__judgments__live=True)))
    found = counted.select_related("response_a", "response_b", "item__prompt").order_by("rank")
    if batch.project.kind == Project.Kind.PAIRWISE:
        return found
    return found.prefetch_related("item__item_responses__response")


def quotas(batch: SelectionBatch) -> dict[str, int]:
    """Pairs for each reason, in the order of the reasons."""
    counted = dict(batch.pairs.order_by().values_list("reason").annotate(Count("pk")))
    return {reason: counted.get(reason, 0) for reason in SelectedPair.Reason.values}


def turns_of(project: Project) -> list[LoopTurn]:
    """The latest turns of the loop, newest first."""
    turns = project.loop_turns.select_related("run", "batch")
    return list(turns.defer("batch__survey", "estimate", "advice")[:TURNS_SHOWN])


def latest_estimated_turn(project: Project) -> LoopTurn | None:
    return project.loop_turns.filter(estimate__isnull=False).only("estimate", "advice").first()


def active_ensemble(project: Project) -> Ensemble | None:
    return project.ensembles.filter(active=True).select_related("run").first()
