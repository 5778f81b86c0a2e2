"""Who has earned a bonus for agreement, for projects that pay people one.

Four things are asked, each with its own reason when it is missing:

    votes ≥ LEAST         on items that others judged too
    no flag               of any kind
    gold "passes"         accuracy surely above the bar; where nobody was given gold, this is not asked
    θ ≥ median θ          reliability, leave-one-out, as high as that of the typical annotator

Nobody is compared with themselves, and whoever sees things differently from most earns less by the last line:
pay by it where questions have an answer, not where tastes are asked for.
"""

from dataclasses import dataclass
from typing import Final, Literal

from annotation.aggregation.flags import Standing

LEAST: Final = 50

Missing = Literal["few votes", "flagged", "gold not passed", "below the typical reliability"]


@dataclass(frozen=True, slots=True)
class Record:
    """theta: None where nobody else judged what they did. gold: their standing on gold."""

    votes: int
    theta: float | None
    gold: Standing
    flagged: bool


def missing(record: Record, *, typical: float, gold_given: bool) -> tuple[Missing, ...]:
    """What keeps somebody from the bonus; nothing: it is earned.

    typical: the median θ of the project. gold_given: whether anybody in it has met gold.
    """
    found: list[Missing] = []
    if record.votes < LEAST:
        found.append("few votes")
    if record.flagged:
        found.append("flagged")
    if gold_given and record.gold != "passes":
        found.append("gold not passed")
    if record.theta is None or not record.theta >= typical:
        found.append("below the typical reliability")
    return tuple(found)
