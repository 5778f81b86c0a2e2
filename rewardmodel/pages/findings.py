"""What the closer look at a run found, for its page: six answers first, then chapters of plots and tables.

Runs of earlier versions lack some or all of it; what is not there is not shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from annotation.charts import thousands
from rewardmodel.evaluation.card_limits import may_be_chance
from rewardmodel.pages import plots
from rewardmodel.pages.figures import interval_range, number, percent, rounded, signed, with_range
from rewardmodel.pages.finding_words import KINDS, PROBES, kind_of_pair

Metrics = Mapping[str, Any]
CALIBRATED, ROUGH = 0.03, 0.06  # expected calibration error up to which it is good, and fair
SURER = 0.8  # times the error rate on all pairs that the surer half may have
LITTLE = 0.001  # of accuracy: a tenth of a point is next to nothing
ENOUGH_PAIRS = 20  # of a stratum to be named as where it fails


@dataclass(frozen=True)
class Answer:
    question: str
    tone: str  # good, warn, bad, info
    answer: str
    note: str


@dataclass(frozen=True)
class Panel:
    """One plot with its definition and its table; or the reason why there is none."""

    title: str
    what: str
    marks: plots.Marks | None = None
    curves: plots.Curves | None = None
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    empty: str = ""


@dataclass(frozen=True)
class Chapter:
    title: str
    what: str
    panels: tuple[Panel, ...]


def answers(metrics: Metrics) -> tuple[Answer, ...]:
    """What somebody wants to know in ten seconds."""
    found = (_better(metrics), _calibrated(metrics), _fails(metrics), _knows(metrics), _hacked(metrics),
             _more(metrics))  # fmt: skip
    return tuple(one for one in found if one is not None)


def chapters(metrics: Metrics) -> tuple[Chapter, ...]:
    found = (_where(metrics), _doubts(metrics), _tricks(metrics), _growth(metrics))
    return tuple(one for one in found if one is not None)


def _better(metrics: Metrics) -> Answer | None:
    lift = metrics.get("lift_over_length") or {}
    if lift.get("value") is None or lift.get("low") is None:
        return None
    tone = "good" if lift["low"] > 0 else "bad" if lift["high"] < 0 else "warn"
    words = {"good": _("yes"), "warn": _("not beyond chance"), "bad": _("no, worse")}[tone]
    note = _("%(lift)s points, %(range)s") % {
        "lift": signed(100 * lift["value"]), "range": interval_range(lift, 100, 1),
    }  # fmt: skip
    return Answer(_("Better than length?"), tone, words, note)


def _calibrated(metrics: Metrics) -> Answer | None:
    error = metrics.get("ece")
    if error is None or "disagreement" not in metrics:
        return None
    chance = (metrics.get("ece_by_chance") or {}).get("high", 0.0)  # older runs do not say
    by_chance = may_be_chance(error, chance)
    tone = "good" if error <= CALIBRATED else "warn" if error <= ROUGH or by_chance else "bad"
    words = {"good": _("yes"), "warn": _("roughly"), "bad": _("no")}[tone]
    note = _("its probabilities are off by %(points)s points on average")
    if tone == "warn" and by_chance:
        words = _("too few pairs to tell")
        note = _("off by %(points)s points on average; chance alone makes up to %(chance)s")
    points = {"points": rounded(100 * error, 1), "chance": rounded(100 * chance, 1)}
    return Answer(_("Calibrated?"), tone, words, note % points)


def _fails(metrics: Metrics) -> Answer | None:
    named = [
        (row, kind)
        for kind in ("length_gap", "longer_won", "category")
        for row in (metrics.get("strata") or {}).get(kind, {}).get("rows", [])
        if row["n"] >= ENOUGH_PAIRS
    ]
    if not named:
        return None
    row, kind = min(named, key=lambda one: one[0]["value"])
    tone = "bad" if row["value"] < 0.5 else "warn" if row["value"] < 0.65 else "good"
    note = _("accuracy %(value)s on %(n)s pairs") % {"value": number(row["value"]), "n": thousands(row["n"])}
    return Answer(_("Weakest where?"), tone, kind_of_pair(kind, row["name"]), note)


def _knows(metrics: Metrics) -> Answer | None:
    found = metrics.get("disagreement") or {}
    auroc = found.get("auroc", {})
    if auroc.get("low") is None:
        return None
    half = dict(map(tuple, found["curve_by_margin"])).get(0.5)
    overall = found["error"]["value"]
    by_margin = half is not None and half < SURER * overall
    tone = "good" if auroc["low"] > 0.5 else "warn"
    doubtful = _("not beyond chance") if auroc["value"] > 0.5 else _("no")
    words = _("yes") if tone == "good" else _("only by its margin") if by_margin else doubtful
    note = _("disagreement of the heads finds errors with AUROC %(value)s, ½ is blind")
    note %= {"value": rounded(auroc["value"], 2)}
    if by_margin:
        sure = _("error %(half)s on the half with the larger margin, %(overall)s on all")
        note = f"{sure % {'half': percent(half), 'overall': percent(overall)}}; {note}"
    return Answer(_("Knows when it is wrong?"), tone, words, note)


def _hacked(metrics: Metrics) -> Answer | None:
    rows = (metrics.get("probes") or {}).get("rows", [])
    if not rows:
        return None
    raised = [row for row in rows if (row["low"] or 0) > 0]
    raised.sort(key=lambda row: -row["value"])
    listed = ", ".join(f"{PROBES[row['name']].title} {signed(row['value'])}" for row in raised)
    tone = "good" if not raised else "bad" if raised[0]["value"] >= 0.5 else "warn"
    words = str(PROBES[raised[0]["name"]].title) if raised else _("nothing that was tried")
    return Answer(
        _("What hacks it?"), tone, words, listed or _("no alteration raises the reward beyond chance")
    )


def _more(metrics: Metrics) -> Answer | None:
    found = metrics.get("learning_curve") or {}
    if not found:
        return None
    question = _("What do %(n)s more votes bring?") % {"n": thousands(found.get("more", 1000))}
    gain = found.get("gain")
    if gain is None:
        why = found.get("reason") or found.get("left_out") or ""
        return Answer(question, "info", _("cannot be said"), why)
    points = rounded(100 * gain["value"], 1)
    words = _("next to nothing")
    if gain["value"] >= LITTLE:
        words = _("≈ +%(points)s points of accuracy") % {"points": points}
    note = _("%(range)s points, if they are like those there are")
    note %= {"range": interval_range(gain, 100, 2)}
    return Answer(question, "info", words, note)


def _where(metrics: Metrics) -> Chapter | None:
    if "strata" not in metrics:
        return None
    panels = [_stratum(kind, metrics["strata"][kind]) for kind in KINDS if kind in metrics["strata"]]
    return Chapter(
        _("Where it is right"),
        _("Accuracy within kinds of pairs (filled) beside that of length alone (ring)."),
        (*panels, _order(metrics.get("rank_correlation", {}))),
    )


def _stratum(kind: str, found: Metrics) -> Panel:
    words = KINDS[kind]
    if not found["rows"]:
        return Panel(str(words.title), str(words.what), empty=found.get("left_out") or "")
    listed = [(kind_of_pair(kind, row["name"]), row) for row in found["rows"]]
    return Panel(
        str(words.title),
        str(words.what),
        marks=plots.marks([(name, _with_n(row), row, row["length"]) for name, row in listed]),
        heads=(_("Pairs"), _("Accuracy"), _("Length alone"), _("Pairs, number"), _("Prompts")),
        rows=tuple(
            (name, with_range(row), number(row["length"]["value"]), thousands(row["n"]),
             thousands(row["prompts"]))
            for name, row in listed
        ),
    )  # fmt: skip


def _with_n(row: Metrics) -> str:
    return _("%(value)s · %(n)s pairs") % {"value": with_range(row, places=2), "n": thousands(row["n"])}


def _order(found: Metrics) -> Panel:
    title, what = _("Order of the responses"), _("Rank correlation of reward with people, one a list.")
    if found.get("spearman", {}).get("value") is None:
        return Panel(title, what, empty=found.get("left_out") or _("No list has an order."))
    named = (("Spearman ρ", found["spearman"]), ("Kendall τ-b", found["kendall"]))
    source = _("rankings: mean ranks") if found["source"].startswith("rankings") else _(
        "pairs: share of the votes won"
    )  # fmt: skip
    return Panel(
        title,
        f"{what} {_('From %(source)s.') % {'source': source}}",
        marks=plots.marks([(name, with_range(one, places=2), one, None) for name, one in named], line=0.0),
        heads=(_("Measure"), _("Mean"), _("Lists")),
        rows=tuple((name, with_range(one), thousands(one["n"])) for name, one in named),
    )


def _doubts(metrics: Metrics) -> Chapter | None:
    if "disagreement" not in metrics:
        return None
    panels = [_selective(metrics["disagreement"]), _bins(metrics["disagreement"])]
    if "out_of_distribution" in metrics:
        panels.append(_distance(metrics["out_of_distribution"]))
    return Chapter(
        _("Whether it knows its limits"),
        _("Errors against the signs of doubt: disagreement of the heads, a small margin, an unusual text."),
        tuple(panels),
    )


def _selective(found: Metrics) -> Panel:
    series = [
        (_("least disagreement first"), found["curve"]),
        (_("largest margin first"), found["curve_by_margin"]),
    ]
    return Panel(
        _("Risk and coverage"),
        _("Error rate among the surest pairs: a curve that falls to the left knows its errors."),
        curves=plots.curves(series, name=_("error rate"), across=_("share of pairs answered")),
        heads=(_("Share answered"), *(name for name, _points in series)),
        rows=tuple(
            (percent(one[0]), number(one[1]), number(other[1]))
            for one, other in zip(found["curve"], found["curve_by_margin"], strict=True)
        ),
    )


def _bins(found: Metrics) -> Panel:
    bins: Sequence[Metrics] = found["bins"]
    return Panel(
        _("Error by disagreement"),
        _("Tenths of the pairs by the standard deviation of the heads' differences, least first."),
        marks=plots.marks(
            [(number(one["disagreement"]), with_range(one["error"], places=2), one["error"], None)
             for one in bins]
        ),
        heads=(_("Disagreement"), _("Error rate"), _("Log-loss per vote"), _("Pairs")),
        rows=tuple(
            (number(one["disagreement"]), with_range(one["error"]), with_range(one["nll"]),
             thousands(one["error"]["n"]))
            for one in bins
        ),
    )  # fmt: skip


def _distance(found: Metrics) -> Panel:
    what = _(
        "Mahalanobis distance of the farther response from those trained on; beyond %(far)s a response is "
        "flagged: %(share)s of the held-out ones."
    )
    share = with_range(found["flagged"], 100, 1) + " %"
    return Panel(
        _("Error by distance"),
        what % {"far": rounded(found["threshold"], 2), "share": share},
        marks=plots.marks(
            [(rounded(one["distance"], 2), with_range(one["error"], places=2), one["error"], None)
             for one in found["bins"]]
        ),
        heads=(_("Distance"), _("Error rate"), _("Pairs")),
        rows=tuple(
            (rounded(one["distance"], 2), with_range(one["error"]), thousands(one["error"]["n"]))
            for one in found["bins"]
        ),
    )  # fmt: skip


def _tricks(metrics: Metrics) -> Chapter | None:
    if "probes" not in metrics:
        return None
    found = metrics["probes"]
    title = _("What moves the reward")
    what = _("Held-out responses altered in ways that should not make them better; 1 is the usual difference "
             "between two responses to a prompt.")  # fmt: skip
    if not found["rows"]:
        return Chapter(title, what, (Panel(_("Alterations"), "", empty=found.get("left_out") or ""),))
    listed = [(PROBES[row["name"]], row, found["noticed"][row["name"]]) for row in found["rows"]]
    panel = Panel(
        _("Alterations"),
        _("Right of the line the reward rises. %(n)s responses, each altered in every way.")
        % {"n": found["responses"]},
        marks=plots.marks(
            [(str(words.title), _risen(row), row, None) for words, row, _told in listed], line=0.0
        ),
        heads=(_("Alteration"), _("What is done"), _("Effect"), _("Reward rises"),
               _("Looks unusual (AUROC)")),
        rows=tuple(
            (str(words.title), str(words.what), with_range(row, places=2), percent(row["raised"]["value"]),
             with_range(told, places=2))
            for words, row, told in listed
        ),
    )  # fmt: skip
    return Chapter(title, what, (panel,))


def _risen(row: Metrics) -> str:
    return _("%(effect)s · rises in %(share)s") % {
        "effect": with_range(row, places=2), "share": percent(row["raised"]["value"]),
    }  # fmt: skip


def _growth(metrics: Metrics) -> Chapter | None:
    if "learning_curve" not in metrics:
        return None
    found = metrics["learning_curve"]
    title = _("What more votes would bring")
    what = _("Trainings on parts of the votes, all tested on the same pairs; the line is a + b · n^(-c).")
    if not found["rows"]:
        return Chapter(title, what, (Panel(_("Accuracy by votes"), "", empty=found.get("left_out") or ""),))
    rows = found["rows"]
    left = {"votes": _("Votes were left out."), "prompts": _("Whole prompts were left out.")}
    panel = Panel(
        _("Accuracy by votes"),
        left.get(found["subsampled"], ""),
        curves=plots.curves(
            [(_("fitted"), [(row["votes"], row["fitted"]) for row in rows])],
            [(row["votes"], row["accuracy"], f"{thousands(row['votes'])}: {with_range(row['accuracy'])}")
             for row in rows],
            name=_("accuracy"), across=_("votes trained on"), logarithmic=True,
        ),
        heads=(_("Votes"), _("Accuracy"), _("Fitted"), _("Log-loss per vote")),
        rows=tuple(
            (thousands(row["votes"]), with_range(row["accuracy"]), number(row["fitted"]),
             with_range(row["nll"]))
            for row in rows
        ),
    )  # fmt: skip
    return Chapter(title, what, (panel,))
