"""Plain factories of snapshot rows and folders."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from annotation.interchange.records import Message, prompt_json
from annotation.interchange.snapshot import Manifest, write_snapshot
from annotation.interchange.snapshot_answers import AnswerRow
from annotation.interchange.snapshot_rows import PreferenceRow, ResponseRow

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def responses(prompts: int = 12, each: int = 2) -> list[ResponseRow]:
    return [
        ResponseRow(
            prompt_id=f"p{p:04}",
            response_id=f"p{p:04}-r{r}",
            prompt=prompt_json((Message("system", "Be kind."), Message("user", f"Question {p}?"))),
            text=f"Answer {r} to {p}",
            model="m" if r else None,
        )
        for p in range(prompts)
        for r in range(each)
    ]


def preference(prompt: int = 0, **changes: Any) -> PreferenceRow:
    row = PreferenceRow(
        pair_id=f"p{prompt:04}-0-1",
        prompt_id=f"p{prompt:04}",
        response_a=f"p{prompt:04}-r0",
        response_b=f"p{prompt:04}-r1",
        criterion="overall",
        p_a=0.6,
        p_tie=0.2,
        p_b=0.2,
        votes=5,
        effective_votes=4.5,
        method="shares",
        origin="imported",
    )
    return replace(row, **changes)


def preferences(prompts: int = 12) -> list[PreferenceRow]:
    return [preference(p) for p in range(prompts)]


def answer(prompt: int = 0, **changes: Any) -> AnswerRow:
    row = AnswerRow(
        prompt_id=f"p{prompt:04}",
        item_id=f"i{prompt:04}",
        annotator="annotator-1",
        criterion="overall",
        kind="pairwise",
        responses=[f"p{prompt:04}-r0", f"p{prompt:04}-r1"],
        choice="a",
        strength=2,
        ranks=None,
        ratings=None,
        points=None,
        weight=0.75,
    )
    return replace(row, **changes)


def snapshot(folder: Path, *, labels: Iterable[PreferenceRow] | None = None, **changes: Any) -> Manifest:
    options: dict[str, Any] = {
        "responses": responses(),
        "preferences": preferences() if labels is None else labels,
        "project": "debates",
        "kind": "pairwise",
        "criteria": ["overall"],
        "created_at": NOON,
        "split_seed": 7,
        "left_out": {"gold": 3, "flagged": 1},
        "guideline_version": 2,
    }
    return write_snapshot(folder, **(options | changes))
