"""./laurel agreement PROJECT: how far annotators agree, beyond chance."""

from typing import Any

from django.core.management.base import CommandParser

from annotation.management.base import LaurelCommand, project_named
from annotation.services.agreeing import agreement_of


class Command(LaurelCommand):
    help = "Krippendorff's α, Fleiss' κ and percent agreement with 95 % bootstrap intervals, per criterion."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("--draws", type=int, default=1000, help="bootstrap draws (1000)")

    def perform(self, *, project: str, draws: int) -> dict[str, Any]:
        target = project_named(project)
        found = {one.criterion: one.as_json() for one in agreement_of(project=target, draws=draws)}
        for criterion, values in found.items():
            self.say(
                f"{criterion}: {values['units']:,} units, {values['ratings']:,} ratings, "
                f"{values['annotators']:,} annotators"
            )
            for level, estimate in values["krippendorff"].items():
                self._line(f"Krippendorff α {level}", estimate)
            for name, label in (
                ("fleiss", "Fleiss κ"),
                ("percent", "percent agreement"),
                ("gwet_ac1", "Gwet AC1"),
                ("brennan_prediger", "Brennan-Prediger"),
            ):
                self._line(label, values[name])
        return {"project": target.slug, "criteria": found}

    def _line(self, label: str, estimate: dict[str, Any]) -> None:
        if estimate["value"] is None:
            self.say(f"  {label:<24} undefined: {estimate['reason']}")
        elif estimate["low"] is None:
            self.say(f"  {label:<24} {estimate['value']:.4f}")
        else:
            self.say(
                f"  {label:<24} {estimate['value']:.4f}  ({estimate['low']:.4f} to {estimate['high']:.4f})"
            )
