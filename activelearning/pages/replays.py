"""The page Simulation: recipes to choose, a replay under way, and what each recipe would have cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activelearning.acquisition.comparing import REFERENCE
from activelearning.models import LoopPolicy, Replay
from activelearning.pages.plots import Plot, Value, plot
from activelearning.replay_forms import ReplayForm
from annotation.charts import decimal, thousands

WORDS: Mapping[str, tuple[Promise, Promise]] = {
    "regret": (gettext_lazy("Regret"), gettext_lazy("What decides most winners. The default.")),
    "i-optimal": (gettext_lazy("I-optimal"), gettext_lazy("What makes the model surest on the whole pool.")),
    "d-optimal": (gettext_lazy("D-optimal"), gettext_lazy("What is least like the labels so far.")),
    "bal-pm": (gettext_lazy("BAL-PM"), gettext_lazy("Telling answers on kinds of prompts that are new.")),
    "mixed": (gettext_lazy("Mixed"), gettext_lazy("Regret, and two fifths for kinds with few labels.")),
    "textbook": (gettext_lazy("Textbook"), gettext_lazy("Half unsure, three tenths varied, a fifth errors.")),
    "random": (gettext_lazy("Random"), gettext_lazy("By chance: what the others are measured against.")),
}  # fmt: skip
TONES = {
    Replay.State.QUEUED: "badge--info",
    Replay.State.RUNNING: "badge--info",
    Replay.State.DONE: "badge--good",
    Replay.State.FAILED: "badge--bad",
}
COLOURS = (1, 2, 3, 4)  # the reference is 5


@dataclass(frozen=True)
class Choice:
    value: str
    label: Promise
    about: Promise
    checked: bool


@dataclass(frozen=True)
class Listed:
    replay: Replay
    tone: str
    recipes: str


@dataclass(frozen=True)
class Live:
    done: int
    total: int


@dataclass(frozen=True)
class Cell:
    """Labels that a recipe needs for a level. text: the number, or that it was never reached."""

    text: str
    range: str
    ratio: str
    money: str
    never: bool
    tone: str


@dataclass(frozen=True)
class Row:
    name: str
    cells: tuple[Cell, ...]
    gain: str


@dataclass(frozen=True)
class Level:
    """What chance reaches with so many labels."""

    labels: str
    accuracy: str


@dataclass(frozen=True)
class Outcome:
    levels: tuple[Level, ...]
    rows: tuple[Row, ...]
    plot: Plot | None
    about: str


def recipe_choices(form: ReplayForm) -> list[Choice]:
    chosen = form["recipes"].value() or []
    return [Choice(name, *words, name in chosen) for name, words in WORDS.items() if name != REFERENCE]


def listed(replay: Replay) -> Listed:
    return Listed(replay, TONES[Replay.State(replay.state)], named(replay.config.get("recipes", ())))


def named(recipes: Any) -> str:
    """The recipes that were compared, without the reference."""
    return ", ".join(str(WORDS[name][0]) for name in recipes if name in WORDS and name != REFERENCE)


def live(replay: Replay) -> Live:
    return Live(replay.progress.get("done", 0), replay.progress.get("total", 0))


def outcome(replay: Replay, policy: LoopPolicy) -> Outcome | None:
    """None before the end."""
    result: dict[str, Any] | None = replay.result
    if not result:
        return None
    levels = result["levels"]
    recipes = sorted(result["recipes"], key=lambda one: bool(one["name"] == REFERENCE))
    words = {
        "pairs": thousands(result["pairs"]),
        "prompts": thousands(result["prompts"]),
        "seeds": replay.config["seeds"],
        "labels": thousands(result["labels"]),
        "batch": replay.config["batch"],
    }
    return Outcome(
        tuple(Level(thousands(one["at"]), decimal(one["accuracy"], 3)) for one in levels),
        tuple(_row(one, levels, policy) for one in recipes),
        _plot(recipes),
        _("On %(pairs)s labelled pairs of %(prompts)s prompts, %(seeds)s repetitions, each with %(labels)s "
          "labels in batches of %(batch)s; measured on prompts that no recipe can choose.") % words,
    )  # fmt: skip


def csv_rows(replay: Replay) -> list[tuple[Any, ...]]:
    """The curves, then the labels needed for each level."""
    rows: list[tuple[Any, ...]] = [("recipe", "what", "labels", "value", "low", "high", "never_reached")]
    result: dict[str, Any] = replay.result or {}
    for one in result.get("recipes", ()):
        for labels, point in zip(one["labels"], one["curve"], strict=True):
            ends = (point["value"], point["low"], point["high"])
            rows.append((one["name"], "accuracy", labels, *ends, ""))
    for one in result.get("recipes", ()):
        for level, needed in zip(result["levels"], one["needed"], strict=True):
            at = level["at"]
            ends = (at * needed["value"], at * needed["low"], at * needed["high"])
            never = "yes" if needed["censored"] else "no"
            rows.append((one["name"], "labels for what random reaches", at, *ends, never))
    return rows


def _row(one: Mapping[str, Any], levels: list[Mapping[str, Any]], policy: LoopPolicy) -> Row:
    reference = one["name"] == REFERENCE
    cells = tuple(
        _cell(needed, level["at"], policy, reference)
        for needed, level in zip(one["needed"], levels, strict=True)
    )
    gain = "–" if one["gain"] is None else _gain(one["gain"])
    return Row(str(WORDS[one["name"]][0]), cells, gain)


def _cell(needed: Mapping[str, Any], at: int, policy: LoopPolicy, reference: bool) -> Cell:
    labels = at * needed["value"]
    if reference:
        return Cell(thousands(at), "", "", _money(at, policy), False, "")
    if needed["censored"]:
        more = _("not with %(n)s labels") % {"n": thousands(round(labels))}
        return Cell(_("never reached"), more, "", "", True, "")
    # A bound that is the last label of the replay is one because nothing more was bought.
    high = thousands(round(at * needed["high"]))
    open_ended = needed["censored_share"] > 0.025
    ends = {"low": thousands(round(at * needed["low"])), "high": f"> {high}" if open_ended else high}
    tone = "good" if needed["high"] < 1 else "bad" if needed["low"] > 1 else ""
    return Cell(
        thousands(round(labels)),
        _("%(low)s to %(high)s") % ends,
        f"{100 * needed['value']:.0f} %",
        _money(labels, policy),
        False,
        tone,
    )


def _gain(gain: Mapping[str, Any]) -> str:
    """Points of accuracy on average over the curve."""
    value, low, high = (decimal(100 * gain[key], 1) for key in ("value", "low", "high"))
    return (
        f"{'+' if gain['value'] > 0 else ''}{value} ({_('%(low)s to %(high)s') % {'low': low, 'high': high}})"
    )


def _money(labels: float, policy: LoopPolicy) -> str:
    if policy.label_cost is None:
        return ""
    cost = Decimal(round(labels)) * policy.label_cost
    return f"{number_format(round(cost, 2), 2, force_grouping=True)} {policy.currency}"


def _plot(recipes: list[Mapping[str, Any]]) -> Plot | None:
    colours = iter(COLOURS)
    lines = [
        (
            str(WORDS[one["name"]][0]),
            5 if one["name"] == REFERENCE else next(colours),
            [Value(at, **point) for at, point in zip(one["labels"], one["curve"], strict=True)],
        )
        for one in recipes
    ]
    name = _("Accuracy on prompts that measure; bands are 95 percent intervals over the repetitions")
    return plot(lines, name=name, across=_("Labels"))
