"""./laurel handover PROJECT OUT: a trained run as a folder that other trainers load."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from accounts.services import audit
from annotation.management.base import LaurelCommand, Refusal, project_named
from annotation.models.project import Project
from rewardmodel import selectors
from rewardmodel.models import TrainingRun
from rewardmodel.services import handing_over, outcomes
from rewardmodel.services.children import Child


class Command(LaurelCommand):
    help = "Write a run's model as a standard folder with golden scores: the run that scores now, or --run N."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("out", type=Path, help="the folder to make; must not exist")
        parser.add_argument("--run", type=int, help="a run's number (default: the one that scores now)")

    def perform(self, *, project: str, out: Path, run: int | None) -> dict[str, Any]:
        target = project_named(project)
        chosen = _chosen(target, run)
        out = out.absolute()
        if out.exists():
            raise Refusal(f"{out} exists already: name a folder that does not.")
        try:
            handing_over.check(chosen)
        except handing_over.CannotHandOver as error:
            raise Refusal(str(error)) from error
        about = self._make(chosen, out)
        detail = {"run": chosen.number, "folder": str(out)}
        audit.record(actor=None, project=target, action="handed over", detail=detail)
        self.say(f"Run {chosen.number} is handed over in {out}. Its README.md says how trainers load it.")
        return {"project": project, "run": chosen.number, "folder": str(out), "handover": about}

    def _make(self, run: TrainingRun, out: Path) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="laurel-handover-") as name:
            status = Path(name)
            arguments = handing_over.arguments(run, out, status)
            child = Child(handing_over.PROGRAM, arguments, log=status / "log.txt")
            told = ""
            try:
                while (code := child.poll(0.5)) is None:
                    message = (handing_over.read_json(status / "progress.json") or {}).get("message", "")
                    if message != told:
                        self.progress(message)
                    told = message
            finally:
                child.end()
            if code != 0:
                failure = handing_over.read_json(status / "failure.json") or {}
                raise Refusal(failure.get("reason") or outcomes.tail(status, 600) or f"exit code {code}")
        return handing_over.read_json(out / "handover.json") or sys.exit("handover.json is missing")


def _chosen(project: Project, number: int | None) -> TrainingRun:
    if number is None:
        active = selectors.active_ensemble(project)
        if active is None:
            raise Refusal("Nothing scores yet: name a run with --run N.")
        number = active.run.number
    found = project.training_runs.select_related("project", "snapshot").filter(number=number).first()
    if found is None:
        raise Refusal(f"{project.slug} has no run {number}.")
    return found
