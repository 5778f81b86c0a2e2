"""./laurel serve-rewards [PROJECT]: rewards for a policy in training, or for the pages."""

import signal
import sys
import threading
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from annotation.management.base import LaurelCommand, Refusal, project_named
from rewardmodel.management.runs import scoring_run
from rewardmodel.services import serving
from rewardmodel.services.scoring import ensemble_folder

TERMINAL = Path("/dev/stderr")


class Command(LaurelCommand):
    help = "Serve a project's rewards over HTTP; without a project: those of all, for this Laurel's pages."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", nargs="?", help="the project's short name")
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--run", type=int, help="whose ensemble (the one that scores now)")
        which.add_argument("--follow-active", action="store_true", help="serve whichever is active")
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
        parser.add_argument("--port", type=int, default=5000, help="port to listen on (5000)")
        parser.add_argument("--lambda", type=float, default=1.0, dest="penalty", help="of mean - λ·std (1)")
        parser.add_argument("--token", help="what requests must bring; needed where others reach it")
        parser.add_argument("--device", default="cpu", help="cpu, cuda, … (cpu)")

    def perform(self, **given: Any) -> dict[str, Any]:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        name: str | None = given["project"]
        words, listings = self._for_pages() if name is None else self._for_policies(name, given)
        words += ["--device", given["device"]]
        with serving.token_file(given["token"] if name else None) as token:
            code = serving.serve([*words, *token], log=TERMINAL, listings=listings, stop=stop)
        if code:
            raise SystemExit(code)
        return {"project": name, "stopped": True}

    def _for_pages(self) -> tuple[list[str | Path], Any]:
        try:
            return ["--socket", serving.scorer_socket()], serving.active_listings
        except serving.ScorerMissing as error:
            raise Refusal(str(error)) from error

    def _for_policies(self, name: str, given: dict[str, Any]) -> tuple[list[str | Path], Any]:
        project = project_named(name)
        words: list[str | Path] = ["--host", given["host"], "--port", str(given["port"])]
        words += ["--lambda", str(given["penalty"])]
        run = scoring_run(project, given["run"])
        if given["follow_active"]:
            return words, lambda: serving.active_listings(project)
        sys.stderr.write(f"Run {run.number} of {name}\n")
        return [ensemble_folder(run), *words, "--project", name, "--run", str(run.number)], None
