"""Reads for the pages that explain the choosing: the survey of the pool, like pairs, the learning curve."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, QuerySet
from django.http import Http404

from activelearning.models import LoopTurn, Replay, SelectedPair, SelectionBatch
from annotation.models.content import Prompt
from annotation.models.project import Project
from annotation.models.quality import SoftLabel
from rewardmodel.models import TrainingRun

TURNS_DRAWN = 200
REPLAYS_SHOWN = 20

Pair = frozenset[int]


@dataclass(frozen=True)
class LabelledPair:
    """A pair that people judged: its item, the last turn of its prompt, and how many votes it has."""

    item_id: int
    prompt: str
    votes: int


def surveyed_batch(project: Project, number: int | None = None) -> SelectionBatch | None:
    """The latest batch with a survey; of a number, that one or Http404."""
    batches = project.selection_batches.filter(survey__isnull=False).select_related("ensemble__run")
    if number is None:
        return batches.order_by("-number").first()
    found = batches.filter(number=number).first()
    if found is None:
        raise Http404("No such batch, or it has no survey.")
    return found


def kinds_of(batch: SelectionBatch) -> list[dict[str, Any]]:
    """The kinds of prompts of a batch without the rest of its survey."""
    found = SelectionBatch.objects.filter(pk=batch.pk).values_list("survey__kinds", flat=True).first()
    return found or []


def prompt_texts(project: Project, ids: Collection[str]) -> dict[str, str]:
    """The last turn of prompts, by their id as text."""
    rows = Prompt.objects.filter(project=project, pk__in=[int(one) for one in ids])
    return {str(pk): str(turns[-1]["content"]) for pk, turns in rows.values_list("pk", "messages")}


def labelled_pairs(project: Project, pairs: Iterable[SelectedPair]) -> dict[Pair, LabelledPair]:
    """What people said of the neighbours of selected pairs, by their two responses."""
    wanted = {
        frozenset((int(one["response_a"]), int(one["response_b"])))
        for pair in pairs
        for one in pair.neighbours
    }
    ids = {pk for pair in wanted for pk in pair}
    rows = SoftLabel.objects.filter(
        project=project, criterion=project.main_criterion, response_a__in=ids, response_b__in=ids
    ).order_by("pk")
    found = {}
    for a, b, item, messages, votes in rows.values_list(
        "response_a_id", "response_b_id", "item_id", "item__prompt__messages", "votes"
    ):
        if frozenset((a, b)) in wanted:
            found[frozenset((a, b))] = LabelledPair(item, str(messages[-1]["content"]), votes)
    return found


def estimated_turns(project: Project) -> QuerySet[LoopTurn]:
    """Turns that say what active choice is worth, newest first."""
    return project.loop_turns.filter(estimate__isnull=False).select_related("run").order_by("-pk")


def measured_turns(project: Project) -> Sequence[LoopTurn]:
    """The latest turns whose run was measured, oldest first; `audited` is what its estimate says of the audit
    set. The rest of the estimate is large and stays where it is."""
    turns = project.loop_turns.filter(run__state=TrainingRun.State.SUCCEEDED).select_related("run")
    audited = turns.annotate(audited=F("estimate__audit")).defer("estimate", "advice")
    return list(audited.order_by("-pk")[:TURNS_DRAWN])[::-1]


def replays_of(project: Project) -> QuerySet[Replay]:
    """The latest ones without their results, newest first."""
    return project.replays.defer("result").select_related("created_by").order_by("-pk")[:REPLAYS_SHOWN]


def replay_for(project: Project, replay_id: int) -> Replay:
    """The project's replay of that id, or Http404."""
    found = project.replays.select_related("created_by").filter(pk=replay_id).first()
    if found is None:
        raise Http404("No such replay.")
    return found
