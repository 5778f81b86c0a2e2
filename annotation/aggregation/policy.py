"""What follows from the flags of an annotator: nothing, a closer look, or a pause.

    pause    failed gold; or signs of two independent kinds (`signs`)
    watch    any other flag: more gold for them, and a place in the reviewers' list
    none     no flag

One weak sign never pauses anybody. Somebody whom a person has restored is paused again on gold they answered
since, and on nothing else: the decision was made knowing the rest.

Source: the project's quality policy (gold is the primary signal, reliability the second; timing, position and
entropy only raise the gold rate or queue a review).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from annotation.aggregation.flags import Flag, Kind, gold_standing

Step = Literal["none", "watch", "pause"]

KINDS_OF_SIGN: Final[dict[Kind, str]] = {
    "gold": "gold",
    "weak": "gold",
    "guesses": "content",
    "left": "habit",
    "right": "habit",
    "first": "habit",
    "later": "habit",
    "fast": "pace",
    "same": "habit",
    "run": "habit",
    "unlike": "logic",
    "round": "logic",
}
WATCHED_RATE: Final = 0.2  # of gold for somebody watched, at least, and twice the project's


@dataclass(frozen=True, slots=True)
class Decision:
    """step, and the flags it rests on."""

    step: Step
    flags: tuple[Flag, ...] = ()


def decide(
    flags: Sequence[Flag], *, restored: bool = False, gold_since: tuple[int, int] = (0, 0)
) -> Decision:
    """gold_since: (right, wrong) answers to gold since somebody was restored."""
    if not flags:
        return Decision("none")
    if restored:
        failed = gold_standing(*gold_since) == "fails"
    else:
        failed = any(flag.kind == "gold" for flag in flags) or len(signs(flags)) >= 2
    return Decision("pause" if failed else "watch", tuple(flags))


def signs(flags: Sequence[Flag]) -> set[str]:
    """The independent kinds of sign among the flags: for a careful person one by chance brings no other.

    Who favours a side or an answer has long runs, gives one answer often, says the opposite when the order is
    reversed, and makes circles: all that is one habit.
    """
    kinds = {KINDS_OF_SIGN[flag.kind] for flag in flags}
    return kinds - {"logic"} if "habit" in kinds else kinds


def watched_rate(project_rate: float) -> float:
    """The share of gold for somebody who is watched."""
    return min(1.0, max(WATCHED_RATE, 2 * project_rate))
