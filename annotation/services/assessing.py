"""How far each annotator's answers can be trusted, with the evidence; and what the project does about it.

One reckoning for all of a project, in the background: a few aggregating queries and some arithmetic. `apply`
then follows the policy of `annotation.aggregation.policy`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from accounts.models import User
from annotation import annotator_selectors, gold_selectors, habit_selectors, standing_selectors
from annotation.aggregation import bonus, competence, flags, patterns, policy, signs
from annotation.aggregation.flags import Assessment, Flag, Record
from annotation.aggregation.patterns import Run
from annotation.aggregation.reliability import LEAST, Reliability, reliability
from annotation.annotator_selectors import AnnotatorRow
from annotation.models.alert import Alert
from annotation.models.project import Project
from annotation.models.standing import Standing
from annotation.plain import to_plain
from annotation.services import alerting, fitting, standing
from annotation.services.fitting import PairVotes

FEWEST_OF_A_TRIAD: Final = 3  # comparisons of one person on one prompt


@dataclass(frozen=True)
class Measured:
    """θ, the share of answers that follow what the others say of the same pairs, with its interval.

    side: the pull of guesses to the response shown first, −1 … 1, as `competence` learns it.
    """

    theta: float
    low: float
    high: float
    votes: int
    side: float


@dataclass(frozen=True)
class Quality:
    """One annotator in figures, with the flags these carry. entropy: of their answers, in bits."""

    row: AnnotatorRow
    assessment: Assessment
    measured: Measured | None
    entropy: float | None
    run: Run | None
    triads: int
    circular: int

    @property
    def flags(self) -> tuple[Flag, ...]:
        return self.assessment.flags


def qualities(project: Project, votes: PairVotes | None = None) -> list[Quality]:
    """Everybody who has judged in the project, most active first. votes: `peer_votes`, if read already."""
    rows = annotator_selectors.annotators(project)
    ids = [row.id for row in rows]
    measured, guessing = _measured(votes or peer_votes(project), ids)
    given = habit_selectors.answers_in_order(project)
    runs = [patterns.longest_run(given[pk]) if pk in given else None for pk in ids]
    triads = _triads(project, ids)
    repeats = [(row.itself.repeats, row.itself.consistent) for row in rows]
    more = (guessing, signs.runs(runs), signs.unlike(repeats), signs.rounds(triads))
    found = []
    for place, (row, first) in enumerate(zip(rows, flags.assess(records(project, rows)), strict=True)):
        others = tuple(one[place] for one in more if place in one)
        (bits,) = patterns.entropy([row.choices]).tolist()
        found.append(
            Quality(
                row=row,
                assessment=Assessment(first.standing, (*first.flags, *others)),
                measured=measured.get(row.id),
                entropy=bits if sum(row.choices) else None,
                run=runs[place],
                triads=triads[place][0],
                circular=triads[place][1],
            )
        )
    return found


def peer_votes(project: Project) -> PairVotes:
    """What people are measured by: the votes under the main criterion, no expert's among them."""
    return fitting.read_votes(project, project.main_criterion, experts=False)


def records(project: Project, rows: Sequence[AnnotatorRow]) -> list[Record]:
    """What the tests of `annotation.aggregation.flags` want to know."""
    return [
        Record(
            gold=row.gold,
            gold_right=row.gold_right,
            sided=row.sided,
            chose_left=row.chose_left,
            chance=row.left_chance,
            ordered=project.kind != Project.Kind.PAIRWISE,
            timed=row.timed,
            seconds=row.median_seconds,
            choices=row.choices,
        )
        for row in rows
    ]


def apply(*, project: Project, found: Sequence[Quality]) -> list[int]:
    """Follow the policy: pause, watch, or watch no more. The ids of those paused now.

    Imported annotators stay as they are: a project that brings votes along decides about them itself.
    """
    known = standing_selectors.standings(project)
    since = gold_selectors.checks_since_restored(project)
    paused = []
    people = User.objects.in_bulk([one.row.id for one in found if one.flags or one.row.id in known])
    for one in found:
        held = known.get(one.row.id)
        if one.row.origin == User.Origin.IMPORTED or (held and held.state != Standing.State.ACTIVE):
            continue
        fresh = since.get(one.row.id, gold_selectors.Checks())
        decision = policy.decide(
            one.flags,
            restored=held is not None and held.restored_at is not None,
            gold_since=(fresh.right, fresh.answered - fresh.right),
        )
        evidence: list[dict[str, Any]] = [to_plain(flag) for flag in decision.flags]
        if decision.step == "pause" and project.auto_pause:
            standing.pause(project=project, annotator=people[one.row.id], actor=None, evidence=evidence)
            paused.append(one.row.id)
            continue
        if one.row.id in people:
            _gold_alert(project, people[one.row.id], one, fails=decision.step == "pause")
        if decision.step != "none":
            rate = policy.watched_rate(project.gold_rate)
            standing.raise_gold(project=project, annotator=people[one.row.id], rate=rate, evidence=evidence)
        elif held is not None and held.gold_rate is not None:
            standing.usual_gold(project=project, annotator=people[one.row.id])
    return paused


def bonuses(
    found: Sequence[Quality], apart: Collection[int]
) -> list[tuple[Quality, tuple[bonus.Missing, ...]]]:
    """Everybody who is not set apart with what keeps them from a bonus, those who have earned one first."""
    active = [one for one in found if one.row.id not in apart]
    enough = [one.measured.theta for one in active if one.measured and one.measured.votes >= LEAST]
    typical = float(np.median(enough)) if enough else float("nan")
    gold_given = any(one.row.gold for one in active)
    told = []
    for one in active:
        known = one.measured
        record = bonus.Record(
            votes=known.votes if known else 0,
            theta=known.theta if known else None,
            gold=one.assessment.standing,
            flagged=bool(one.flags),
        )
        told.append((one, bonus.missing(record, typical=typical, gold_given=gold_given)))
    return sorted(told, key=lambda pair: (len(pair[1]), -(pair[0].measured.theta if pair[0].measured else 0)))


def _gold_alert(project: Project, person: User, one: Quality, *, fails: bool) -> None:
    """Somebody whom the policy would pause for their gold, where pauses are left to people, is told of.

    Not somebody whom a person has restored knowing it.
    """
    if fails and any(flag.kind == "gold" for flag in one.flags):
        figures = {"right": one.row.gold_right, "answered": one.row.gold}
        alerting.raise_alert(project, Alert.Kind.GOLD, person, figures)
    else:
        alerting.end(project, Alert.Kind.GOLD, person)


def _measured(given: PairVotes, ids: Sequence[int]) -> tuple[dict[int, Measured], dict[int, Flag]]:
    """Reliability of everybody, and who is flagged by it, by place in `ids`."""
    if not len(given.votes):
        return {}, {}
    learned = competence.competence(given.votes).learned
    found: Reliability = reliability(given.votes, learned)
    place_of = {pk: place for place, pk in enumerate(ids)}
    annotators = given.annotator.tolist()
    measured = {
        pk: Measured(
            theta=float(found.theta[number]),
            low=float(found.low[number]),
            high=float(found.high[number]),
            votes=int(found.votes[number]),
            side=float(learned.side[number]),
        )
        for number, pk in enumerate(annotators)
        if found.votes[number]
    }
    guessing = {place_of[annotators[number]]: flag for number, flag in signs.guesses(found).items()}
    return measured, guessing


def _triads(project: Project, ids: Sequence[int]) -> list[tuple[int, int]]:
    """(triads, circular ones) of each; of rankings and ratings none, which cannot be circular."""
    if project.kind != Project.Kind.PAIRWISE:
        return [(0, 0)] * len(ids)
    rows = habit_selectors.compared(project)
    both = rows["annotator_id"] * (rows["prompt_id"].max(initial=0) + 1) + rows["prompt_id"]
    _, group, size = np.unique(both, return_inverse=True, return_counts=True)
    enough = size[group] >= FEWEST_OF_A_TRIAD
    people, annotator = np.unique(rows["annotator_id"][enough], return_inverse=True)
    found = patterns.triads(
        annotator,
        *(rows[name][enough] for name in ("prompt_id", "first", "second", "lead")),
        annotators=len(people),
    )
    counted = dict(
        zip(people.tolist(), zip(found.judged.tolist(), found.circular.tolist(), strict=True), strict=True)
    )
    return [counted.get(pk, (0, 0)) for pk in ids]
