"""The Python half of an import: a record becomes rows of the staging tables, written by COPY."""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Sequence
from typing import Any

from django.db.backends.utils import CursorWrapper

from annotation.interchange.records import (
    ItemRecord,
    VoteRecord,
    item_key,
    prompt_json,
    prompt_key,
    response_keys,
)
from annotation.models.project import Project

MOST_PAIRED = 8  # a prompt with more responses is not paired out at once: the selection chooses its pairs

COLUMNS = {
    "stage_prompt": ("line", "key", "messages"),
    "stage_response": ("line", "prompt_key", "key", "external_id", "text", "model", "metadata"),
    "stage_item": (
        "line", "key", "prompt_key", "external_id", "response_keys", "response_set", "metadata",
        "gold_choice", "gold_reason",
    ),
    "stage_judgment": (
        "ref", "line", "item_key", "username", "display_name", "idempotency_key", "body_hash", "comment",
        "seconds", "at",
    ),
    "stage_answer": ("ref", "line", "criterion", "choice", "strength", "ranks", "ratings"),
}  # fmt: skip


class UnfitRow(ValueError):
    """A row that is well formed but does not fit this project; the message says why."""


def work_items(project: Project, record: ItemRecord) -> list[ItemRecord]:
    """The items one line stands for.

    One line is one item; in a pairwise project a line of 3 to 8 responses stands for all its pairs, and a
    longer one for none yet: its pairs are candidates the selection chooses from. Raises `UnfitRow`.
    """
    kind = record.kind or project.kind
    if kind != project.kind:
        raise UnfitRow(
            f"a {kind} item does not fit a {project.kind} project: leave it out or use another project"
        )
    _check_criteria(project, record)
    if kind != Project.Kind.PAIRWISE or len(record.responses) == 2:
        return [record]
    if record.votes or record.gold:
        raise UnfitRow(
            f"votes and gold need exactly 2 responses in a pairwise project, got {len(record.responses)}: "
            "write one line per pair"
        )
    if len(record.responses) > MOST_PAIRED:
        return []
    return [_pair(record, i, j) for i, j in itertools.combinations(range(len(record.responses)), 2)]


def _pair(record: ItemRecord, i: int, j: int) -> ItemRecord:
    name = None if record.id is None else f"{record.id}#{i + 1}-{j + 1}"
    return dataclasses.replace(record, id=name, responses=(record.responses[i], record.responses[j]))


def _check_criteria(project: Project, record: ItemRecord) -> None:
    for vote in record.votes:
        for criterion in vote.criteria:
            if criterion not in project.criterion_names:
                raise UnfitRow(
                    f"vote of {vote.annotator}: the project has no criterion “{criterion}”, "
                    f"only {', '.join(project.criterion_names)}"
                )


class Staging:
    """Rows waiting for the next COPY. Prompts and responses seen before in the file are not staged again."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in COLUMNS}
        self.seen: dict[str, str] = {}  # key -> digest of what it stood for
        self.refs = itertools.count(1)

    def add(self, record: ItemRecord, items: Sequence[ItemRecord]) -> None:
        of_prompt = prompt_key(record.prompt)
        if self._is_new(of_prompt, ""):
            self.rows["stage_prompt"].append((record.line, of_prompt, prompt_json(record.prompt)))
        for key, response in zip(response_keys(record), record.responses, strict=True):
            if self._is_new(key, response.text):
                self.rows["stage_response"].append(
                    (record.line, of_prompt, key, response.id or "", response.text, response.model or "",
                     _json(response.metadata))
                )  # fmt: skip
        for item in items:
            self._add_item(item, of_prompt)

    def flush(self, cursor: CursorWrapper) -> None:
        """COPY what waits into the staging tables."""
        for table, rows in self.rows.items():
            if rows:
                columns = ", ".join(COLUMNS[table])
                with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
                rows.clear()

    def _is_new(self, key: str, text: str) -> bool:
        """False when this key was staged with this text; another text is staged, so that SQL can object."""
        digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        if self.seen.get(key) == digest:
            return False
        self.seen[key] = digest
        return True

    def _add_item(self, item: ItemRecord, of_prompt: str) -> None:
        keys = list(response_keys(item))
        key = item_key(item)
        gold = item.gold
        self.rows["stage_item"].append(
            (item.line, key, of_prompt, item.id or "", keys, response_set(keys), _json(item.metadata),
             gold.choice if gold else None, (gold.reason or "") if gold else None)
        )  # fmt: skip
        by_annotator: dict[str, list[VoteRecord]] = {}
        for vote in item.votes:
            by_annotator.setdefault(vote.annotator, []).append(vote)
        for annotator, votes in by_annotator.items():
            self._add_judgment(item, key, annotator, votes)

    def _add_judgment(self, item: ItemRecord, key: str, annotator: str, votes: list[VoteRecord]) -> None:
        ref = next(self.refs)
        username = imported_username(self.project, annotator)
        answers = [answer for vote in votes for answer in _answers(vote)]
        comment = "\n".join(dict.fromkeys(vote.reason for vote in votes if vote.reason))
        seconds = [vote.seconds for vote in votes if vote.seconds is not None]
        moments = [vote.at for vote in votes if vote.at is not None]
        idempotency_key = "import:" + _digest([self.project.pk, key, username])
        self.rows["stage_judgment"].append(
            (ref, item.line, key, username, annotator[:200], idempotency_key, _digest([answers, comment]),
             comment, sum(seconds) if seconds else None, max(moments) if moments else None)
        )  # fmt: skip
        self.rows["stage_answer"].extend((ref, item.line, *answer) for answer in answers)


def response_set(keys: Sequence[str]) -> str:
    """Identity of a set of responses, whatever their order."""
    return _digest(sorted(keys))


def imported_username(project: Project, annotator: str) -> str:
    """The account name of somebody known only from a file: one per project and name, at most 150 long."""
    plain = f"{project.slug}/{annotator}"
    return plain if len(plain) <= 150 else f"{plain[:100]}…{_digest(plain)[:40]}"


def _answers(vote: VoteRecord) -> list[tuple[Any, ...]]:
    """(criterion, choice, strength, ranks, ratings) for every criterion the vote answers."""
    if vote.ratings is None:
        ranks = None if vote.ranks is None else list(vote.ranks)
        return [(vote.criterion, vote.choice or "", vote.strength, ranks, None)]
    return [(name, "", None, None, list(_whole(vote, values))) for name, values in vote.ratings.items()]


def _whole(vote: VoteRecord, values: Sequence[float]) -> Sequence[int]:
    if any(value != int(value) or value < 0 for value in values):
        raise UnfitRow(f"vote of {vote.annotator}: ratings must be whole numbers, got {list(values)}")
    return [int(value) for value in values]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()
