"""./laurel train PROJECT: train a reward ensemble on the project's votes."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from annotation.management.base import LaurelCommand, Refusal, project_named
from annotation.models.project import Project
from rewardmodel.models import TrainingRun
from rewardmodel.selectors import trainer_alive
from rewardmodel.services import running
from rewardmodel.services.waiting import wait_for

INTERRUPTED = 130


class Command(LaurelCommand):
    help = "Freeze the votes into a snapshot, train a reward ensemble on it, promote it unless it is worse."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("--wait", action="store_true", help="stay until it is trained, showing progress")
        parser.add_argument("--seed", type=int, help="of everything random (0)")
        parser.add_argument(
            "--config", metavar="FILE", help="JSON with settings; the rest keep their defaults"
        )

    def perform(self, *, project: str, wait: bool, seed: int | None, config: str | None) -> dict[str, Any]:
        target = project_named(project)
        run = self._start(target, _settings(config), seed, wait)
        if not wait:
            self._say_queued(run)
            return _result(run)
        try:
            run = wait_for(run, tell=self._tell)
        except KeyboardInterrupt:
            self.stderr.write(
                f"Interrupted. Run {run.number} is kept: it goes on where it was when a training worker runs "
                f"or `./laurel train {project} --wait` is typed again."
            )
            raise SystemExit(INTERRUPTED) from None
        if run.state != TrainingRun.State.SUCCEEDED:
            raise Refusal(f"Run {run.number} {run.state}. {run.reason}".strip(), **_result(run))
        self._say_trained(run)
        return _result(run)

    def _start(self, project: Project, config: dict[str, Any], seed: int | None, wait: bool) -> TrainingRun:
        """A new run; with --wait and nothing else asked for, the one that is already under way."""
        try:
            return running.start_run(project=project, config=config, seed=seed)
        except running.CannotTrain as error:
            raise Refusal(str(error)) from error
        except running.RunUnderWay as error:
            if not wait or config or seed is not None:
                raise Refusal(f"{error} Wait for it with `./laurel train {project.slug} --wait`.") from error
            self.stderr.write(f"Run {error.run.number} is already under way: waiting for that one.")
            return error.run

    def _tell(self, progress: dict[str, Any]) -> None:
        self.stderr.write(f"{progress.get('phase', '')}: {progress.get('message', '')}")

    def _say_queued(self, run: TrainingRun) -> None:
        self.say(f"Run {run.number} is queued.")
        if not trainer_alive():
            self.say(
                "No training worker is running: `./laurel up` starts one. Or train here and now with "
                f"`./laurel train {run.project.slug} --wait`."
            )

    def _say_trained(self, run: TrainingRun) -> None:
        metrics = run.metrics or {}
        self.say(f"Run {run.number} is trained in {run.seconds or 0:.1f} s.")
        self.say(f"  accuracy          {_interval(metrics['accuracy'])}")
        for name, baseline in metrics["baselines"].items():
            self.say(f"  {name:<17} {_interval(baseline)}")
        self.say(f"  {metrics.get('evaluation', '')}")
        self.say(f"  {run.verdict}")


def _settings(path: str | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise Refusal(f"{path} is not JSON: {error}.") from error
    if not isinstance(values, dict):
        raise Refusal(f"{path} must hold one JSON object of settings.")
    return values


def _result(run: TrainingRun) -> dict[str, Any]:
    seconds = None if run.seconds is None else round(run.seconds, 2)
    return {"run": run.number, "state": run.state, "metrics": run.metrics, "seconds": seconds}


def _interval(found: dict[str, Any]) -> str:
    if found["value"] is None:
        return "undefined: no held-out pair has a winner"
    return f"{found['value']:.4f}  ({found['low']:.4f} to {found['high']:.4f}, {found['n']:,} pairs)"
