"""The ways of turning votes into labels, in words: their names, and what each assumes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from annotation.aggregation.comparing import Comparison
from annotation.charts import decimal
from annotation.models.project import Project

METHODS: Final[Mapping[str, tuple[Promise, Promise]]] = {
    Project.Aggregation.SHARES: (
        gettext_lazy("Vote shares"),
        gettext_lazy("Every vote counts the same; a label is how many chose each answer."),
    ),
    Project.Aggregation.COMPETENCE: (
        gettext_lazy("Competence"),
        gettext_lazy("Some look and some guess, perhaps to one side of the screen; guesses count little."),
    ),
    Project.Aggregation.DAWID_SKENE: (
        gettext_lazy("Dawid-Skene"),
        gettext_lazy("Everybody mistakes one answer for another in their own way."),
    ),
}


@dataclass(frozen=True)
class MethodRow:
    """gain: nats a vote that it foresees better than vote shares, with its interval; "" for shares."""

    name: Promise
    meaning: Promise
    log_likelihood: str
    gain: str
    used: bool
    best: bool


@dataclass(frozen=True)
class Methods:
    """votes: on which the comparison rests. best: another one than the project uses, or None."""

    rows: tuple[MethodRow, ...]
    votes: int
    best: Promise | None


def methods_of(project: Project, found: Comparison | None) -> Methods | None:
    """None while there are too few votes to compare."""
    if found is None:
        return None
    rows = tuple(
        MethodRow(
            name=METHODS[key][0],
            meaning=METHODS[key][1],
            log_likelihood=decimal(score.log_likelihood, 3),
            gain=_gain(score.gain, score.low, score.high),
            used=key == project.aggregation,
            best=key == found.best,
        )
        for key in METHODS
        if (score := found.scores.get(key)) is not None
    )
    votes = next(iter(found.scores.values())).votes
    return Methods(rows, votes, None if found.best == project.aggregation else METHODS[found.best][0])


def _gain(gain: float, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return ""
    sign = "+" if gain > 0 else ""
    return f"{sign}{decimal(gain, 3)} ({decimal(low, 3)}–{decimal(high, 3)})"
