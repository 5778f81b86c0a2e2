"""Judgments as JSON lines: what each person answered, in which order it was shown to them, and when.

One object a line; keys that hold nothing are left out. Answers are canonical: they follow `responses`, the
item's own order. `shown` lists the positions in that order as they stood on the screen, first to last;
`positions` is its inverse: where each response stood, 0 the first.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO


@dataclass(frozen=True, slots=True)
class JudgmentRow:
    """One judgment. `standing`: live, superseded, taken back or repeat; see docs/formats.md."""

    judgment: int
    item: str
    prompt: str
    annotator: str
    responses: Sequence[str]  # ids in the item's order
    answers: Sequence[Mapping[str, Any]]  # criterion with choice and strength, ranks or ratings
    source: str
    standing: str
    gold: bool
    repeat: bool
    judged_at: datetime
    shown: Sequence[int] | None = None
    reasons: Sequence[str] = ()
    comment: str = ""
    spans: Sequence[Mapping[str, Any]] = ()  # response, start, end, quote, reason
    seconds: float | None = None
    guideline_version: int | None = None
    supersedes: int | None = None

    def as_json(self) -> dict[str, Any]:
        shown = None if self.shown is None else list(self.shown)
        fields = {
            "judgment": self.judgment,
            "item": self.item,
            "prompt": self.prompt,
            "annotator": self.annotator,
            "responses": list(self.responses),
            "answers": [dict(answer) for answer in self.answers],
            "shown": shown,
            "positions": None if shown is None else sorted(range(len(shown)), key=lambda k: shown[k]),
            "reasons": list(self.reasons),
            "comment": self.comment,
            "spans": [dict(span) for span in self.spans],
            "seconds": self.seconds,
            "guideline_version": self.guideline_version,
            "source": self.source,
            "standing": self.standing,
            "gold": self.gold,
            "repeat": self.repeat,
            "supersedes": self.supersedes,
            "judged_at": self.judged_at.isoformat(),
        }
        return {name: value for name, value in fields.items() if value not in (None, "", [])}


def encode(row: JudgmentRow) -> bytes:
    """One line. Unicode's line separators are escaped for readers that split on them."""
    text = json.dumps(row.as_json(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "\x85\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode() + b"\n"


def write(rows: Iterable[JudgmentRow], stream: BinaryIO) -> int:
    """Write each row as it comes; how many there were."""
    count = 0
    for row in rows:
        stream.write(encode(row))
        count += 1
    return count
