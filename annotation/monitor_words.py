"""The verdict of the monitoring page and the evidence for each flag, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib.humanize.templatetags.humanize import apnumber
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy

from annotation import annotator_selectors
from annotation.aggregation import flags
from annotation.agreement.drift import Drift
from annotation.agreement.estimate import Estimate
from annotation.annotator_selectors import Totals
from annotation.charts import decimal
from annotation.flag_words import percent
from annotation.models.project import Project

if TYPE_CHECKING:
    from annotation.people_table import Person

LEAST_ITEMS = 20  # judged by two people or more, before agreement is called anything
WIDEST = 0.4  # an interval wider than this says nothing either
MANY = 0.25  # of all judgments by flagged people: the labels are theirs too
LEFT_Z, LEFT_MATTERS = 3.0, 0.05

# Krippendorff's own bars are .667 and .8, for questions that have an answer. Preferences between good
# responses seldom reach them: on 58,602 real votes on arguments α is .35, and the labels are sound.
BANDS: tuple[tuple[float, str, Promise, Promise], ...] = (
    (
        0.8,
        "good",
        gettext_lazy("very high"),
        gettext_lazy("People choose the same way; even single votes can be trusted."),
    ),
    (
        0.667,
        "good",
        gettext_lazy("high"),
        gettext_lazy("People mostly choose the same way; two or three votes an item suffice."),
    ),
    (
        0.3,
        "good",
        gettext_lazy("moderate"),
        gettext_lazy(
            "Usual for preferences: people part on close pairs. Trust vote shares, not single votes."
        ),
    ),
    (
        0.1,
        "warn",
        gettext_lazy("low"),
        gettext_lazy(
            "People often part: the pairs are close or the guidelines leave room. Look at the items below."
        ),
    ),
    (
        -2.0,
        "bad",
        gettext_lazy("close to chance"),
        gettext_lazy(
            "Do not train on these labels yet: look at the people and the items below, then the guidelines."
        ),
    ),
)


@dataclass(frozen=True)
class Verdict:
    """tone: good, warn, bad or info. headline and meaning are sentences; findings are what speaks against."""

    tone: str
    headline: str
    meaning: str
    findings: tuple[str, ...] = ()


def verdict(
    *,
    estimate: Estimate,
    project: Project,
    totals: Totals,
    people: Sequence["Person"],
    drift: Drift,
    asks_two: bool,
) -> Verdict:
    """Can these labels be trusted, and if not, why not. Who is set apart no longer speaks against them.

    asks_two: enough items are asked of two people or more.
    """
    if not totals.judgments:
        return Verdict(
            "info",
            _("Nobody has judged yet."),
            _("As soon as two people have judged the same items, their agreement is shown here."),
        )
    active = [one for one in people if not one.apart]
    counted = sum(one.row.judgments for one in active)
    by_flagged = sum(one.row.judgments for one in active if one.assessment.flags)
    found = findings(project, totals, people, drift)
    if estimate.value is None or estimate.units < LEAST_ITEMS or _too_wide(estimate):
        tone = "warn" if by_flagged else "info"
        return Verdict(tone, _("Too early to say."), _too_few(estimate, project, asks_two), found)
    tone, name, meaning = next(band[1:] for band in BANDS if estimate.value >= band[0])
    if (by_flagged or drift.fallen) and tone == "good":
        tone = "warn"
    if by_flagged >= MANY * counted:
        tone = "bad"
    headline = _("Agreement is %(band)s: α = %(alpha)s.") % {"band": name, "alpha": with_interval(estimate)}
    return Verdict(tone, headline, str(meaning), found)


def findings(project: Project, totals: Totals, people: Sequence["Person"], drift: Drift) -> tuple[str, ...]:
    """What an admin should know beside the agreement, most serious first."""
    active = [one for one in people if not one.apart]
    found = _fall(drift)
    for kind, words in _PEOPLE.items():
        names = [one.row.name for one in active if any(flag.kind == kind for flag in one.assessment.flags)]
        if names:
            found.append(_who(words % {"n": len(names), "count": capfirst(str(apnumber(len(names))))}, names))
    flagged = sum(one.row.judgments for one in active if one.assessment.flags)
    if flagged:
        share = percent(flagged / totals.judgments)
        found.append(_("Flagged people gave %(share)s of the judgments.") % {"share": share})
    found += _set_apart([one for one in people if one.apart])
    found += _side_of_all(annotator_selectors.totals(one.row for one in active), project)
    if not totals.gold:
        found.append(_("No gold item has been judged, so nobody is checked against an expert."))
    if totals.simulated == totals.judgments:
        found.append(_("All judgments are simulated: they show how the page works, not what people think."))
    elif totals.simulated:
        share = percent(totals.simulated / totals.judgments)
        found.append(
            _("%(share)s of the judgments are simulated: they do not say what people think.")
            % {"share": share}
        )
    return tuple(found)


def _fall(drift: Drift) -> list[str]:
    if not drift.fallen or drift.before is None or drift.now is None:
        return []
    words = _("Agreement has fallen lately, from α = %(before)s to %(now)s.")
    return [words % {"before": decimal(drift.before), "now": decimal(drift.now)}]


def _set_apart(people: Sequence["Person"]) -> list[str]:
    if not people:
        return []
    names = [one.row.name for one in people]
    who = ngettext(
        "%(count)s annotator is paused or excluded", "%(count)s annotators are paused or excluded", len(names)
    )
    judgments = sum(one.row.judgments for one in people)
    weigh = ngettext(
        "Their %(n)s judgment weighs nothing.", "Their %(n)s judgments weigh nothing.", judgments
    )
    sentence = _who(who % {"count": capfirst(str(apnumber(len(names))))}, names)
    return [f"{sentence} {weigh % {'n': judgments}}"]


def _side_of_all(totals: Totals, project: Project) -> list[str]:
    if totals.sided < flags.LEAST_ANSWERS:
        return []
    left, chance = totals.chose_left / totals.sided, totals.left_chance
    z = flags.side_z(totals.chose_left, totals.sided, chance)
    if abs(z) < LEFT_Z or abs(left - chance) < LEFT_MATTERS:
        return []
    if project.kind == Project.Kind.PAIRWISE:
        return [_("The left response wins %(share)s of the time, not half.") % {"share": percent(left)}]
    words = _("The response shown first is the best one %(share)s of the time, not %(chance)s.")
    return [words % {"share": percent(left), "chance": percent(chance)}]


_PEOPLE = {
    "gold": ngettext_lazy(
        "%(count)s annotator fails gold checks", "%(count)s annotators fail gold checks", "n"
    ),
    "weak": ngettext_lazy(
        "%(count)s annotator is weak on gold", "%(count)s annotators are weak on gold", "n"
    ),
    "guesses": ngettext_lazy(
        "%(count)s answers whatever the responses are", "%(count)s answer whatever the responses are", "n"
    ),
    "fast": ngettext_lazy("%(count)s answers much too fast", "%(count)s answer much too fast", "n"),
    "same": ngettext_lazy(
        "%(count)s gives one answer to everything", "%(count)s give one answer to everything", "n"
    ),
    "run": ngettext_lazy(
        "%(count)s gives the same answer many times in a row",
        "%(count)s give the same answer many times in a row",
        "n",
    ),
    "unlike": ngettext_lazy(
        "%(count)s answers the same item differently the second time",
        "%(count)s answer the same item differently the second time",
        "n",
    ),
    "round": ngettext_lazy("%(count)s prefers in circles", "%(count)s prefer in circles", "n"),
    "left": ngettext_lazy("%(count)s favours the left side", "%(count)s favour the left side", "n"),
    "right": ngettext_lazy("%(count)s favours the right side", "%(count)s favour the right side", "n"),
    "first": ngettext_lazy(
        "%(count)s favours the response shown first", "%(count)s favour the response shown first", "n"
    ),
    "later": ngettext_lazy(
        "%(count)s favours responses shown later", "%(count)s favour responses shown later", "n"
    ),
}


def with_interval(estimate: Estimate) -> str:
    """.35 (.34–.36), or the value alone."""
    if estimate.value is None:
        return "–"
    if estimate.low is None or estimate.high is None:
        return decimal(estimate.value)
    return f"{decimal(estimate.value)} ({decimal(estimate.low)}–{decimal(estimate.high)})"


def _too_wide(estimate: Estimate) -> bool:
    if estimate.low is None or estimate.high is None:
        return True
    return estimate.high - estimate.low > WIDEST


def _too_few(estimate: Estimate, project: Project, asks_two: bool) -> str:
    counted = _units(estimate.units, project.kind)
    if not asks_two:
        advice = _("This project asks too few items of two people: raise its overlap to 2 or more.")
    elif estimate.units < LEAST_ITEMS:
        advice = _(
            "Agreement can be told from %(least)s on: let people go on judging, or invite more of them."
        )
        advice %= {"least": LEAST_ITEMS}
    elif estimate.value is None:
        advice = _("Agreement has no value: all answers are the same.")
    else:
        advice = _("The interval is still too wide: let people go on judging, or invite more of them.")
    return f"{counted} {advice}"


def _units(n: int, kind: str) -> str:
    """How much agreement rests on, in the unit of this kind of question."""
    if kind == Project.Kind.RANKING:
        words = ngettext(
            "%(n)s pair of responses has been ranked by two people or more.",
            "%(n)s pairs of responses have been ranked by two people or more.",
            n,
        )
    elif kind == Project.Kind.RATING:
        words = ngettext(
            "%(n)s response has been rated by two people or more.",
            "%(n)s responses have been rated by two people or more.",
            n,
        )
    else:
        words = ngettext(
            "%(n)s item has been judged by two people or more.",
            "%(n)s items have been judged by two people or more.",
            n,
        )
    return words % {"n": n}


def _who(sentence: str, names: Sequence[str]) -> str:
    """Up to three names after the sentence; the table below has the rest."""
    return f"{sentence}: {', '.join(names)}." if len(names) <= 3 else f"{sentence}."
