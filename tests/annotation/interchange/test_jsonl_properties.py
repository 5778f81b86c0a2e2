"""Properties of the reader: it never raises on content, and what is written reads back equal."""

import gzip
import io
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.interchange.jsonl import RowError, encode_item, read_jsonl
from annotation.interchange.records import (
    CHOICES,
    GoldRecord,
    ItemRecord,
    Message,
    ResponseRecord,
    VoteRecord,
    item_key,
    response_keys,
)

any_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
texts = any_text.filter(lambda text: text and not text.isspace())
finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=8,
)
metadata = st.dictionaries(any_text, json_values, max_size=3)
moments = st.datetimes(timezones=st.just(UTC), min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1))  # noqa: DTZ001


@st.composite
def answers(draw: st.DrawFn, count: int, kind: str) -> dict[str, object]:
    common: dict[str, object] = {"reason": draw(st.none() | any_text)}
    if kind == "rating":
        scores = st.tuples(*[finite] * count)
        return common | {"ratings": draw(st.dictionaries(texts, scores, min_size=1, max_size=2))}
    common["criterion"] = draw(texts)
    if kind == "ranking":
        ranks = draw(st.tuples(*[st.integers(1, count)] * count).filter(lambda ranks: 1 in ranks))
        return common | {"ranks": ranks}
    return common | {"choice": draw(st.sampled_from(CHOICES))}


@st.composite
def votes(draw: st.DrawFn, count: int, kind: str) -> VoteRecord:
    answer = draw(answers(count, kind))
    chosen = answer.get("choice") in ("a", "b")
    return VoteRecord(
        annotator=draw(texts),
        strength=draw(st.none() | st.integers(1, 3)) if chosen else None,
        seconds=draw(st.none() | st.floats(0, 1e9)),
        at=draw(st.none() | moments),
        **answer,
    )


def golds(count: int, kind: str) -> st.SearchStrategy[list[dict[str, object]]]:
    """No two of one criterion: a rating names several, so there is one at most."""
    if kind == "rating":
        return st.lists(answers(count, kind), max_size=1)
    return st.lists(answers(count, kind), max_size=3, unique_by=lambda one: one.get("criterion", "overall"))


@st.composite
def items(draw: st.DrawFn) -> ItemRecord:
    kind = draw(st.sampled_from(["pairwise", "ranking", "rating"]))
    count = 2 if kind == "pairwise" else draw(st.integers(2 if kind == "ranking" else 1, 4))
    earlier = draw(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), texts), max_size=3))
    responses = [
        ResponseRecord(draw(texts), draw(st.none() | texts), draw(st.none() | texts), draw(metadata))
        for _ in range(count)
    ]
    unique = {response.id or (response.text, response.model): response for response in responses}
    return ItemRecord(
        prompt=(*(Message(*turn) for turn in earlier), Message("user", draw(texts))),
        responses=tuple(responses)
        if len(unique) == count
        else tuple(ResponseRecord(f"{i}") for i in range(count)),
        id=draw(st.none() | texts),
        kind=kind,
        metadata=draw(metadata),
        gold=tuple(GoldRecord(**one) for one in draw(golds(count, kind))),
        votes=tuple(draw(st.lists(votes(count, kind), max_size=3, unique_by=lambda vote: vote.annotator))),
    )


@given(st.lists(items(), min_size=1, max_size=3), st.booleans())
@pytest.mark.slow
def test_what_is_written_reads_back_equal(records: list[ItemRecord], packed: bool) -> None:
    data = b"".join(map(encode_item, records))
    found = list(read_jsonl(io.BytesIO(gzip.compress(data) if packed else data)))
    assert found == records
    for before, after in zip(records, found, strict=True):
        assert isinstance(after, ItemRecord)
        assert (item_key(after), response_keys(after)) == (item_key(before), response_keys(before))


@given(
    st.binary(max_size=400), st.sampled_from([b"", b"\xef\xbb\xbf", b"\x1f\x8b", gzip.compress(b"x")[:12]])
)
def test_arbitrary_bytes_never_raise(data: bytes, head: bytes) -> None:
    for found in read_jsonl(io.BytesIO(head + data), max_line_bytes=100):
        assert isinstance(found, RowError)


@given(st.binary(max_size=400))
def test_arbitrary_compressed_bytes_never_raise(data: bytes) -> None:
    assert list(read_jsonl(io.BytesIO(gzip.compress(data)), max_line_bytes=100))


ITEM = ["id", "prompt", "responses", "kind", "metadata", "gold", "votes", "text", "model", "role", "content"]
ANSWER = ["choice", "ranks", "ratings", "strength", "criterion", "reason", "seconds", "at", "annotator"]
keys = st.sampled_from(ITEM + ANSWER)
numbers = st.integers() | st.floats()
scalars = st.none() | st.booleans() | numbers | any_text | st.sampled_from(["a", "tie", "user"])
shapes = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=25,
)


@pytest.mark.slow
@given(shapes, shapes, shapes, shapes)
def test_rows_of_any_shape_never_raise(
    prompt: object, responses: object, votes: object, gold: object
) -> None:
    two = [{"text": "a"}, {"text": "b"}]
    rows = [
        {"prompt": prompt, "responses": responses, "votes": votes, "gold": gold},
        {"prompt": "p", "responses": two, "votes": [votes], "gold": gold},
        {"prompt": "p", "responses": two, "votes": votes},
        {"prompt": [prompt], "responses": [responses, {"text": "a"}]},
        votes,
    ]
    data = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    assert len(list(read_jsonl(io.BytesIO(data)))) == len(rows)
