"""The data behind the charts and tables of the monitoring page, as CSV."""

from collections.abc import Callable, Iterable
from typing import Any

from accounts.models import Role, User
from annotation import (
    blind_selectors,
    item_selectors,
    monitor_selectors,
    standing_selectors,
)
from annotation.models.project import Project
from annotation.services import assessing, reporting
from annotation.views import agreement_tables

Rows = Iterable[Iterable[Any]]


def annotators(project: Project, *_: object) -> Rows:
    yield (
        "annotator", "origin", "state", "judgments", "gold", "gold_right", "reliability", "reliability_low",
        "reliability_high", "reliability_votes", "repeats", "consistent", "median_seconds", "sided",
        "chose_left", "expected_left", "ties", "entropy_bits", "longest_run", "triads", "circular", "last_at",
        "flags",
    )  # fmt: skip
    standings = standing_selectors.standings(project)
    for one in reporting.report_of(project).people:
        row, known, run = one.row, one.measured, one.run
        theta = (known.theta, known.low, known.high, known.votes) if known else ("", "", "", 0)
        decided = standings.get(row.id)
        yield (
            row.name, row.origin, decided.state if decided else "active", row.judgments, row.gold,
            row.gold_right, *theta, row.itself.repeats, row.itself.consistent, row.median_seconds, row.sided,
            row.chose_left, round(row.expected_left, 3), row.ties,
            "" if one.entropy is None else round(one.entropy, 4), run.length if run else 0, one.triads,
            one.circular, row.last_at.isoformat(), " ".join(flag.kind for flag in one.flags),
        )  # fmt: skip


def bonus(project: Project, *_: object) -> Rows:
    """For those who pay people: who has earned a bonus for agreement, and what the others lack."""
    yield (
        "annotator", "username", "earned", "missing", "judgments", "gold", "gold_right", "reliability",
        "reliability_low", "reliability_high", "reliability_votes",
    )  # fmt: skip
    decided = standing_selectors.standings(project)
    apart = {pk for pk, one in decided.items() if standing_selectors.terms_of(one).barred}
    found = assessing.bonuses(reporting.report_of(project).people, apart)
    names = dict(User.objects.filter(pk__in=[one.row.id for one, _ in found]).values_list("pk", "username"))
    for one, lacks in found:
        row, known = one.row, one.measured
        theta = (known.theta, known.low, known.high, known.votes) if known else ("", "", "", 0)
        earned = "no" if lacks else "yes"
        yield (
            row.name, names[row.id], earned, "; ".join(lacks), row.judgments, row.gold, row.gold_right, *theta
        )  # fmt: skip


def volume(project: Project, *_: object) -> Rows:
    yield "day", "judgments"
    for row in reporting.report_of(project).days:
        yield row.day.isoformat(), row.judgments


def times(project: Project, *_: object) -> Rows:
    """Judgments by seconds, from one edge to below the next; the first and the last bin are open."""
    yield "from_seconds", "to_seconds", "judgments"
    edges = ("", *monitor_selectors.TIME_EDGES, "")
    yield from zip(edges, edges[1:], reporting.report_of(project).times, strict=False)


def choices(project: Project, *_: object) -> Rows:
    """What was answered, then where on the screen the best response stood."""
    report = reporting.report_of(project)
    totals = report.totals
    others = totals.sided - totals.chose_left
    if project.kind == Project.Kind.PAIRWISE:
        yield "choice", "judgments"
        yield from (("a", totals.a), ("tie", totals.tie), ("both_bad", totals.both_bad), ("b", totals.b))
        yield from (("left", totals.chose_left), ("right", others))
        return
    if project.kind == Project.Kind.RANKING:
        yield "best", "judgments"
        for position, count in report.tops:
            yield ("several" if position is None else position + 1), count
    else:
        yield "points", "responses"
        yield from report.points
    yield from (("shown first", totals.chose_left), ("shown later", others))


def methods(project: Project, *_: object) -> Rows:
    yield "method", "log_likelihood", "votes", "more_than_shares", "low", "high", "best"
    found = reporting.report_of(project).methods
    for name, score in found.scores.items() if found else ():
        best = found is not None and found.best == name
        yield name, score.log_likelihood, score.votes, score.gain, score.low, score.high, best


def items(project: Project, reader: User, role: Role | None) -> Rows:
    """Every item with a vote. Of rankings a, tie and b are of the pair that is disputed most.

    With blind review they are empty where the reader may still judge the item or change their answer.
    """
    found = item_selectors.votes_by_item(project)
    if project.kind == Project.Kind.RATING:
        yield "item", "prompt", "votes", "spread_points"
        yield from ((row.id, row.prompt, row.votes, round(row.entropy, 4)) for row in found)
        return
    hidden = blind_selectors.hidden_items(reader, role, project, [row.id for row in found])
    yield "item", "prompt", "votes", "pair", "a", "tie", "b", "entropy_bits"
    for row in found:
        split = ("", "", "", "") if row.id in hidden else (row.pair, row.a, row.tie, row.b)
        yield row.id, row.prompt, row.votes, *split, round(row.entropy, 4)


TABLES: dict[str, Callable[[Project, User, Role | None], Rows]] = {
    "annotators": annotators,
    "bonus": bonus,
    "volume": volume,
    "times": times,
    "choices": choices,
    "agreement": agreement_tables.agreement,
    "agreement_over_time": agreement_tables.agreement_over_time,
    "agreement_by_category": agreement_tables.agreement_by_category,
    "agreement_by_group": agreement_tables.agreement_by_group,
    "pairs_of_annotators": agreement_tables.pairs_of_annotators,
    "methods": methods,
    "items": items,
}


def harmless(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula gets a quote in front of it."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
