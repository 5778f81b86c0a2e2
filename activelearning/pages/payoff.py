"""Does choosing pay, and are more labels worth their cost? In plain words, for the page Next batch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from activelearning import selectors
from activelearning.models import LoopPolicy
from activelearning.services import steering
from annotation.charts import decimal, thousands
from annotation.models.project import Project

SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}


@dataclass(frozen=True)
class Payoff:
    """verdict: "pays", "harms", "unclear", or "" where nothing was measured. missing: what it still takes.

    advice: what more labels would bring, or that they would bring nothing; stop: whether it says to stop.
    """

    verdict: str
    figures: str
    missing: str
    fallen_back: bool
    random_percent: str
    advice: str
    stop: bool


def payoff_of(project: Project, policy: LoopPolicy) -> Payoff:
    turn = selectors.latest_estimated_turn(project)
    found: dict[str, Any] = (turn.estimate if turn else None) or {}
    advice: dict[str, Any] = (turn.advice if turn else None) or {}
    return Payoff(
        verdict=_verdict(found),
        figures=_figures(found),
        missing=_missing(found),
        fallen_back=policy.fall_back and steering.fallen(steering.estimates(project)),
        random_percent=decimal(100 * (1 - steering.KEPT_ACTIVE), 0),
        advice=_advice(advice),
        stop=bool(advice.get("stop")),
    )


def _verdict(found: Mapping[str, Any]) -> str:
    if found.get("gain") is None:
        return ""
    if found["low"] > 0:
        return "pays"
    return "harms" if found["high"] < 0 else "unclear"


def _figures(found: Mapping[str, Any]) -> str:
    if found.get("gain") is None:
        return ""
    words = {name: _signed(100 * found[name]) for name in ("gain", "low", "high")}
    return _("Chosen minus random: %(gain)s points of accuracy (%(low)s to %(high)s), with %(m)s labels of "
             "each, on %(pairs)s audit pairs.") % {
        **words, "m": thousands(found["m"]), "pairs": thousands(found["n_audit"])
    }  # fmt: skip


def _missing(found: Mapping[str, Any]) -> str:
    if not found:
        return _("It is measured after each turn of the loop; there has been none yet.")
    if not (what := found.get("missing")):
        return ""
    needed = found.get("needed") or {}
    have = {"audit": "n_audit", "prompts": "prompts", "active": "active_labels", "random": "random_labels"}
    said = {
        "audit": _("Not enough yet: %(have)s of %(need)s judged audit pairs with a winner."),
        "prompts": _("Not enough yet: audit pairs of %(have)s of %(need)s prompts."),
        "active": _("Not enough yet: %(have)s of %(need)s labels on chosen pairs."),
        "random": _("Not enough yet: %(have)s of %(need)s labels on pairs drawn at random."),
    }
    if what not in said:
        return _("The latest turn could not be measured: %(why)s") % {"why": found.get("reason") or what}
    need = needed.get(what, needed.get("labels", 20))
    return said[what] % {"have": thousands(found.get(have[what]) or 0), "need": thousands(need)}


def _advice(found: Mapping[str, Any]) -> str:
    """What acquisition.stopping says, in the language of the page."""
    figures = found.get("figures") or {}
    if not found or "reason_key" not in found:
        return ""
    if found["reason_key"] == "too_early":
        return _("Too early to say what more labels would bring: %(have)s of 4 models were measured.") % {
            "have": thousands(int(figures.get("sizes") or 0))
        }
    if found["stop"]:
        return _("The last %(models)s models agree on at least %(share)s %% of %(pairs)s open pairs, and "
                 "accuracy no longer rises: more labels of this kind will hardly help.") % {
            "models": thousands(int(figures["models"])),
            "share": decimal(100 * (figures.get("agreement") or 0), 1),
            "pairs": thousands(int(figures["pairs"])),
        }  # fmt: skip
    words = {
        "more": thousands(found["more_labels"]),
        "gain": _signed(found["gain_points"]),
        "low": _signed(found["low"]),
        "high": _signed(found["high"]),
        "price": _price(found),
    }
    if words["price"]:
        said = _("%(more)s more labels ≈ %(gain)s points (%(low)s to %(high)s) ≈ %(price)s.") % words
    else:
        said = _("%(more)s more labels ≈ %(gain)s points (%(low)s to %(high)s).") % words
    if found["reason_key"] == "changing":
        said += " " + _("Accuracy hardly rises, but the models still change from turn to turn.")
    return said


def _price(found: Mapping[str, Any]) -> str:
    if found.get("cost") is None:
        return ""
    currency = found.get("currency", "USD")
    amount = thousands(round(found["cost"]))
    return f"{SIGNS[currency]}{amount}" if currency in SIGNS else f"{currency} {amount}"


def _signed(points: float) -> str:
    """+2.1; a minus that no line break parts from its figure."""
    text = number_format(round(abs(points), 1), 1)  # of more digits it would cut, not round
    if not float(f"{points:.1f}"):
        return text
    return ("+" if points > 0 else "\N{MINUS SIGN}") + text
