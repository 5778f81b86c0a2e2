"""The form every question is answered in, whatever the page: judging, practice, gold.

Field names, for criterion number c (0 is the first) and response p as it is shown (0 is the leftmost):

    pairwise    choice-c    a, b, tie or both_bad; with a strength scale a-1, a-2, a-3, b-1, b-2, b-3
    ranking     rank-c-p    1 is best; equal ranks tie
    rating      rating-c-p  1 to the question's points
    all kinds   reasons (several), comment, spans (a JSON list), seconds

Everything is in display terms; `annotation.answering.answer.to_canonical` turns it round.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from annotation.answering.answer import Answer, Question, to_display
from annotation.answering.spans import reordered
from annotation.models.work import Judgment
from annotation.services import judging


@dataclass(frozen=True)
class Entered:
    """What somebody has entered so far, in display terms; any part of it may still be missing."""

    answers: Mapping[str, Answer] = field(default_factory=dict)  # by criterion; only what is complete
    fields: Mapping[str, str] = field(default_factory=dict)  # the answer fields as the form holds them
    reasons: tuple[str, ...] = ()
    comment: str = ""
    spans: tuple[Mapping[str, Any], ...] = ()
    seconds: float | None = None


def read(data: QueryDict, question: Question, responses: int) -> Entered:
    """What a POST says. Never raises: what is missing or no number is left out, the service objects to it."""
    fields = {name: clean(data, name) for name in field_names(question, responses) if clean(data, name)}
    return Entered(
        answers=_answers(fields, question, responses),
        fields=fields,
        reasons=tuple(data.getlist("reasons")),
        comment=clean(data, "comment"),
        spans=_spans(data),
        seconds=_seconds(data),
    )


def from_draft(body: Mapping[str, Any], question: Question, responses: int) -> Entered:
    """What `as_draft` kept."""
    data = QueryDict(mutable=True)
    for name, values in body.items():
        data.setlist(name, [str(value) for value in (values if isinstance(values, list) else [values])])
    return read(data, question, responses)


def as_draft(data: QueryDict, question: Question, responses: int) -> dict[str, list[str]]:
    """The parts of a POST that a draft keeps, as plain JSON."""
    names = [*field_names(question, responses), "reasons", "comment", "spans"]
    return {name: data.getlist(name) for name in names if any(data.getlist(name))}


def from_judgment(judgment: Judgment, question: Question) -> Entered:
    """A stored judgment as its annotator entered it."""
    order = judgment.display_order or []
    back = sorted(range(len(order)), key=lambda shown: order[shown])
    answers = {answer.criterion: answer for answer in judging.as_shown(judgment)}
    return Entered(
        answers=answers,
        fields=_fields(answers, question),
        reasons=tuple(judgment.reasons),
        comment=judgment.comment,
        spans=tuple(reordered(judgment.spans, back)),
        seconds=judgment.seconds,
    )


def from_canonical(answers: Mapping[str, Answer], question: Question, display_order: list[int]) -> Entered:
    """Canonical answers, a gold answer for instance, as a screen with this display order shows them."""
    shown = {name: to_display(answer, display_order) for name, answer in answers.items()}
    return Entered(answers=shown, fields=_fields(shown, question))


def field_names(question: Question, responses: int) -> list[str]:
    """The answer fields of a question about so many responses."""
    criteria = range(len(question.criteria))
    if question.kind == "pairwise":
        return [f"choice-{c}" for c in criteria]
    name = "rank" if question.kind == "ranking" else "rating"
    return [f"{name}-{c}-{p}" for c in criteria for p in range(responses)]


def clean(data: QueryDict, name: str) -> str:
    return str(data.get(name, "")).replace("\x00", "").strip()


def _answers(fields: Mapping[str, str], question: Question, responses: int) -> dict[str, Answer]:
    found = {}
    for c, criterion in enumerate(question.criteria):
        answer = _answer(fields, question, responses, c, criterion)
        if answer is not None:
            found[criterion] = answer
    return found


def _answer(
    fields: Mapping[str, str], question: Question, responses: int, c: int, criterion: str
) -> Answer | None:
    if question.kind == "pairwise":
        choice, _, strength = fields.get(f"choice-{c}", "").partition("-")
        return Answer(criterion, choice, _number(strength)) if choice else None
    name = "rank" if question.kind == "ranking" else "rating"
    numbers = [_number(fields.get(f"{name}-{c}-{p}", "")) for p in range(responses)]
    whole = tuple(number for number in numbers if number is not None)
    if len(whole) < responses:
        return None
    return Answer(criterion, ranks=whole) if question.kind == "ranking" else Answer(criterion, ratings=whole)


def _fields(answers: Mapping[str, Answer], question: Question) -> dict[str, str]:
    fields = {}
    for c, criterion in enumerate(question.criteria):
        answer = answers.get(criterion)
        if answer is None:
            continue
        if answer.choice:
            fields[f"choice-{c}"] = answer.choice + (f"-{answer.strength}" if answer.strength else "")
        for p, rank in enumerate(answer.ranks or ()):
            fields[f"rank-{c}-{p}"] = str(rank)
        for p, rating in enumerate(answer.ratings or ()):
            fields[f"rating-{c}-{p}"] = str(rating)
    return fields


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else None


def _spans(data: QueryDict) -> tuple[Any, ...]:
    try:
        found = json.loads(data.get("spans") or "[]")
    except (ValueError, RecursionError):
        return ()
    return tuple(found) if isinstance(found, list) else ()


def _seconds(data: QueryDict) -> float | None:
    """What the browser measured; the service caps it by the server's own clock."""
    try:
        seconds = float(data.get("seconds", ""))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
