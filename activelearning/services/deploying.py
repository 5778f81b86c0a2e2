"""Deployment prompts: what the policy will be asked. They say for whom the model is to be good.

They have no responses and are never judged; a prompt of the pool weighs in the choice of pairs by how much
it is like them (`aiming`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, BinaryIO

from django.db import transaction

from accounts.models import User
from accounts.services import audit
from activelearning.models import DeploymentPrompt
from annotation.interchange.byte_lines import TooLong, UnreadableFileError, byte_lines
from annotation.interchange.fields import shown
from annotation.interchange.records import Message, prompt_key
from annotation.interchange.rows import as_prompt
from annotation.interchange.strict_json import RowFaultError, parse
from annotation.models.project import Project

LONGEST_LINE = 16 << 20  # bytes
MOST_EXPANSION = 200  # of a gzip file
MOST_ERRORS = 100  # that are told one by one
CHUNK = 1_000


@dataclass(frozen=True)
class BadPrompt:
    line: int  # of the file, or the place in the list, from 1
    message: str


class InvalidPrompts(ValueError):
    """Nothing was added; the message names the first bad line."""

    def __init__(self, errors: list[BadPrompt], total: int) -> None:
        more = f", and {total - 1} more are bad" if total > 1 else ""
        super().__init__(f"Line {errors[0].line}: {errors[0].message}{more}. Nothing was added.")
        self.errors, self.total = errors, total


@dataclass(frozen=True)
class Added:
    """read: prompts given; added: those that are new; total: how many the project has now."""

    read: int
    added: int
    total: int


@dataclass
class _Faults:
    errors: list[BadPrompt] = field(default_factory=list)
    total: int = 0

    def note(self, line: int, message: str) -> None:
        self.total += 1
        if len(self.errors) < MOST_ERRORS:
            self.errors.append(BadPrompt(line, message))


@transaction.atomic
def add_prompts(*, project: Project, prompts: Iterable[object], actor: User | None = None) -> Added:
    """Add texts or conversations, lists of turns with role and content, of which the project has none alike.

    All or nothing: raises `InvalidPrompts` with every bad one by its place. Adding the same again adds none.
    """
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)  # two imports take turns
    faults, read, added = _Faults(), 0, 0
    checked = _checked(prompts, faults)
    while rows := list(islice(checked, CHUNK)):
        read += len(rows)
        if not faults.total:
            added += _add(project, rows)
    if faults.total:
        raise InvalidPrompts(faults.errors, faults.total)
    total = project.deployment_prompts.count()
    detail = {"read": read, "added": added, "total": total}
    audit.record(actor=actor, project=project, action="deployment prompts", detail=detail)
    return Added(**detail)


def add_file(*, project: Project, stream: BinaryIO, actor: User | None = None) -> Added:
    """Add a prompt a line, JSON Lines, plain or gzip: a text, a list of turns, or an object with `prompt`,
    whose other fields are left alone. Raises as `add_prompts`."""
    return add_prompts(project=project, prompts=_Lines(stream), actor=actor)


@transaction.atomic
def clear(*, project: Project, actor: User | None = None) -> int:
    """Take all of them out; how many there were. Pairs are then chosen for the pool as it is."""
    removed, _ = project.deployment_prompts.all().delete()
    if removed:
        audit.record(actor=actor, project=project, action="deployment prompts", detail={"removed": removed})
    return removed


@dataclass(frozen=True)
class _Lines:
    """The lines of a file, each as bytes, empty ones too: so that places are numbers of lines."""

    stream: BinaryIO

    def __iter__(self) -> Iterator[bytes | TooLong]:
        lines = byte_lines(self.stream, max_line_bytes=LONGEST_LINE, max_expansion=MOST_EXPANSION)
        number = 0
        try:
            for place, line in lines:
                number = place
                yield line
        except UnreadableFileError as error:
            raise InvalidPrompts([BadPrompt(number + 1, str(error))], 1) from error


def _checked(prompts: Iterable[object], faults: _Faults) -> Iterator[tuple[Message, ...]]:
    for place, given in enumerate(prompts, start=1):
        if isinstance(given, bytes) and not given.strip():
            continue
        try:
            yield as_prompt(_value(given))
        except RowFaultError as error:
            faults.note(place, str(error))


def _value(given: object) -> object:
    if isinstance(given, TooLong):
        raise RowFaultError(f"is {given.number_of_bytes:,} bytes long; at most {LONGEST_LINE:,} are read")
    if not isinstance(given, bytes):
        return given
    value: Any = parse(given.strip())
    if isinstance(value, dict):
        if "prompt" not in value:
            raise RowFaultError(f"has no prompt, got {shown(value)}")
        return value["prompt"]
    return value


def _add(project: Project, rows: Iterable[tuple[Message, ...]]) -> int:
    """How many of these were new."""
    by_key = {prompt_key(messages): messages for messages in rows}
    known = set(project.deployment_prompts.filter(key__in=by_key).values_list("key", flat=True))
    fresh = [
        DeploymentPrompt(
            project=project,
            key=key,
            messages=[{"role": turn.role, "content": turn.content} for turn in messages],
        )
        for key, messages in by_key.items()
        if key not in known
    ]
    DeploymentPrompt.objects.bulk_create(fresh)
    return len(fresh)
