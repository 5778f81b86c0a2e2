"""./laurel agreement PROJECT: how far annotators agree, beyond chance."""

from collections.abc import Callable, Iterator
from typing import Any

from django.core.management.base import CommandParser

from accounts.selectors import groups_of
from annotation.item_selectors import items_by_category
from annotation.management.base import LaurelCommand, project_named
from annotation.models.project import Project
from annotation.rating_arrays import Readings, readings_of
from annotation.services.agreeing import agreement_on
from annotation.services.agreement_pairs import pairs_of_annotators
from annotation.services.agreement_slices import by_category, by_group, over_time

Part = dict[str, Any]
PARTS: dict[str, tuple[str, Callable[[Project, Readings, int], Part]]] = {
    "time": ("over_time", lambda _, of, draws: over_time(of.main, draws=draws).as_json()),
    "category": (
        "by_category",
        lambda project, of, draws: by_category(of.main, items_by_category(project), draws=draws).as_json(),
    ),
    "group": (
        "by_group",
        lambda project, of, draws: by_group(of.main, groups_of(project), draws=draws).as_json(),
    ),
    "annotators": ("pairs_of_annotators", lambda _, of, __: pairs_of_annotators(of.pairs).as_json()),
}
OTHERS = (
    ("fleiss", "Fleiss κ"),
    ("percent", "percent agreement"),
    ("gwet_ac1", "Gwet AC1"),
    ("brennan_prediger", "Brennan-Prediger"),
)


class Command(LaurelCommand):
    help = "Krippendorff's α, Fleiss' κ and percent agreement with 95 % bootstrap intervals, per criterion."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("--draws", type=int, default=1000, help="bootstrap draws (1000)")
        parser.add_argument(
            "--by", action="append", choices=PARTS, default=[], help="in parts as well; may be given again"
        )

    def perform(self, *, project: str, draws: int, by: list[str]) -> dict[str, Any]:
        target = project_named(project)
        found = {name: self._criterion(target, name, draws, by) for name in target.criterion_names}
        return {"project": target.slug, "criteria": found}

    def _criterion(self, project: Project, criterion: str, draws: int, by: list[str]) -> dict[str, Any]:
        readings = readings_of(project, criterion)
        told = agreement_on(readings, draws=draws).as_json()
        self.say(
            f"{criterion}: {told['units']:,} units, {told['ratings']:,} ratings, "
            f"{told['annotators']:,} annotators"
        )
        for label, estimate in _overall(told):
            self._line(label, estimate)
        for part in dict.fromkeys(by):
            name, made = PARTS[part]
            told[name] = made(project, readings, draws)
            self.say(f"  by {part}:")
            rows = list(_rows(part, told[name]))
            for label, estimate in rows:
                self._line(label, estimate)
            if not rows:
                self.say("  nothing to compare" + (": nobody has a group" if part == "group" else ""))
        return told

    def _line(self, label: str, estimate: dict[str, Any]) -> None:
        text = f"  {label:<24} "
        if estimate["value"] is None:
            self.say(f"{text}undefined: {estimate['reason']}")
            return
        text += f"{estimate['value']:.4f}"
        for words, ends in (("", estimate), (" over annotators", estimate.get("over_annotators", {}))):
            if ends.get("low") is not None:
                text += f"  ({ends['low']:.4f} to {ends['high']:.4f}{words})"
        self.say(text)


def _overall(told: Part) -> Iterator[tuple[str, Part]]:
    rated, ranked = told.get("rated_responses", {}), told.get("rankings", {})
    for level, estimate in told["krippendorff"].items():
        yield f"Krippendorff α {level}", estimate
    for name, label in OTHERS:
        yield label, told[name]
    for level, estimate in rated.get("krippendorff", {}).items():
        yield f"α of ratings, {level}", estimate
    if ranked:
        yield "Kendall W", ranked["kendall_w"]
        yield "Spearman ρ", ranked["spearman"]
        yield "α of ranks, ordinal", ranked["krippendorff"]["ordinal"]


def _rows(part: str, told: Part) -> Iterator[tuple[str, Part]]:
    """Ordinal α of each slice; κ of each two groups or people."""
    if part == "time":
        for one in told["periods"]:
            yield f"{one['first']} – {one['last']}", one["krippendorff"]["ordinal"]
    elif part == "category":
        for one in told["categories"]:
            yield one["category"] or "without category", one["krippendorff"]["ordinal"]
        if told["others"]:
            rest = told["others"]
            yield f"{rest['categories']} other categories", rest["krippendorff"]["ordinal"]
    elif part == "group":
        for one in told["groups"]:
            yield one["group"] or "without group", one["krippendorff"]["ordinal"]
        for one in told["between"]:
            yield " × ".join(name or "without group" for name in one["groups"]), one["kappa"]["ordinal"]
    else:
        names = [person["name"] for person in told["people"]]
        for pair in told["pairs"]:
            yield " × ".join(names[place] for place in pair["people"]), pair["cohen"]
