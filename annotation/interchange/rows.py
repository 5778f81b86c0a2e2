"""From one parsed row to an ItemRecord: the fields of the import format and every rule they must keep."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from annotation.interchange.fields import (
    as_criterion,
    as_id,
    as_metadata,
    as_name,
    as_number,
    as_object,
    as_string,
    as_text,
    optional,
    required,
    shown,
)
from annotation.interchange.records import (
    CHOICES,
    DEFAULT_CRITERION,
    KINDS,
    Choice,
    GoldRecord,
    ItemRecord,
    Kind,
    Message,
    ResponseRecord,
    VoteRecord,
)
from annotation.interchange.strict_json import RowFaultError

ROLES = ("system", "user", "assistant")

_ITEM_KEYS = frozenset({"id", "prompt", "responses", "kind", "metadata", "gold", "votes"})
_RESPONSE_KEYS = frozenset({"id", "text", "model", "metadata"})
_MESSAGE_KEYS = frozenset({"role", "content"})
_GOLD_KEYS = frozenset({"choice", "ranks", "ratings", "criterion", "reason"})
_VOTE_KEYS = _GOLD_KEYS | {"annotator", "strength", "seconds", "at"}
_ANSWER_KEY: Mapping[Kind, str] = {"pairwise": "choice", "ranking": "ranks", "rating": "ratings"}


def item_from_row(row: object, *, line: int, kind: Kind | None = None) -> ItemRecord:
    """Check one row and make the record of it; `kind` is the project's, for rows that do not state one.

    null means the same as leaving an optional key out. Raises RowFaultError with the first fault found.
    """
    fields = as_object(row, "a row", _ITEM_KEYS)
    stated = optional(fields, "kind", "", _kind)
    responses = _responses(required(fields, "responses", ""))
    count = len(responses)
    expected = stated or kind
    if count < 2 and expected != "rating":
        raise RowFaultError(
            f"a {expected or 'pairwise or ranking'} item needs at least 2 responses, got {count}: add another"
        )
    gold = optional(fields, "gold", "", lambda value, where: _gold(value, where, count, expected))
    votes = optional(fields, "votes", "", lambda value, where: _votes(value, where, count, expected))
    return ItemRecord(
        prompt=as_prompt(required(fields, "prompt", "")),
        responses=responses,
        id=optional(fields, "id", "", as_id),
        kind=stated,
        metadata=optional(fields, "metadata", "", as_metadata) or {},
        gold=gold or (),
        votes=votes or (),
        line=line,
    )


def as_prompt(value: object) -> tuple[Message, ...]:
    """A text, or the messages of a conversation that ends with the user's. Raises RowFaultError."""
    if isinstance(value, str):
        return (Message("user", as_text(value, "prompt")),)
    if not isinstance(value, list) or not value:
        raise RowFaultError(f"prompt must be text or a list of messages, got {shown(value)}")
    messages = []
    for index, turn in enumerate(value):
        where = f"prompt[{index}]"
        fields = as_object(turn, where, _MESSAGE_KEYS)
        role = required(fields, "role", where)
        if role not in ROLES:
            raise RowFaultError(f"{where}.role must be one of {', '.join(ROLES)}, got {shown(role)}")
        messages.append(Message(role, as_text(required(fields, "content", where), f"{where}.content")))
    if messages[-1].role != "user":
        raise RowFaultError(
            f"the prompt ends with a message of the {messages[-1].role}, but must end with the user's:"
            " move the assistant's last words to the start of each response"
        )
    return tuple(messages)


def _responses(value: object) -> tuple[ResponseRecord, ...]:
    if not isinstance(value, list) or not value:
        raise RowFaultError(f"responses must be a list of objects with a text, got {shown(value)}")
    responses = []
    seen: dict[tuple[str, ...], int] = {}
    for index, element in enumerate(value):
        where = f"responses[{index}]"
        fields = as_object(element, where, _RESPONSE_KEYS)
        response = ResponseRecord(
            text=as_text(required(fields, "text", where), f"{where}.text"),
            id=optional(fields, "id", where, as_id),
            model=optional(fields, "model", where, as_name),
            metadata=optional(fields, "metadata", where, as_metadata) or {},
        )
        identity = (response.id,) if response.id is not None else (response.text, response.model or "")
        if identity in seen:
            same = f"the id {shown(response.id)}" if response.id is not None else "its text and no id"
            raise RowFaultError(
                f"{where} has {same} like responses[{seen[identity]}]: give each response an id of its own"
            )
        seen[identity] = index
        responses.append(response)
    return tuple(responses)


def _votes(value: object, where: str, count: int, kind: Kind | None) -> tuple[VoteRecord, ...]:
    if not isinstance(value, list):
        raise RowFaultError(f"votes must be a list of objects, got {shown(value)}")
    votes = []
    seen: set[tuple[str, str]] = set()
    for index, element in enumerate(value):
        at = f"votes[{index}]"
        vote = _vote(element, at, count, kind)
        for criterion in vote.criteria:
            if (vote.annotator, criterion) in seen:
                raise RowFaultError(
                    f"{at} is a second vote of {shown(vote.annotator)} on {shown(criterion)}:"
                    " keep one vote per annotator and criterion"
                )
            seen.add((vote.annotator, criterion))
        votes.append(vote)
    return tuple(votes)


def _vote(value: object, where: str, count: int, kind: Kind | None) -> VoteRecord:
    fields = as_object(value, where, _VOTE_KEYS)
    annotator = as_name(required(fields, "annotator", where), f"{where}.annotator")
    answer = _answer(fields, where, count, kind)
    strength = optional(fields, "strength", where, _strength)
    if strength is not None and answer.choice not in ("a", "b"):
        raise RowFaultError(
            f"{where}.strength says how much better the chosen side is, but no side is chosen: leave it out"
        )
    return VoteRecord(
        annotator=annotator,
        criterion=answer.criterion,
        choice=answer.choice,
        strength=strength,
        ranks=answer.ranks,
        ratings=answer.ratings,
        reason=answer.reason,
        seconds=optional(fields, "seconds", where, _seconds),
        at=optional(fields, "at", where, _moment),
    )


def _gold(value: object, where: str, count: int, kind: Kind | None) -> tuple[GoldRecord, ...]:
    """One object, or a list of them with a criterion each."""
    if not isinstance(value, list):
        return (_answer(as_object(value, where, _GOLD_KEYS), where, count, kind),)
    found: list[GoldRecord] = []
    for index, element in enumerate(value):
        at = f"{where}[{index}]"
        found.append(_answer(as_object(element, at, _GOLD_KEYS), at, count, kind))
        for criterion in found[-1].criteria:
            if any(criterion in earlier.criteria for earlier in found[:-1]):
                raise RowFaultError(f"{at} answers {shown(criterion)} again: keep one answer per criterion")
    return tuple(found)


def _answer(fields: Mapping[str, Any], where: str, count: int, kind: Kind | None) -> GoldRecord:
    """The part that votes and gold answers share: one answer of the right kind, its criterion and reason."""
    given = [key for key in _ANSWER_KEY.values() if fields.get(key) is not None]
    if len(given) != 1:
        raise RowFaultError(
            f"{where} needs exactly one of choice, ranks and ratings, got {' and '.join(given) or 'none'}"
        )
    if kind is not None and given[0] != _ANSWER_KEY[kind]:
        raise RowFaultError(f"{where} has {given[0]}, but a {kind} item is answered by {_ANSWER_KEY[kind]}")
    criterion = optional(fields, "criterion", where, as_criterion)
    ratings = optional(fields, "ratings", where, lambda value, at: _ratings(value, at, count))
    if ratings is not None and criterion is not None and list(ratings) != [criterion]:
        raise RowFaultError(
            f"{where}.criterion is not needed beside ratings, which name theirs: leave it out"
        )
    return GoldRecord(
        criterion=DEFAULT_CRITERION if criterion is None or ratings is not None else criterion,
        choice=optional(fields, "choice", where, lambda value, at: _choice(value, at, count)),
        ranks=optional(fields, "ranks", where, lambda value, at: _ranks(value, at, count)),
        ratings=ratings,
        reason=optional(fields, "reason", where, as_string),
    )


def _choice(value: object, where: str, count: int) -> Choice:
    if value not in CHOICES:
        raise RowFaultError(f"{where} must be one of {', '.join(CHOICES)}, got {shown(value)}")
    if count != 2:
        raise RowFaultError(
            f"{where} compares exactly 2 responses, the row has {count}: write one row per pair, or use ranks"
        )
    return value


def _ranks(value: object, where: str, count: int) -> tuple[int, ...]:
    ranks = _per_response(value, where, count)
    if not all(type(rank) is int and 1 <= rank <= count for rank in ranks) or 1 not in ranks:
        raise RowFaultError(
            f"{where} must be whole numbers from 1 (best, at least one) to {count}, got {shown(value)}"
        )
    return tuple(ranks)


def _ratings(value: object, where: str, count: int) -> dict[str, tuple[float, ...]]:
    if not isinstance(value, dict) or not value:
        raise RowFaultError(f"{where} must be an object of criterion: list of numbers, got {shown(value)}")
    ratings = {}
    for criterion, numbers in value.items():
        as_criterion(criterion, f"a criterion in {where}")
        at = f"{where}.{criterion}"
        ratings[criterion] = tuple(as_number(number, at) for number in _per_response(numbers, at, count))
    return ratings


def _per_response(value: object, where: str, count: int) -> list[Any]:
    if not isinstance(value, list) or len(value) != count:
        raise RowFaultError(f"{where} must be a list of {count}, one per response, got {shown(value)}")
    return value


def _kind(value: object, where: str) -> Kind:
    if value not in KINDS:
        raise RowFaultError(f"{where} must be one of {', '.join(KINDS)}, got {shown(value)}")
    return value


def _strength(value: object, where: str) -> int:
    if type(value) is not int or not 1 <= value <= 3:
        raise RowFaultError(f"{where} must be 1, 2 or 3 (much better), got {shown(value)}")
    return value


def _seconds(value: object, where: str) -> float:
    seconds = as_number(value, where)
    if seconds < 0:
        raise RowFaultError(f"{where} must be 0 or more, got {shown(value)}")
    return seconds


def _moment(value: object, where: str) -> datetime:
    """ISO 8601 with a zone, as UTC. A time without a zone is refused: a guess could be hours off."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise RowFaultError(
        f"{where} must be an ISO 8601 time with its zone, like 2016-01-31T16:59:52Z, got {shown(value)}"
    )
