"""The answers of a snapshot: what each person said of each item, before anything was aggregated.

Rankings, ratings and strengths of preference have a likelihood of their own; their pairs say less than they
do. One row is one person's answer to one item on one criterion, in canonical order.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

import pyarrow as pa

from annotation.interchange.records import CHOICES, KINDS, Kind
from annotation.interchange.snapshot_rows import SnapshotError
from annotation.interchange.sorted_rows import Row

ANSWER_SCHEMA = pa.schema(
    [
        *(
            pa.field(name, pa.string(), nullable=False)
            for name in ("prompt_id", "item_id", "annotator", "criterion", "kind")
        ),
        pa.field("responses", pa.list_(pa.string()), nullable=False),
        pa.field("choice", pa.string()),
        pa.field("strength", pa.int8()),
        pa.field("ranks", pa.list_(pa.int16())),
        pa.field("ratings", pa.list_(pa.int16())),
        pa.field("points", pa.int16()),
        pa.field("weight", pa.float64(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """Exactly one of `choice`, `ranks` and `ratings` is set.

    annotator  who: the same word for the same person within a project, and nothing else about them
    strength   1 (slightly) to 3 (much better), beside the choice of a side
    ranks      one per response, 1 = best, ties equal
    ratings    one per response, 1 … points
    weight     for how many votes it counts: the annotator's reliability, times that of an expert's decision
    """

    prompt_id: str
    item_id: str
    annotator: str
    criterion: str
    kind: Kind
    responses: Sequence[str]
    choice: str | None
    strength: int | None
    ranks: Sequence[int] | None
    ratings: Sequence[int] | None
    points: int | None
    weight: float


class SplitAnswer(NamedTuple):
    """An answer as a snapshot holds it: with its split."""

    answer: AnswerRow
    split: str


answer_values = attrgetter(*AnswerRow.__slots__)


def checked_answers(
    rows: Iterable[Row], criteria: frozenset[str], prompt_of: Mapping[str, str], splits: Mapping[str, str]
) -> Iterator[Row]:
    """Pass sorted answer rows through with their split. An answer of a prompt without any pair is a fault of
    the caller: its items compare nothing.

    Raises SnapshotError on a row that contradicts itself or the responses.
    """
    before: tuple[str, ...] = ()
    for row in rows:
        answer = AnswerRow(*row)
        key = (answer.item_id, answer.annotator, answer.criterion)
        if key == before:
            raise SnapshotError(f"{_named(answer)} is given twice: give the one that stands")
        before = key
        _check_shape(answer, criteria)
        _check_answer(answer)
        if strangers := [one for one in answer.responses if prompt_of.get(one) != answer.prompt_id]:
            raise SnapshotError(f"{_named(answer)} names the response {strangers[0]!r} of another prompt")
        if answer.prompt_id not in splits:
            raise SnapshotError(f"{_named(answer)} is of a prompt without a preference: leave it out")
        yield (*row, splits[answer.prompt_id])


def _check_shape(answer: AnswerRow, criteria: frozenset[str]) -> None:
    if answer.kind not in KINDS:
        raise SnapshotError(f"{_named(answer)}: its kind is none of {', '.join(KINDS)}")
    if answer.criterion not in criteria:
        raise SnapshotError(f"{_named(answer)}: the criterion is none of {sorted(criteria)}")
    if len(set(answer.responses)) != len(answer.responses) or not answer.responses:
        raise SnapshotError(f"{_named(answer)} has no responses, or one of them twice")
    if not (math.isfinite(answer.weight) and answer.weight >= 0):
        raise SnapshotError(f"{_named(answer)} weighs {answer.weight}: it must be a number of votes")


def _check_answer(answer: AnswerRow) -> None:
    said = [value for value in (answer.choice, answer.ranks, answer.ratings) if value is not None]
    if len(said) != 1:
        raise SnapshotError(f"{_named(answer)} must say one of choice, ranks and ratings")
    if answer.choice is not None:
        if answer.choice not in CHOICES or len(answer.responses) != 2:
            raise SnapshotError(f"{_named(answer)}: {answer.choice!r} is no choice between two responses")
        if answer.strength is not None and answer.choice not in ("a", "b"):
            raise SnapshotError(f"{_named(answer)} has a strength and prefers neither")
        return
    numbers = answer.ranks if answer.ranks is not None else answer.ratings or ()
    most = len(answer.responses) if answer.ranks is not None else answer.points
    if most is None:
        raise SnapshotError(f"{_named(answer)} has ratings without the points of their scale")
    if len(numbers) != len(answer.responses) or not all(1 <= number <= most for number in numbers):
        raise SnapshotError(
            f"{_named(answer)}: {list(numbers)} is not one number of 1 to {most} per response"
        )


def _named(answer: AnswerRow) -> str:
    return f"the answer of {answer.annotator!r} to item {answer.item_id!r} on {answer.criterion!r}"
