"""The Python half of an import: a record becomes rows of the staging tables, written by COPY."""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

from django.db.backends.utils import CursorWrapper

from annotation.answering.answer import MOST, Answer, InvalidAnswer
from annotation.answering.expert import checked_expert
from annotation.interchange.records import (
    DEFAULT_CRITERION,
    GoldRecord,
    ItemRecord,
    VoteRecord,
    item_key,
    prompt_json,
    prompt_key,
    response_keys,
)
from annotation.models.project import Project

MOST_PAIRED = 8  # a prompt with more responses is not paired out at once: the selection chooses its pairs
HIGHEST_RATING = 32_767
MOST_REMEMBERED = 100_000  # keys of prompts and responses that are not staged twice

COLUMNS = {
    "stage_line": ("line", "prompt_key", "response_keys"),
    "stage_prompt": ("line", "key", "messages"),
    "stage_response": ("line", "prompt_key", "key", "external_id", "text", "model", "metadata"),
    "stage_item": (
        "line", "key", "prompt_key", "external_id", "response_keys", "response_set", "metadata",
        "gold",
    ),
    "stage_gold": ("line", "item_key", "criterion", "choice", "ranks", "ratings", "reason"),
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
    for vote in record.votes:
        _check_vote(project, vote)
    if record.gold and (kind != Project.Kind.PAIRWISE or len(record.responses) == 2):
        expert_answers(project, record)
    if kind != Project.Kind.PAIRWISE:
        _check_unpaired(kind, record)
        return [record]
    if len(record.responses) == 2:
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


def _check_vote(project: Project, vote: VoteRecord) -> None:
    for criterion in vote.criteria:
        if criterion not in project.criterion_names:
            raise UnfitRow(
                f"vote of {vote.annotator}: the project has no criterion “{criterion}”, "
                f"only {', '.join(project.criterion_names)}"
            )
    for values in (vote.ratings or {}).values():
        if any(value != int(value) or not 0 <= value <= HIGHEST_RATING for value in values):
            raise UnfitRow(
                f"vote of {vote.annotator}: ratings must be whole numbers from 0 to {HIGHEST_RATING:,}, "
                f"got {list(values)}"
            )


def _check_unpaired(kind: str, record: ItemRecord) -> None:
    if len(record.responses) > MOST[kind]:
        raise UnfitRow(
            f"{len(record.responses):,} responses on one item: split it, a {kind} shows at most {MOST[kind]}"
        )


def expert_answers(project: Project, record: ItemRecord) -> list[tuple[Answer, str]]:
    """The gold answers of a line with their reasons, one per criterion. Raises `UnfitRow`."""
    given: list[Answer] = []
    reasons: dict[str, str] = {}
    for gold in record.gold:
        for name, answer in _gold_answers(project, gold):
            given.append(answer)
            reasons[name] = gold.reason or ""
    try:
        checked = checked_expert(given, project.question, len(record.responses))
    except InvalidAnswer as error:
        raise UnfitRow(f"gold: {error}") from error
    return [(answer, reasons[answer.criterion]) for answer in checked]


def _gold_answers(project: Project, gold: GoldRecord) -> Iterator[tuple[str, Answer]]:
    """A gold answer that names no criterion is about “overall” if the project has that, else the main one."""
    if gold.ratings is None:
        unnamed = gold.criterion == DEFAULT_CRITERION and DEFAULT_CRITERION not in project.criterion_names
        name = project.main_criterion if unnamed else gold.criterion
        yield name, Answer(name, choice=gold.choice or "", ranks=gold.ranks)
        return
    for name, values in gold.ratings.items():
        if any(value != int(value) for value in values):
            raise UnfitRow(f"gold: ratings must be whole numbers, got {list(values)}")
        yield name, Answer(name, ratings=tuple(int(value) for value in values))


class Staging:
    """Rows waiting for the next COPY.

    A prompt or response met again is not staged again; `stage_line` says which lines use it. What is
    remembered for that is bounded: staging one twice costs time, never correctness.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self.rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in COLUMNS}
        self.waiting = 0  # lines
        self.weight = 0  # characters of text
        self._seen: dict[bytes, bytes] = {}  # key -> digest of what it stood for
        self._refs = itertools.count(1)

    def add(self, record: ItemRecord, items: Sequence[ItemRecord]) -> None:
        of_prompt, keys = prompt_key(record.prompt), response_keys(record)
        self.waiting += 1
        self.rows["stage_line"].append((record.line, of_prompt, list(keys)))
        if self._is_new(of_prompt, ""):
            messages = prompt_json(record.prompt)
            self.weight += len(messages)
            self.rows["stage_prompt"].append((record.line, of_prompt, messages))
        for key, response in zip(keys, record.responses, strict=True):
            if self._is_new(key, response.text):
                metadata = _json(response.metadata)
                self.weight += len(response.text) + len(metadata)
                self.rows["stage_response"].append(
                    (record.line, of_prompt, key, response.id or "", response.text, response.model or "",
                     metadata)
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
        self.waiting = self.weight = 0

    def _is_new(self, key: str, text: str) -> bool:
        """False when this key was staged with this text; another text is staged, so that SQL can object."""
        short, digest = bytes.fromhex(key), hashlib.blake2b(text.encode(), digest_size=16).digest()
        if self._seen.get(short) == digest:
            return False
        if len(self._seen) >= MOST_REMEMBERED:
            self._seen.clear()
        self._seen[short] = digest
        return True

    def _add_item(self, item: ItemRecord, of_prompt: str) -> None:
        keys = list(response_keys(item))
        key = item_key(item)
        gold = expert_answers(self.project, item) if item.gold else []
        metadata = _json(item.metadata)
        self.weight += len(metadata)
        self.rows["stage_item"].append(
            (item.line, key, of_prompt, item.id or "", keys, response_set(keys), metadata,
             gold_text([answer for answer, _ in gold]))
        )  # fmt: skip
        self.rows["stage_gold"].extend(
            (item.line, key, answer.criterion, answer.choice, _listed(answer.ranks), _listed(answer.ratings),
             reason)
            for answer, reason in gold
        )  # fmt: skip
        by_annotator: dict[str, list[VoteRecord]] = {}
        for vote in item.votes:
            by_annotator.setdefault(vote.annotator, []).append(vote)
        for annotator, votes in by_annotator.items():
            self._add_judgment(item, key, annotator, votes)

    def _add_judgment(self, item: ItemRecord, key: str, annotator: str, votes: list[VoteRecord]) -> None:
        ref = next(self._refs)
        username = imported_username(self.project, annotator)
        answers = [answer for vote in votes for answer in _answers(vote)]
        comment = "\n".join(dict.fromkeys(vote.reason for vote in votes if vote.reason))
        self.weight += len(comment)
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


def gold_text(answers: Sequence[Answer]) -> str | None:
    """The answers as `import_merge` tells stored ones, to compare the two; None for none."""
    lines = [
        f"{answer.criterion}:{answer.choice}:{_array(answer.ranks)}:{_array(answer.ratings)}"
        for answer in sorted(answers, key=lambda answer: answer.criterion)
    ]
    return "\n".join(lines) or None


def imported_username(project: Project, annotator: str) -> str:
    """The account name of somebody known only from a file: one per project and name, at most 150 long."""
    plain = f"{project.slug}/{annotator}"
    return plain if len(plain) <= 150 else f"{plain[:100]}…{_digest(plain)[:40]}"


def _answers(vote: VoteRecord) -> list[tuple[Any, ...]]:
    """(criterion, choice, strength, ranks, ratings) for every criterion the vote answers."""
    if vote.ratings is None:
        ranks = None if vote.ranks is None else list(vote.ranks)
        return [(vote.criterion, vote.choice or "", vote.strength, ranks, None)]
    return [(name, "", None, None, [int(value) for value in values]) for name, values in vote.ratings.items()]


def _listed(numbers: tuple[int, ...] | None) -> list[int] | None:
    return None if numbers is None else list(numbers)


def _array(numbers: tuple[int, ...] | None) -> str:
    """As PostgreSQL prints an array."""
    return "" if numbers is None else f"{{{','.join(map(str, numbers))}}}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()
