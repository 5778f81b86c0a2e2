"""./laurel score PROJECT FILE OUT: score a file of prompts and responses, of any length."""

from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from annotation.management.base import LaurelCommand, Refusal, project_named
from rewardmodel.management.runs import scoring_run
from rewardmodel.services import scoring


class Command(LaurelCommand):
    help = "Score every response of a file with an ensemble; called again it goes on where it was."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument(
            "file", type=Path, help="JSON Lines (also .gz) or Parquet: prompt, response(s), id"
        )
        parser.add_argument("out", type=Path, help="a folder; its Parquet files are one table")
        parser.add_argument("--run", type=int, help="whose ensemble (the one that scores)")
        parser.add_argument("--shard", type=_shard, default="1/1", metavar="I/N", help="one part in N (1/1)")
        parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, … (cpu)")

    def perform(
        self, *, project: str, file: Path, out: Path, run: int | None, shard: str, device: str
    ) -> dict[str, Any]:
        chosen = scoring_run(project_named(project), run)
        if not file.is_file():
            raise Refusal(f"There is no file {file}.")
        try:
            found = scoring.score_rows(run=chosen, source=file, out=out, shard=shard, device=device)
        except scoring.ScoringFailed as error:
            raise Refusal(str(error)) from error
        self.say(
            f"{found['responses']} responses of {found['rows']} rows scored by run {chosen.number}: {out}"
        )
        for row in found["bad"]["rows"]:
            self.say(f"  line {row['line']} could not be scored: {row['reason']}")
        return {"project": project, "run": chosen.number, **found}


def _shard(text: str) -> str:
    first, _, second = text.partition("/")
    if not (first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second)):
        raise ArgumentTypeError(f"{text!r} is not a shard such as 1/4 (the first of four).")
    return text
