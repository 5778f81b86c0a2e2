"""Turns of the loop with made-up estimates, and a project whose two arms are labelled."""

from typing import Any

import numpy as np
from django.utils import timezone

from activelearning.models import AuditPair, LoopTurn, SelectedPair, SelectionBatch
from annotation.models.content import Prompt, Response
from annotation.models.project import Project
from annotation.services import aggregating, snapshotting
from tests import factories


def past_turn(project: Project, gain: float | None = None, **estimate: Any) -> LoopTurn:
    """A finished turn whose estimate says that much for choosing."""
    found = {"gain": gain, "low": None if gain is None else gain - 0.05, "high": None, "m": 40, **estimate}
    return LoopTurn.objects.create(
        project=project,
        judgments=project.loop_turns.count(),
        state="done",
        estimate=found,
        finished_at=timezone.now(),
    )


def measured(run: int, labels: int, accuracy: float, calls: str = "+-+-") -> dict[str, Any]:
    """What an estimate says of the model of one turn."""
    audit = {"accuracy": accuracy, "standard_error": 0.01, "n": 400}
    pairs = [f"{n}-{n + 1}" for n in range(len(calls))]
    return {"run": run, "labels": labels, "audit": audit, "watched": {"pairs": pairs, "calls": calls}}


def batch(project: Project, **fields: Any) -> SelectionBatch:
    number = project.selection_batches.count() + 1
    return SelectionBatch.objects.create(
        **{"project": project, "number": number, "strategy": "regret", "seed": 1, "candidates": 9, **fields}
    )


def pick(of: SelectionBatch, reason: str, on: Prompt, *, origin: str = "selected") -> SelectedPair:
    """An item that a batch has queued."""
    item = factories.pair_item(of.project, on=on, origin=origin, priority=of.number)
    first, second = (row.response for row in item.item_responses.order_by("position"))
    return SelectedPair.objects.create(
        batch=of, rank=of.pairs.count() + 1, item=item, response_a=first, response_b=second, reason=reason
    )


def quality(response: Response, _: np.random.Generator | None = None) -> np.ndarray:
    """Made-up rewards that go by the response's number."""
    return np.full(8, float(np.random.default_rng(response.pk).normal(size=6)[0]))


def judge(item_pair: SelectedPair) -> None:
    a, b = (quality(one)[0] for one in (item_pair.response_a, item_pair.response_b))
    factories.judgment(item_pair.item, factories.user(), "a" if a > b else "b")


def two_arms(project: Project, *, active: int = 24, random: int = 24, audit: int = 40) -> LoopTurn:
    """Labelled pairs of both arms and of the audit set, and a turn whose run has succeeded."""
    chosen = batch(project, ensemble=factories.ensemble(factories.run(project, snapshot=None)))
    for rank in range(1, audit + 1):
        pair = pick(chosen, "audit", factories.prompt(project, audit=True), origin="random")
        judge(pair)
        low, high = sorted((pair.response_a, pair.response_b), key=lambda one: one.pk)
        AuditPair.objects.create(
            project=project, rank=rank, response_a=low, response_b=high, propensity=0.1, item=pair.item
        )
    on = snapshotting.create(project=project)  # before the arms: it splits none of their prompts
    for reason, count in (("regret", active), ("random", random)):
        for _ in range(count):
            judge(pick(chosen, reason, factories.prompt(project)))
    aggregating.refresh(project=project)
    run = factories.run(project, snapshot=on)
    return LoopTurn.objects.create(project=project, judgments=0, run=run, state="selecting")
