"""The flags of annotators in words, each with the figures it rests on."""

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotation.aggregation import flags
from annotation.aggregation.flags import Flag
from annotation.charts import decimal

BADGES: dict[str, Promise] = {
    "gold": gettext_lazy("fails gold"),
    "weak": gettext_lazy("weak on gold"),
    "guesses": gettext_lazy("guesses"),
    "fast": gettext_lazy("too fast"),
    "same": gettext_lazy("one answer"),
    "run": gettext_lazy("long run"),
    "unlike": gettext_lazy("unlike itself"),
    "round": gettext_lazy("in circles"),
    "left": gettext_lazy("left side"),
    "right": gettext_lazy("right side"),
    "first": gettext_lazy("shown first"),
    "later": gettext_lazy("shown later"),
}

STANDINGS: dict[str, Promise] = {
    "fails": gettext_lazy("fails"),
    "weak": gettext_lazy("weak"),
    "passes": gettext_lazy("passes"),
    "open": gettext_lazy("too few to say"),
    "none": gettext_lazy("none given"),
}


def evidence(flag: Flag) -> str:
    """Why somebody is flagged, with the figures it rests on."""
    share, n = percent(flag.value), flag.n
    if flag.kind == "gold":
        words = _(
            "%(right)s of %(n)s gold answers right; accuracy is below %(bar)s with probability %(chance)s."
        )
        return words % {
            "right": round(flag.value * n),
            "n": n,
            "bar": percent(flags.BAR),
            "chance": decimal(flag.strength),
        }
    if flag.kind == "weak":
        words = _("%(right)s of %(n)s gold answers right; more like %(bad)s accuracy than like %(good)s.")
        return words % {
            "right": round(flag.value * n),
            "n": n,
            "bad": percent(flags.P1),
            "good": percent(flags.P0),
        }
    if flag.kind == "fast":
        words = _(
            "%(seconds)s s at the median of %(n)s answers; z = %(z)s on the log scale of all annotators."
        )
        return words % {"seconds": number_format(flag.value, 1), "n": n, "z": decimal(flag.strength, 1)}
    if flag.kind == "same":
        return _("The same answer in %(share)s of %(n)s judgments.") % {"share": share, "n": n}
    if flag.kind in _MORE:
        return _more(flag)
    if flag.kind in ("first", "later"):
        words = _("The response shown first on top in %(share)s of %(n)s; chance: %(chance)s (z = %(z)s).")
        chance = percent(flag.chance)
        return words % {"share": share, "n": n, "chance": chance, "z": decimal(flag.strength, 1)}
    if flag.kind == "left":
        words = _("Chose the left response in %(share)s of %(n)s; chance alone: half (z = %(z)s).")
    else:
        words = _("Chose the left response in only %(share)s of %(n)s; chance alone: half (z = %(z)s).")
    return words % {"share": share, "n": n, "z": decimal(flag.strength, 1)}


_MORE = ("guesses", "run", "unlike", "round")


def _more(flag: Flag) -> str:
    """The evidence of the signs in `annotation.aggregation.signs`."""
    share, n = percent(flag.value), flag.n
    if flag.kind == "guesses":
        words = _(
            "%(share)s of %(n)s answers, and surely less than %(high)s, follow what the others say of "
            "the same items; %(usual)s is usual here."
        )
        more = {"high": percent(flag.strength), "usual": percent(flag.chance)}
    elif flag.kind == "run":
        words = _(
            "%(length)s times the same answer in a row, in %(n)s; the chance of such a run is %(chance)s."
        )
        more = {"length": f"{flag.value:.0f}", "chance": _small(flag.strength)}
    elif flag.kind == "unlike":
        words = _("%(share)s of %(n)s repeated items answered as before, and surely less than %(high)s.")
        more = {"high": percent(flag.strength)}
    else:
        words = _(
            "%(share)s of %(n)s triads are circles, and surely more than %(low)s; coins make a quarter."
        )
        more = {"low": percent(flag.strength)}
    return words % {"share": share, "n": n, **more}


def _small(chance: float) -> str:
    """.02, or < .001."""
    return f"< {decimal(0.001, 3)}" if chance < 0.001 else decimal(chance, 3)


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"
