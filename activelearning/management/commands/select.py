"""./laurel select PROJECT --n N: queue the comparisons that teach the model most."""

from typing import Any

from django.core.management.base import CommandParser

from activelearning.models import SelectedPair, SelectionBatch
from activelearning.services.selecting import InvalidSelection, select
from annotation.management.base import LaurelCommand, Refusal, project_named
from annotation.models.content import Response
from annotation.models.project import Project
from rewardmodel.services.scoring import ScoringFailed

WAIT = 600.0  # seconds for a selection that is being made: nobody waits at a page


class Command(LaurelCommand):
    help = "Choose the next pairs, or groups to rank or rate, and queue them ahead of everything else."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument(
            "--n",
            type=int,
            required=True,
            help="how many pairs, or groups where responses are ranked or rated",
        )
        parser.add_argument("--seed", type=int, help="for a selection that can be repeated")

    def perform(self, *, project: str, n: int, seed: int | None) -> dict[str, Any]:
        target = project_named(project)
        try:
            batch = select(project=target, n=n, seed=seed, wait=WAIT, patience=None)
        except (InvalidSelection, ScoringFailed) as error:
            raise Refusal(str(error)) from error
        if batch is None:
            note = "Every pair of responses is judged, gold or already queued: import more responses."
            self.say(note)
            return {"project": target.slug, "batch": None, "pairs": [], "notes": [note]}
        queued = batch.pairs.select_related("response_a", "response_b", "item__prompt")
        pairs = [_as_json(pair) for pair in queued.prefetch_related("item__item_responses__response")]
        what = "pairs" if target.kind == Project.Kind.PAIRWISE else "groups"
        self.say(f"Batch {batch.number}: {len(pairs)} of {batch.candidates:,} candidate {what} are queued.")
        for note in batch.notes:
            self.say(f"  {note}")
        return {**_batch_json(batch), "pairs": pairs}


def _batch_json(batch: SelectionBatch) -> dict[str, Any]:
    return {
        "project": batch.project.slug,
        "batch": batch.number,
        "run": batch.ensemble.run.number if batch.ensemble else None,
        "strategy": batch.strategy,
        "seed": batch.seed,
        "candidates": batch.candidates,
        "notes": batch.notes,
    }


def _as_json(pair: SelectedPair) -> dict[str, Any]:
    return {
        "rank": pair.rank,
        "item": pair.item_id,
        "prompt": pair.item.prompt_id,
        "responses": [_named(place.response) for place in pair.item.item_responses.all()],
        "response_a": _named(pair.response_a),
        "response_b": _named(pair.response_b),
        "reason": pair.reason,
        "explanation": pair.explanation,
        "scores": pair.scores,
        "propensity": pair.propensity,
    }


def _named(response: Response) -> str:
    return response.external_id or str(response.pk)
