"""./laurel leaderboard PROJECT: ratings of the models that wrote the responses."""

from typing import Any

from django.core.management.base import CommandParser

from annotation.management.base import LaurelCommand, Refusal, project_named
from rewardmodel.evaluation.style import CONTROLS
from rewardmodel.services import rating
from rewardmodel.services.rating import ModelRatings


class Command(LaurelCommand):
    help = "Bradley-Terry ratings with ties of the models behind the responses, on the scale of Elo."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("--criterion", help="instead of the main one")
        parser.add_argument("--category", help="pairs of this category only")
        parser.add_argument("--control", choices=CONTROLS, help="one of these only; else each of them")
        parser.add_argument("--reference", metavar="MODEL", help="the model that stands at 1000")

    def perform(
        self,
        *,
        project: str,
        criterion: str | None,
        category: str | None,
        control: str | None,
        reference: str | None,
    ) -> dict[str, Any]:
        target = project_named(project)
        boards = {}
        for name in (control,) if control else CONTROLS:
            try:
                found = rating.rate(
                    target, criterion=criterion, category=category, control=name, reference=reference
                )
            except rating.UnknownPart as error:
                raise Refusal(str(error)) from error
            self._say(found)
            boards[name] = found.as_json()
        return {"project": target.slug, "leaderboards": boards}

    def _say(self, found: ModelRatings) -> None:
        board = found.board
        if board is None:
            self.say(f"{found.control}: no labelled pair compares two named models.")
        else:
            self.say(
                f"{found.control}: {board.pairs:,} pairs of {board.prompts:,} prompts, "
                f"{board.votes:,.0f} votes"
            )
            for one in board.rated:
                self.say(
                    f"  {one.rank:>3} ({one.rank_low}-{one.rank_high})  {one.rating:7.1f}  "
                    f"({one.low:.1f} to {one.high:.1f})  {100 * one.won:5.1f} %  {one.model}"
                    + ("" if one.bounded else "  (never lost or never won: held by the prior)")
                )
            for effect in board.coefficients:
                self.say(f"  {effect.feature:<11} {effect.elo:+.1f} points a standard deviation")
            if board.groups > 1:
                self.say(f"  {board.groups} groups of models never met: compare inside each only.")
        for reason, count in found.left_out.items():
            if count:
                self.say(f"  left out: {count:,} pairs: {reason}")
