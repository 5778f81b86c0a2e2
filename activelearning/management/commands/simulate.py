"""./laurel simulate PROJECT: marked, simulated annotators, so that every page has something to show."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from activelearning.services.selecting import select
from annotation.aggregation.simulated import Noise
from annotation.interchange.qualities import BadQualities, read_qualities
from annotation.management.base import LaurelCommand, Refusal, project_named
from annotation.services.simulating import InvalidSimulation, simulate

REFILL = 50  # pairs queued at a time when everything waiting has been judged


class Command(LaurelCommand):
    help = "Let simulated annotators (careful, noisy, biased to the left, spammer, too fast) judge items."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("--annotators", type=int, default=12)
        parser.add_argument("--judgments", type=int, default=2000)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument(
            "--sensitivity", type=float, help="all alike: logits per unit of quality by which A beats B"
        )
        parser.add_argument("--slips", type=float, help="all alike: share of answers given blindly")
        parser.add_argument(
            "--truth",
            type=Path,
            help="CSV with the columns id and quality: what they judge every response by",
        )

    def perform(
        self,
        *,
        project: str,
        annotators: int,
        judgments: int,
        seed: int,
        sensitivity: float | None,
        slips: float | None,
        truth: Path | None,
    ) -> dict[str, Any]:
        target = project_named(project)
        noise = None
        if sensitivity is not None or slips is not None:
            noise = Noise(1.0 if sensitivity is None else sensitivity, slips or 0.0)

        def refill() -> int:
            batch = select(project=target, n=REFILL)
            return 0 if batch is None else batch.pairs.count()

        def progress(done: int) -> None:
            if done % 250 == 0:
                self.progress(f"{done:,} of {judgments:,} judgments")

        try:
            found = simulate(
                project=target,
                annotators=annotators,
                judgments=judgments,
                seed=seed,
                refill=refill,
                progress=progress,
                noise=noise,
                truth=None if truth is None else read_qualities(truth),
            )
        except (InvalidSimulation, BadQualities) as error:
            raise Refusal(str(error)) from error
        self.say(f"{target.slug}: {found.judgments:,} judgments by {found.annotators} simulated annotators.")
        if found.exhausted:
            self.say("They stopped early: nothing is left that any of them may judge.")
        return {
            "project": target.slug,
            "annotators": found.annotators,
            "judgments": found.judgments,
            "kinds": found.by_kind,
            "noise": None if noise is None else {"sensitivity": noise.sensitivity, "slips": noise.slips},
            "exhausted": found.exhausted,
        }
