"""./laurel quality PROJECT: can these labels be trusted, and whose cannot?"""

from typing import Any

from django.core.management.base import CommandParser

from annotation import flag_words, method_words, standing_selectors
from annotation.management.base import LaurelCommand, Refusal, project_named
from annotation.models.project import Project
from annotation.plain import to_plain
from annotation.services import reporting
from annotation.services.assessing import Quality


class Command(LaurelCommand):
    help = "The report behind the monitoring page: annotators with their evidence, and which way labels fit."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument(
            "--follow-policy",
            action="store_true",
            help="also pause and watch annotators as the policy says, as a worker does",
        )

    def perform(self, *, project: str, follow_policy: bool) -> dict[str, Any]:
        target = project_named(project)
        made = reporting.make(project=target, follow_policy=follow_policy)
        if made is None:
            raise Refusal("Another process is making the first report of this project: try again.")
        report = reporting.read(made)
        standings = standing_selectors.standings(target)
        states = {pk: one.state for pk, one in standings.items()}
        self._methods(target, report)
        for one in report.people:
            self._person(one, states.get(one.row.id, "active"))
        return {
            "project": target.slug,
            "judgments": report.totals.judgments,
            "seconds": round(made.seconds, 3),
            "drift": to_plain(report.drift),
            "methods": to_plain(report.methods),
            "aggregation": target.aggregation,
            "annotators": [
                {"state": states.get(one.row.id, "active"), **to_plain(one)} for one in report.people
            ],
        }

    def _methods(self, project: Project, report: reporting.Report) -> None:
        if report.methods is None:
            self.say("Too few votes to compare ways of making labels.")
            return
        for name, score in report.methods.scores.items():
            used = " (used)" if name == project.aggregation else ""
            best = " (fits best)" if name == report.methods.best else ""
            title = str(method_words.METHODS[name][0])
            self.say(f"{title:<14} {score.log_likelihood:.4f} nats a held-out vote{used}{best}")

    def _person(self, one: Quality, state: str) -> None:
        known = one.measured
        theta = f"{known.theta:.2f} ({known.low:.2f} to {known.high:.2f})" if known else "not known"
        gold = f"{one.row.gold_right}/{one.row.gold}" if one.row.gold else "none"
        self.say(
            f"{one.row.name}: {state}, {one.row.judgments:,} judgments, gold {gold}, reliability {theta}"
        )
        for flag in one.flags:
            self.say(f"  {flag_words.BADGES[flag.kind]}: {flag_words.evidence(flag)}")
