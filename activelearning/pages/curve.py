"""The page Learning curve: what active choice is worth, and how the model grew with the judgments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from activelearning import survey_selectors
from activelearning.acquisition.worth import FEWEST_DECIDED
from activelearning.models import LoopTurn
from activelearning.pages.plots import Plot, Value, plot
from annotation.charts import decimal, thousands
from annotation.models.project import Project

Turns = Sequence[tuple[int, Mapping[str, Any]]]  # judgments and accuracy


@dataclass(frozen=True)
class CurvePage:
    """arms, growth: None where there is nothing to draw. missing: what would be needed for the arms.
    fair: the growth is measured on the audit set, beside the held-out labels.
    """

    arms: Plot | None
    verdict: str
    basis: str
    missing: str
    turn: LoopTurn | None
    growth: Plot | None
    growth_note: str
    fair: bool


def curve_page(project: Project) -> CurvePage:
    turns = survey_selectors.estimated_turns(project)
    latest = turns.first()
    turn = turns.filter(estimate__curve__0__isnull=False).first()
    found: dict[str, Any] = (turn.estimate if turn else None) or {}
    measured = survey_selectors.measured_turns(project)
    growth = [(one.judgments, accuracy) for one in measured if (accuracy := _accuracy(one))]
    audited = [(one.judgments, accuracy) for one in measured if (accuracy := _audited(one))]
    return CurvePage(
        arms=_arms(found.get("curve", ())),
        verdict=_verdict(found) if found else "",
        basis=_basis(found) if found else "",
        missing=_missing(latest.estimate if latest else None),
        turn=turn,
        growth=_growth(growth, audited) if max(len(growth), len(audited)) > 1 else None,
        growth_note=_audit_note(audited) or _grown(growth),
        fair=bool(audited),
    )


def csv_rows(project: Project) -> list[tuple[Any, ...]]:
    """Both charts in one table: the arms at each number of labels, then the turns."""
    rows: list[tuple[Any, ...]] = [("series", "labels", "accuracy", "low", "high", "turn", "pairs")]
    turn = survey_selectors.estimated_turns(project).filter(estimate__curve__0__isnull=False).first()
    if turn is not None:
        for point in (turn.estimate or {})["curve"]:
            for arm in ("active", "random", "gain"):
                one = point[arm]
                rows.append((arm, point["labels"], one["value"], one["low"], one["high"], turn.pk, ""))
    for measured in survey_selectors.measured_turns(project):
        for series, one in (("audit", _audited(measured)), ("held-out", _accuracy(measured))):
            if one:
                ends = (one["value"], one.get("low"), one.get("high"))
                rows.append((series, measured.judgments, *ends, measured.pk, one.get("n")))
    return rows


def _accuracy(turn: LoopTurn) -> dict[str, Any] | None:
    metrics = (turn.run.metrics if turn.run else None) or {}
    found: dict[str, Any] = metrics.get("accuracy") or {}
    return found if found.get("value") is not None else None


def _audited(turn: LoopTurn) -> dict[str, Any] | None:
    """On the audit set, where it has enough pairs with a winner to say anything."""
    found: dict[str, Any] = getattr(turn, "audited", None) or {}
    if found.get("accuracy") is None or found["n"] < FEWEST_DECIDED:
        return None
    value = found["accuracy"]
    reach = found.get("reach", 1.96 * found["standard_error"])  # estimates of older turns have none
    return {"value": value, "low": max(0.0, value - reach), "high": min(1.0, value + reach), "n": found["n"]}


def _arms(curve: Sequence[Mapping[str, Any]]) -> Plot | None:
    lines = [
        (label, series, [Value(point["labels"], **point[arm]) for point in curve])
        for arm, label, series in (("active", _("Chosen"), 1), ("random", _("Drawn at random"), 2))
    ]
    return plot(
        lines,
        name=_("Accuracy on the audit set; bands are 95 percent intervals"),
        across=_("Labels of each arm"),
    )


def _growth(held_out: Turns, audited: Turns) -> Plot | None:
    """The audit set is a fair sample; the held-out labels beside it are there from the first turn on."""
    held, fair = (
        [Value(at, one["value"], one.get("low"), one.get("high")) for at, one in turns]
        for turns in (held_out, audited)
    )
    if not fair:
        name = _("Accuracy on held-out pairs; the band is the 95 percent interval")
        return plot([(_("Accuracy"), 1, held)], name=name, across=_("Judgments"))
    name = _("Accuracy turn by turn; bands are 95 percent intervals")
    lines = [(_("Audit set"), 1, fair), (_("Held-out labels"), 5, held)]
    return plot(lines, name=name, across=_("Judgments"))


def _verdict(found: Mapping[str, Any]) -> str:
    if found.get("gain") is None:
        return ""
    words = {"m": thousands(found["m"]), **{key: _points(found[key]) for key in ("gain", "low", "high")}}
    if found["low"] > 0:
        said = _("Choosing pays: with %(m)s labels each the model is %(gain)s points more accurate than with "
                 "random ones (95 %% interval: %(low)s to %(high)s).")  # fmt: skip
    elif found["high"] < 0:
        said = _("Choosing does harm: with %(m)s labels each the model is %(gain)s points from what random "
                 "ones give (95 %% interval: %(low)s to %(high)s).")  # fmt: skip
    else:
        said = _("Whether choosing pays cannot be told yet: with %(m)s labels each the difference to random "
                 "ones is %(gain)s points (95 %% interval: %(low)s to %(high)s).")  # fmt: skip
    return said % words


def _points(share: float) -> str:
    """+2.1"""
    return ("+" if share > 0 else "") + decimal(100 * share, 1)


def _basis(found: Mapping[str, Any]) -> str:
    return _("Measured on %(pairs)s audit pairs with a winner, of %(prompts)s prompts.") % {
        "pairs": thousands(found.get("n_audit", 0)),
        "prompts": thousands(found.get("prompts", 0)),
    }


def _missing(estimate: Mapping[str, Any] | None) -> str:
    """What the latest turn lacked, in words and numbers; empty where it lacked nothing."""
    if estimate is None:
        return _(
            "No turn of the loop has been measured yet. The curve appears after one that trained a model."
        )
    if not (what := estimate.get("missing")):
        return ""
    needed = estimate.get("needed") or {}
    words = {
        "audit": thousands(estimate.get("n_audit") or 0),
        "need_audit": thousands(needed.get("audit", 30)),
        "prompts": thousands(estimate.get("prompts") or 0),
        "need_prompts": thousands(needed.get("prompts", 5)),
        "active": thousands(estimate.get("active_labels") or 0),
        "random": thousands(estimate.get("random_labels") or 0),
        "need": thousands(needed.get("labels", 20)),
    }
    said = {
        "audit": _("Still missing: audit pairs with a winner. There are %(audit)s of at least "
                   "%(need_audit)s."),
        "prompts": _("Still missing: prompts of audit pairs. There are %(prompts)s of at least "
                     "%(need_prompts)s."),
        "active": _("Still missing: labels of chosen pairs. There are %(active)s of at least %(need)s."),
        "random": _("Still missing: labels of pairs drawn at random. There are %(random)s of at least "
                    "%(need)s. The share that is drawn at random is set on the page Next batch."),
    }  # fmt: skip
    if what in said:
        return said[what] % words
    return _("The latest turn could not be measured: %(why)s") % {"why": estimate.get("reason") or what}


def _audit_note(audited: Turns) -> str:
    if not audited:
        return ""
    at, one = audited[-1]
    words = {"n": thousands(at), "value": decimal(one["value"], 3), "pairs": thousands(one["n"])}
    return _("Latest: %(value)s after %(n)s judgments, on %(pairs)s pairs of the audit set.") % words


def _grown(growth: Turns) -> str:
    if not growth:
        return _("No turn has trained a model that was measured.")
    at, one = growth[-1]
    words = {"n": thousands(at), "value": decimal(one["value"], 3), "pairs": thousands(one.get("n") or 0)}
    if len(growth) == 1:
        return _("One turn so far: %(value)s after %(n)s judgments, on %(pairs)s held-out pairs. A second "
                 "one makes a curve.") % words  # fmt: skip
    return _("Latest: %(value)s after %(n)s judgments, on %(pairs)s held-out pairs.") % words
