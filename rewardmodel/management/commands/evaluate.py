"""./laurel evaluate PROJECT FILE: a reward model on a file of RewardBench's format."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from annotation.management.base import LaurelCommand, Refusal, project_named
from annotation.models.project import Project
from rewardmodel import selectors
from rewardmodel.evaluation.reward_bench import NotABenchmark
from rewardmodel.models import TrainingRun
from rewardmodel.services import benchmarking
from rewardmodel.services.scoring import ScoringFailed

SHOWN = 10  # bad rows named on the terminal; --json names all


class Command(LaurelCommand):
    help = "Accuracy of a reward model on a file of RewardBench's format (1 or 2), by subset, beside length."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("file", help="parquet, or one JSON object a line")
        parser.add_argument("--run", type=int, help="a run's number; else the one that scores")

    def perform(self, *, project: str, file: str, run: int | None) -> dict[str, Any]:
        chosen = _run(project_named(project), run)
        try:
            found = benchmarking.evaluate(run=chosen, path=Path(file))
        except (NotABenchmark, ScoringFailed) as error:
            raise Refusal(str(error)) from error
        result = {"project": project, "run": chosen.number, "file": file, **found.as_json()}
        self._say(result)
        return result

    def _say(self, result: dict[str, Any]) -> None:
        self.say(f"Run {result['run']} on {result['rows']:,} rows; in brackets the longest response.")
        for name, found in [*result["subsets"].items(), ("all rows", result["overall"])]:
            self.say(f"  {name:<28} {_words(found)}")
        mean = result["mean_of_subsets"]
        self.say(f"  {'mean of the subsets':<28} {mean['value']:.4f}  [{mean['length']:.4f}]")
        bad = result["bad_rows"]
        for one in bad[:SHOWN]:
            self.stderr.write(f"Row {one['row']} is left out: {one['reason']}.")
        if len(bad) > SHOWN:
            self.stderr.write(f"{len(bad) - SHOWN} more rows are left out; --json names all.")


def _run(project: Project, number: int | None) -> TrainingRun:
    if number is None:
        active = selectors.active_ensemble(project)
        if active is None:
            raise Refusal(
                f"Nothing scores in {project.slug} yet. Train with `./laurel train {project.slug}`."
            )
        return active.run
    run = project.training_runs.filter(number=number).first()
    if run is None or run.state != TrainingRun.State.SUCCEEDED:
        raise Refusal(f"{project.slug} has no trained run {number}.")
    return run


def _words(found: dict[str, Any]) -> str:
    if found["value"] is None:
        return "undefined: no row"
    limits = "" if found["low"] is None else f" ({found['low']:.4f} to {found['high']:.4f})"
    return f"{found['value']:.4f}{limits}  [{found['length']['value']:.4f}]  {found['n']:,} rows"
