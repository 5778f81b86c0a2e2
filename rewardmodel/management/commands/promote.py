"""./laurel promote PROJECT RUN: let a trained run score, whatever the gate said."""

from typing import Any

from django.core.management.base import CommandParser

from annotation.management.base import LaurelCommand, Refusal, project_named
from rewardmodel.services import promoting


class Command(LaurelCommand):
    help = "Make a run's ensemble the one that scores. The one before stays and can be promoted again."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("run", type=int, help="the run's number")
        parser.add_argument("--reason", default="", help="kept with the promotion")

    def perform(self, *, project: str, run: int, reason: str) -> dict[str, Any]:
        target = project_named(project)
        chosen = target.training_runs.filter(number=run).first()
        if chosen is None:
            raise Refusal(f"{project} has no run {run}.")
        try:
            ensemble = promoting.promote(run=chosen, reason=reason)
        except promoting.NotPromotable as error:
            raise Refusal(str(error)) from error
        self.say(f"Run {run} scores now. {ensemble.reason}")
        return {"project": project, "run": run, "active": ensemble.active, "reason": ensemble.reason}
