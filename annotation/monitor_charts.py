"""The charts of the monitoring page: counts in, chart data out; None where there is nothing to draw."""

from collections.abc import Sequence
from datetime import date, timedelta

from django.utils.translation import gettext as _

from annotation.agreement_table import HEADLINE
from annotation.chart_data import Bars, Histogram, Line, Series, Stacked
from annotation.charts import decimal
from annotation.heat_map import HeatMap, Pair, heat_map
from annotation.monitor_selectors import TIME_EDGES, DayVolume
from annotation.services.agreement_pairs import PairsOfAnnotators
from annotation.services.agreement_parts import AgreementInParts

MOST_BARS = 92
FEWEST_BINS = 8  # a first judgment is one bar among others, not one as wide as the chart
WEEK = timedelta(days=7)
MINUTE = 60
TICK_EVERY = 2  # edges: a whole octave


def over_time(agreement: Sequence[AgreementInParts]) -> Line | None:
    """α, ordinal, of what was finished in each period, a line for each criterion; None for less than two."""
    periods = agreement[0].over_time.periods
    if len(periods) < 2:
        return None
    first_days = [date.fromisoformat(first) for first, _last, _of in periods]
    return Line(
        along={"day": _("Day"), "week": _("Week")}.get(agreement[0].over_time.step, _("Month")),
        labels=tuple(first_days),
        series=tuple(
            _line(one, [day.isoformat() for day in first_days], number % 5 + 1)
            for number, one in enumerate(agreement)
        ),
        weekly=agreement[0].over_time.step == "week",
    )


def _line(one: AgreementInParts, days: Sequence[str], colour: int) -> Series:
    """The criterion's α on these days; a period without one is a gap."""
    found = {first: of.alpha[HEADLINE] for first, _last, of in one.over_time.periods}
    estimates = [found.get(day) for day in days]
    return Series(
        one.overall.criterion,
        tuple(each.value if each else None for each in estimates),
        colour,
        tuple(each.low if each else None for each in estimates),
        tuple(each.high if each else None for each in estimates),
    )


def pairs(of: PairsOfAnnotators) -> HeatMap | None:
    """Who agrees with whom: κ of every two of the most active people."""
    found = {(one.first, one.second): Pair(one.kappa, one.units) for one in of.pairs}
    return heat_map([person.name for person in of.people], found)


def volume(days: Sequence[DayVolume]) -> Bars | None:
    """Judgments per day, or per week where days would be too thin to see; days without one are zeros."""
    if not days:
        return None
    first, last = days[0].day, days[-1].day
    weekly = (last - first).days >= MOST_BARS
    step = WEEK if weekly else timedelta(days=1)
    if weekly:
        first -= timedelta(days=first.weekday())
    counts = [0] * ((last - first) // step + 1)
    for day in days:
        counts[(day.day - first) // step] += day.judgments
    return Bars(
        along=_("Week") if weekly else _("Day"),
        labels=tuple(first + slot * step for slot in range(len(counts))),
        series=(Series(_("Judgments"), tuple(counts)),),
        weekly=weekly,
    )


def times(counts: Sequence[int]) -> Histogram | None:
    """Of the counts of monitor_selectors.times; empty bins at either end are left out, but for a few."""
    full = [bin_ for bin_, count in enumerate(counts) if count]
    if not full:
        return None
    shown = _at_least(FEWEST_BINS, range(full[0], full[-1] + 1), len(counts))
    return Histogram(
        along=_("Time"),
        labels=tuple(_range(bin_) for bin_ in shown),
        series=(Series(_("Judgments"), tuple(counts[bin_] for bin_ in shown)),),
        edges=tuple(_edge(edge) for edge in range(shown.start - 1, shown.stop)),
    )


def parts(of: str, counted: Sequence[tuple[str, int, int]]) -> Stacked | None:
    """(name, count, colour) as one bar; `of`: what the names are."""
    if not any(count for _name, count, _colour in counted):
        return None
    return Stacked(of, ("",), tuple(Series(name, (count,), colour) for name, count, colour in counted))


def _at_least(fewest: int, shown: range, bins: int) -> range:
    """With as many bins before as after, where there are as many."""
    start = max(min(shown.start - (fewest - len(shown)) // 2, shown.start, bins - fewest), 0)
    return range(start, max(shown.stop, start + fewest))


def _range(bin_: int) -> str:
    if bin_ == 0:
        return _("less than %(time)s") % {"time": duration(TIME_EDGES[0])}
    if bin_ == len(TIME_EDGES):
        return _("%(time)s or more") % {"time": duration(TIME_EDGES[-1])}
    return f"{duration(TIME_EDGES[bin_ - 1])} – {duration(TIME_EDGES[bin_])}"


def _edge(edge: int) -> str:
    """Words under every other edge, a minute among them; none at the open ends."""
    middle = TIME_EDGES.index(MINUTE)
    shown = 0 <= edge < len(TIME_EDGES) and (edge - middle) % TICK_EVERY == 0
    return duration(TIME_EDGES[edge]) if shown else ""


def duration(seconds: float) -> str:
    """7.5 s, 42 s, 2 min, 5 min 39 s."""
    if seconds < MINUTE:
        return _("%(n)s s") % {"n": decimal(seconds, 1) if seconds < 10 else round(seconds)}
    minutes, rest = divmod(round(seconds), MINUTE)
    whole = _("%(n)s min") % {"n": minutes}
    return f"{whole} {_('%(n)s s') % {'n': rest}}" if rest else whole
