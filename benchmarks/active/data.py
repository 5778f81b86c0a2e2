"""Votes on pairs from a file: UKPConvArg1's, PandaLM's or Laurel's own import format."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

KNOWN = "UKPConvArg1's and PandaLM's files and Laurel's import format, as .jsonl, .jsonl.gz or .json"


class Unreadable(ValueError):
    """The file is none of the known ones; the message says what was found."""


@dataclass(frozen=True)
class Votes:
    """responses: (prompt, id) -> text, in order; titles: prompt -> its text; counts: votes for (a, tie, b) of
    each pair of two responses to one prompt, a's id the lower one.
    """

    responses: dict[tuple[str, str], str]
    titles: dict[str, str]
    counts: dict[tuple[tuple[str, str], tuple[str, str]], np.ndarray]


def read(path: Path) -> Votes:
    """Lines that hold no vote are passed over. Raises Unreadable."""
    votes = Votes({}, {}, {})
    for prompt, title, given, vote in _pairs(path):
        votes.titles.setdefault(prompt, title)
        (a, text_a), (b, text_b) = given
        first, second = (prompt, a), (prompt, b)
        if first == second:
            continue
        votes.responses.setdefault(first, text_a)
        votes.responses.setdefault(second, text_b)
        if first > second:
            first, second, vote = second, first, vote[::-1]
        votes.counts[first, second] = votes.counts.get((first, second), np.zeros(3)) + vote
    if not votes.counts:
        raise Unreadable("it holds no votes on pairs")
    return votes


def half_of(votes: Votes, which: int) -> Votes:
    """What belongs to every other prompt, in the order of the hashes of their names: `which` is 1 or 2."""
    ordered = sorted(votes.titles, key=lambda prompt: hashlib.sha256(prompt.encode()).digest())
    kept = set(ordered[which - 1 :: 2])
    return Votes(
        {key: text for key, text in votes.responses.items() if key[0] in kept},
        {prompt: title for prompt, title in votes.titles.items() if prompt in kept},
        {pair: count for pair, count in votes.counts.items() if pair[0][0] in kept},
    )


Line = tuple[str, str, tuple[tuple[str, str], tuple[str, str]], np.ndarray]


def _pairs(path: Path) -> Iterator[Line]:
    for number, row in enumerate(_rows(path), start=1):
        try:
            found = _of_row(row)
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise Unreadable(f"row {number} lacks something or has it in another form ({error!r})") from error
        yield from found


def _of_row(row: dict[str, Any]) -> list[Line]:
    if "arg1" in row:
        return [_debate(row)]
    if "annotator1" in row:
        return [_pandalm(row)]
    if "responses" in row:
        return list(_laurel(row))
    raise Unreadable(f"a row with the keys {sorted(row)[:8]} is of no known kind")


def _rows(path: Path) -> Iterable[dict[str, Any]]:
    with (
        gzip.open(path, "rt", encoding="utf-8")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8") as file
    ):
        if path.name.removesuffix(".gz").endswith(".json"):
            yield from json.load(file)
        else:
            yield from (json.loads(line) for line in file if line.strip())


def _debate(row: dict[str, Any]) -> Line:
    cast = [vote["value"] for vote in row["votes"]]
    title = f"{row['title']}\nStance: {row['stance']}\nWhich argument is more convincing?"
    given = ((row["arg1_id"], row["arg1"]), (row["arg2_id"], row["arg2"]))
    return row["debate"], title, given, np.array([cast.count(v) for v in ("a1", "equal", "a2")], float)


def _pandalm(row: dict[str, Any]) -> Line:
    prompt = f"{row['instruction']}\n{row['input']}".strip()
    cast = [row[f"annotator{i}"] for i in (1, 2, 3)]
    given = ((f"{row['idx']}/1", str(row["response1"])), (f"{row['idx']}/2", str(row["response2"])))
    return prompt, prompt, given, np.array([cast.count(v) for v in (1, 0, 2)], float)


def _laurel(row: dict[str, Any]) -> Iterator[Line]:
    """Pairs as voted; a ranking or rating gives every pair of its responses."""
    prompt = row["prompt"]
    if not isinstance(prompt, str):
        prompt = "\n".join(str(turn["content"]) for turn in prompt)
    texts = [str(response["text"]) for response in row["responses"]]
    names = [str(response.get("id") or text) for response, text in zip(row["responses"], texts, strict=True)]
    for i, j in combinations(range(len(texts)), 2):
        count = np.zeros(3)
        for vote in row.get("votes") or []:
            outcome = _outcome(vote, i, j)
            if outcome is not None:
                count[outcome] += 1
        if count.any():
            yield prompt, prompt, ((names[i], texts[i]), (names[j], texts[j])), count


def _outcome(vote: dict[str, Any], i: int, j: int) -> int | None:
    """0 for response i, 2 for j, 1 for a tie; None where the vote does not say."""
    if "choice" in vote:
        return {"a": 0, "tie": 1, "both_bad": 1, "b": 2}[vote["choice"]] if (i, j) == (0, 1) else None
    if "ranks" in vote:
        return int(np.sign(vote["ranks"][i] - vote["ranks"][j])) + 1
    for given in (vote.get("ratings") or {}).values():
        return int(np.sign(given[j] - given[i])) + 1
    return None
