"""Whose answers deserve a second look, and on what evidence.

Four signs, each with its own test. Gold answers are the primary one; the others say where to look, never that
somebody is careless.

gold    θ ~ Beta(1 + right, 1 + wrong). "fails" if P(θ < bar) ≥ .95; "passes" if the 5 % quantile of θ ≥ bar.
        Between the two, Wald's sequential test of θ = p1 against θ = p0 says "weak" once its log-likelihood
        ratio reaches log((1 − β)/α): more like somebody careless than like somebody careful.
side    z = (left − np)/√(np(1 − p)) over n ≥ 20 answers with one best response, p the share that chance puts
        first: ½ of two; two-sided, false discoveries held at 5 % over all annotators (Benjamini & Hochberg
        1995). Shares nearer to p than `SIDE_MATTERS` are no flag however many answers prove them.
fast    robust z of log median seconds, (x − median)/(1.4826 · MAD), flagged at ≤ −3.5 (Iglewicz & Hoaglin
        1993). The spread is never taken below `LEAST_SPREAD`: whoever is flagged needs less than half the
        typical time.
same    one choice in 95 % or more of at least 20 answers.

Sources: Wald (1945) for the sequential test; the thresholds are those of the project's quality policy.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

Standing = Literal["none", "open", "passes", "weak", "fails"]
Kind = Literal[
    "gold", "weak", "guesses", "left", "right", "first", "later", "fast", "same", "run", "unlike", "round"
]

BAR = 0.60
CERTAINTY = 0.95

P0, P1 = 0.85, 0.60  # gold accuracy of somebody careful, of somebody who is not
ALPHA, BETA = 0.05, 0.10
STEP_RIGHT = math.log(P1 / P0)
STEP_WRONG = math.log((1 - P1) / (1 - P0))
UPPER = math.log((1 - BETA) / ALPHA)
LOWER = math.log(BETA / (1 - ALPHA))

LEAST_ANSWERS = 20
FALSE_DISCOVERY = 0.05
SIDE_MATTERS = 0.05
FAST_Z = -3.5
LEAST_SPREAD = 0.2  # of log seconds
LEAST_PEOPLE = 5  # below it nobody knows what a typical pace is
SAME_SHARE = 0.95


class FlagError(ValueError):
    """A count or a threshold is out of range."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one annotator.

    gold, gold_right: gold answers, and those that agree with the expert. sided, chose_left: answers with one
    best response whose place on the screen is known, and those where it was shown first; chance: the share
    of these without any bias; ordered: it is a ranking or rating, not a left and a right. seconds: median
    over `timed` answers, None where nobody measured. choices: how often each choice was given.
    """

    gold: int = 0
    gold_right: int = 0
    sided: int = 0
    chose_left: int = 0
    chance: float = 0.5
    ordered: bool = False
    timed: int = 0
    seconds: float | None = None
    choices: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Flag:
    """One sign: value is a share (gold accuracy, left share, share of one answer) or seconds, of n answers.

    strength: P(θ < bar) for gold, the log-likelihood ratio for weak, z for side and fast, the share for one
    answer. chance: of a side, the share to be expected.
    """

    kind: Kind
    value: float
    n: int
    strength: float
    chance: float = 0.5


@dataclass(frozen=True, slots=True)
class Assessment:
    standing: Standing
    flags: tuple[Flag, ...]


def assess(records: Sequence[Record], *, bar: float = BAR) -> list[Assessment]:
    """The standing on gold and the flags of each annotator, in the order given."""
    side = _side_flags(records)
    fast = _fast_flags(records)
    found = []
    for place, record in enumerate(records):
        right, wrong = record.gold_right, record.gold - record.gold_right
        standing = gold_standing(right, wrong, bar=bar)
        flags = [
            _gold_flag(standing, right, wrong, bar),
            side.get(place),
            fast.get(place),
            _same_flag(record),
        ]
        found.append(Assessment(standing, tuple(flag for flag in flags if flag is not None)))
    return found


def gold_standing(right: int, wrong: int, *, bar: float = BAR) -> Standing:
    """Where the gold answers put somebody: none given, open, passes, weak, fails."""
    if right + wrong == 0:
        return "none"
    if chance_below(bar, right, wrong) >= CERTAINTY:
        return "fails"
    if lower_bound(right, wrong) >= bar:
        return "passes"
    return "weak" if sequential_score(right, wrong) >= UPPER else "open"


def chance_below(bar: float, right: int, wrong: int) -> float:
    """P(θ < bar) for θ ~ Beta(1 + right, 1 + wrong)."""
    _check_counts(right, wrong)
    if not 0 < bar < 1:
        raise FlagError(f"the bar is {bar}; it is an accuracy between 0 and 1.")
    return float(special.betainc(1 + right, 1 + wrong, bar))


def lower_bound(right: int, wrong: int, *, quantile: float = 1 - CERTAINTY) -> float:
    """The quantile of θ ~ Beta(1 + right, 1 + wrong)."""
    _check_counts(right, wrong)
    return float(special.betaincinv(1 + right, 1 + wrong, quantile))


def sequential_score(right: int, wrong: int) -> float:
    """Wald's log-likelihood ratio of θ = P1 against θ = P0: ≥ UPPER says P1, ≤ LOWER says P0."""
    _check_counts(right, wrong)
    return right * STEP_RIGHT + wrong * STEP_WRONG


def side_z(chose_left: int, sided: int, chance: float = 0.5) -> float:
    """(left − np)/√(np(1 − p)): standard normal for somebody who does not mind the place."""
    return (chose_left - sided * chance) / math.sqrt(sided * chance * (1 - chance))


def discoveries(p_values: np.ndarray[tuple[int], np.dtype[np.float64]], rate: float) -> list[int]:
    """Places of the rejected hypotheses, false discovery rate held at `rate` (Benjamini & Hochberg)."""
    m = len(p_values)
    order = np.argsort(p_values)
    under = np.nonzero(p_values[order] <= rate * np.arange(1, m + 1) / m)[0] if m else np.zeros(0, np.int64)
    return sorted(order[: under[-1] + 1].tolist()) if under.size else []


def robust_z(
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(x − median)/(1.4826 · MAD), the spread floored at LEAST_SPREAD."""
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle))
    return np.asarray((values - middle) / max(float(spread), LEAST_SPREAD), dtype=np.float64)


def _gold_flag(standing: Standing, right: int, wrong: int, bar: float) -> Flag | None:
    n = right + wrong
    if standing == "fails":
        return Flag("gold", right / n, n, chance_below(bar, right, wrong))
    return Flag("weak", right / n, n, sequential_score(right, wrong)) if standing == "weak" else None


def _side_flags(records: Sequence[Record]) -> dict[int, Flag]:
    tested = [place for place, record in enumerate(records) if record.sided >= LEAST_ANSWERS]
    of = [records[place] for place in tested]
    z = np.array([side_z(record.chose_left, record.sided, record.chance) for record in of])
    found = {}
    for number in discoveries(special.erfc(np.abs(z) / math.sqrt(2)), FALSE_DISCOVERY):
        record = of[number]
        share = record.chose_left / record.sided
        if abs(share - record.chance) >= SIDE_MATTERS:
            kind = _side(record, more=share > record.chance)
            found[tested[number]] = Flag(kind, share, record.sided, float(z[number]), record.chance)
    return found


def _side(record: Record, *, more: bool) -> Kind:
    if record.ordered:
        return "first" if more else "later"
    return "left" if more else "right"


def _fast_flags(records: Sequence[Record]) -> dict[int, Flag]:
    timed = [
        (place, record.seconds)
        for place, record in enumerate(records)
        if record.seconds is not None and record.seconds > 0 and record.timed >= LEAST_ANSWERS
    ]
    if len(timed) < LEAST_PEOPLE:
        return {}
    z = robust_z(np.log([seconds for _, seconds in timed]))
    return {
        place: Flag("fast", seconds, records[place].timed, float(score))
        for (place, seconds), score in zip(timed, z, strict=True)
        if score <= FAST_Z
    }


def _same_flag(record: Record) -> Flag | None:
    n = sum(record.choices)
    if n < LEAST_ANSWERS:
        return None
    share = max(record.choices) / n
    return Flag("same", share, n, share) if share >= SAME_SHARE else None


def _check_counts(right: int, wrong: int) -> None:
    if right < 0 or wrong < 0:
        raise FlagError(f"{right} right and {wrong} wrong gold answers: counts are zero or more.")
