"""The rows of a snapshot, their Parquet columns, and what must hold between them."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Literal, NamedTuple

import pyarrow as pa

from annotation.interchange.sorted_rows import Row

ORIGINS = frozenset({"imported", "random", "selected", "audit"})
PROBABILITY_TOLERANCE = 1e-6

RESPONSE_SCHEMA = pa.schema(
    [
        pa.field("prompt_id", pa.string(), nullable=False),
        pa.field("response_id", pa.string(), nullable=False),
        pa.field("prompt", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("model", pa.string()),
        pa.field("category", pa.string()),
    ]
)
PREFERENCE_SCHEMA = pa.schema(
    [
        *(
            pa.field(name, pa.string(), nullable=False)
            for name in ("pair_id", "prompt_id", "response_a", "response_b", "criterion")
        ),
        *(pa.field(name, pa.float64(), nullable=False) for name in ("p_a", "p_tie", "p_b")),
        pa.field("votes", pa.int64(), nullable=False),
        pa.field("effective_votes", pa.float64(), nullable=False),
        *(pa.field(name, pa.string(), nullable=False) for name in ("method", "origin", "split")),
    ]
)

Origin = Literal["imported", "random", "selected", "audit"]


class SnapshotError(ValueError):
    """The rows given to a snapshot contradict one another, or a folder is no snapshot."""


@dataclass(frozen=True, slots=True)
class ResponseRow:
    """One response. `prompt` is the conversation as `records.prompt_json` writes it."""

    prompt_id: str
    response_id: str
    prompt: str
    text: str
    model: str | None = None
    category: str | None = None  # of the prompt


@dataclass(frozen=True, slots=True)
class PreferenceRow:
    """The soft label of one pair on one criterion; p_a + p_tie + p_b = 1, a and b in canonical order."""

    pair_id: str
    prompt_id: str
    response_a: str
    response_b: str
    criterion: str
    p_a: float
    p_tie: float
    p_b: float
    votes: int
    effective_votes: float
    method: str
    origin: Origin


class SplitPreference(NamedTuple):
    """A preference as a snapshot holds it: with its split."""

    preference: PreferenceRow
    split: str


response_values = attrgetter(*ResponseRow.__slots__)
preference_values = attrgetter(*PreferenceRow.__slots__)


def checked_responses(rows: Iterable[Row], prompt_of: dict[str, str]) -> Iterator[Row]:
    """Pass sorted response rows through and note the prompt of each response in `prompt_of`."""
    prompt_id, prompt = "", None
    for row in rows:
        response_id = row[1]
        if response_id in prompt_of:
            raise SnapshotError(f"response id {response_id!r} is given twice: make response ids unique")
        if prompt is None or row[0] != prompt_id:
            prompt_id, prompt = row[0], row[2]
        elif row[2] != prompt:
            raise SnapshotError(f"prompt {prompt_id!r} has two texts: give each text its own id")
        prompt_of[response_id] = prompt_id
        yield row


@dataclass(slots=True)
class PreferenceCheck:
    """Checks sorted preference rows against the responses, adds their split and counts what passes."""

    criteria: frozenset[str]
    prompt_of: Mapping[str, str]
    splits: Mapping[str, str]
    pairs: Counter[str] = field(default_factory=Counter)
    votes: int = 0

    def passing(self, rows: Iterable[Row]) -> Iterator[Row]:
        seen: set[str] = set()
        before: PreferenceRow | None = None
        for row in rows:
            preference = PreferenceRow(*row)
            self._check_label(preference)
            self._check_responses(preference)
            split = self.splits[preference.prompt_id]
            if before is None or _pair(preference) != _pair(before):
                if preference.pair_id in seen:
                    raise SnapshotError(f"pair id {preference.pair_id!r} stands for pairs of two prompts")
                seen.add(preference.pair_id)
                self.pairs[split] += 1
            elif preference.criterion == before.criterion:
                raise SnapshotError(
                    f"pair {preference.pair_id!r} has two labels on {preference.criterion!r}: give one"
                )
            elif _sides(preference) != _sides(before):
                raise SnapshotError(f"pair {preference.pair_id!r} has other responses on another criterion")
            before = preference
            self.votes += preference.votes
            yield (*row, split)

    def _check_label(self, label: PreferenceRow) -> None:
        shares = (label.p_a, label.p_tie, label.p_b)
        if not all(0 <= share <= 1 for share in shares) or abs(sum(shares) - 1) > PROBABILITY_TOLERANCE:
            raise SnapshotError(f"pair {label.pair_id!r}: the shares {shares} must be 0 to 1 and sum to 1")
        if label.votes < 1 or not (math.isfinite(label.effective_votes) and label.effective_votes >= 0):
            raise SnapshotError(
                f"pair {label.pair_id!r}: {label.votes} votes, {label.effective_votes} effective;"
                " leave out pairs nobody judged"
            )
        if label.origin not in ORIGINS:
            raise SnapshotError(
                f"pair {label.pair_id!r}: origin {label.origin!r} is not in {sorted(ORIGINS)}"
            )
        if label.criterion not in self.criteria:
            raise SnapshotError(
                f"pair {label.pair_id!r}: criterion {label.criterion!r} is none of {sorted(self.criteria)}"
            )

    def _check_responses(self, preference: PreferenceRow) -> None:
        for response_id in _sides(preference):
            if self.prompt_of.get(response_id) != preference.prompt_id:
                raise SnapshotError(
                    f"pair {preference.pair_id!r} names response {response_id!r}, which prompt"
                    f" {preference.prompt_id!r} does not have: pass every response of a judged pair"
                )
        if preference.response_a == preference.response_b:
            raise SnapshotError(f"pair {preference.pair_id!r} compares {preference.response_a!r} with itself")


def _pair(preference: PreferenceRow) -> tuple[str, str]:
    return preference.prompt_id, preference.pair_id


def _sides(preference: PreferenceRow) -> tuple[str, str]:
    return preference.response_a, preference.response_b
