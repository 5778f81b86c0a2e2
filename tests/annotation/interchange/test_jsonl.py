import gzip
import io
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from annotation.interchange.jsonl import RowError, read_jsonl
from annotation.interchange.records import ItemRecord, Message


def row(**changes: Any) -> dict[str, Any]:
    """A valid pairwise row; `changes` replace keys, None removes one."""
    base = {"prompt": "Which?", "responses": [{"text": "first"}, {"text": "second"}]}
    return {key: value for key, value in (base | changes).items() if value is not None}


def vote(**changes: Any) -> dict[str, Any]:
    return {"annotator": "w1", "choice": "a"} | changes


def read(data: bytes | dict[str, Any], **options: Any) -> list[ItemRecord | RowError]:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return list(read_jsonl(io.BytesIO(raw), **options))


def message(data: bytes | dict[str, Any], **options: Any) -> str:
    (found,) = read(data, **options)
    assert isinstance(found, RowError), found
    return found.message


def test_a_full_row_is_read() -> None:
    full = row(
        id="q17",
        prompt=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        responses=[{"id": "r1", "text": "Hello", "model": "m", "metadata": {"t": 0.7}}, {"text": "Yo"}],
        kind="pairwise",
        metadata={"category": "chat", "anything": [1, {"nested": None}]},
        gold={"choice": "a", "reason": "polite"},
        votes=[
            vote(strength=2, criterion="tone", reason="nicer", seconds=12.3, at="2016-01-31T18:59:52+02:00")
        ],
    )
    (item,) = read(full)
    assert isinstance(item, ItemRecord)
    assert item.prompt == (Message("system", "Be brief."), Message("user", "Hi"))
    assert (item.id, item.kind, item.line) == ("q17", "pairwise", 1)
    assert item.metadata == {"category": "chat", "anything": [1, {"nested": None}]}
    assert [(r.id, r.text, r.model, r.metadata) for r in item.responses] == [
        ("r1", "Hello", "m", {"t": 0.7}),
        (None, "Yo", None, {}),
    ]
    (gold,) = item.gold
    assert (gold.choice, gold.reason) == ("a", "polite")
    (judged,) = item.votes
    assert (judged.choice, judged.strength, judged.criterion, judged.seconds) == ("a", 2, "tone", 12.3)
    assert judged.at == datetime(2016, 1, 31, 16, 59, 52, tzinfo=UTC)


def test_rankings_and_ratings_are_read() -> None:
    three = [{"text": "x"}, {"text": "y"}, {"text": "z"}]
    (ranking,) = read(row(responses=three, kind="ranking", votes=[{"annotator": "w", "ranks": [1, 2, 2]}]))
    assert isinstance(ranking, ItemRecord)
    assert ranking.votes[0].ranks == (1, 2, 2)
    ratings = {"helpful": [4, 5, 0.5], "true": [1, 1, 1]}
    (rating,) = read(row(responses=three, votes=[{"annotator": "w", "ratings": ratings}]), kind="rating")
    assert isinstance(rating, ItemRecord)
    assert rating.votes[0].ratings == {"helpful": (4.0, 5.0, 0.5), "true": (1.0, 1.0, 1.0)}
    assert rating.votes[0].criteria == ("helpful", "true")


def test_null_is_the_same_as_leaving_a_key_out() -> None:
    nulls = (
        b'{"id":null,"prompt":"p","responses":[{"text":"a","id":null},{"text":"b"}],"votes":null,"gold":null}'
    )
    assert read(nulls) == read(row(prompt="p", responses=[{"text": "a"}, {"text": "b"}]))


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (row(prompt=None), "prompt is missing"),
        (row(responses=None), "responses is missing"),
        (row(promt="typo"), "unknown key 'promt' in a row"),
        (row(responses=[{"text": "a", "score": 1}, {"text": "b"}]), "unknown key 'score' in responses[0]"),
        (row(votes=[vote(coice="a")]), "unknown key 'coice' in votes[0]"),
        (row(prompt=[{"role": "user", "content": "x", "name": "n"}]), "unknown key 'name' in prompt[0]"),
        (row(gold={"choice": "a", "why": "x"}), "unknown key 'why' in gold"),
        (row(prompt=7), "prompt must be text or a list of messages, got 7"),
        (row(prompt=[]), "prompt must be text or a list"),
        (row(prompt="  "), "prompt is empty"),
        (row(prompt=[{"role": "user", "content": ["parts"]}]), "prompt[0].content must be text"),
        (row(prompt=[{"role": "bot", "content": "x"}]), "prompt[0].role must be one of"),
        (row(prompt=[{"role": "assistant", "content": "x"}]), "must end with the user's"),
        (row(prompt=[{"role": "user", "content": "x"}, {"role": "system", "content": "y"}]), "must end with"),
        (row(responses=[{"text": "a"}]), "needs at least 2 responses, got 1"),
        (row(responses=[]), "responses must be a list"),
        (row(responses=["a", "b"]), "responses[0] must be a JSON object, got 'a'"),
        (row(responses=[{"text": ""}, {"text": "b"}]), "responses[0].text is empty"),
        (row(responses=[{"text": "a", "id": "1"}, {"text": "b", "id": "1"}]), "the id '1' like responses[0]"),
        (row(responses=[{"text": "a"}, {"text": "a"}]), "its text and no id like responses[0]"),
        (row(responses=[{"text": "a", "id": 1}, {"text": "b"}]), "responses[0].id must be text"),
        (row(id="x" * 501), "id has 501 characters"),
        (row(votes=[vote(annotator="x" * 201)]), "votes[0].annotator has 201 characters"),
        (row(votes=[vote(criterion="x" * 61)]), "votes[0].criterion has 61 characters"),
        (row(kind="pair"), "kind must be one of pairwise"),
        (row(metadata=[1]), "metadata must be an object"),
        (row(gold={"choice": "first"}), "gold.choice must be one of a, b, tie, both_bad"),
        (row(gold=[{"choice": "a"}, {"choice": "b"}]), "gold[1] answers 'overall' again"),
        (row(gold={"reason": "x"}), "gold needs exactly one of choice, ranks and ratings, got none"),
        (row(votes={"annotator": "w"}), "votes must be a list"),
        (row(votes=[{"choice": "a"}]), "votes[0].annotator is missing"),
        (row(votes=[vote(choice="c")]), "votes[0].choice must be one of"),
        (row(votes=[vote(choice=["a"])]), "votes[0].choice must be one of"),
        (row(votes=[vote(ranks=[1, 2])]), "got choice and ranks"),
        (row(votes=[vote(strength=4)]), "votes[0].strength must be 1, 2 or 3"),
        (row(votes=[vote(strength=True)]), "votes[0].strength must be 1, 2 or 3"),
        (row(votes=[vote(strength=1.0)]), "votes[0].strength must be 1, 2 or 3"),
        (row(votes=[vote(strength=1, choice="tie")]), "no side is chosen"),
        (row(votes=[vote(strength=1, choice="both_bad")]), "no side is chosen"),
        (row(votes=[vote(seconds=-1)]), "votes[0].seconds must be 0 or more"),
        (row(votes=[vote(seconds="12")]), "votes[0].seconds must be a finite number"),
        (row(votes=[vote(seconds=10**400)]), "votes[0].seconds must be a finite number"),
        (row(votes=[vote(at="2016-01-31T16:59:52")]), "ISO 8601 time with its zone"),
        (row(votes=[vote(at="yesterday")]), "ISO 8601 time with its zone"),
        (row(votes=[vote(at=1454259592)]), "ISO 8601 time with its zone"),
        (row(votes=[vote(at="0001-01-01T00:00:00+10:00")]), "ISO 8601 time with its zone"),
        (row(votes=[vote(), vote()]), "votes[1] is a second vote of 'w1' on 'overall'"),
        (row(votes=[vote(), vote(criterion="overall")]), "votes[1] is a second vote"),
        (row(kind="ranking", votes=[vote()]), "votes[0] has choice, but a ranking item is answered by ranks"),
        (row(votes=[{"annotator": "w", "ranks": [1]}]), "votes[0].ranks must be a list of 2"),
        (row(votes=[{"annotator": "w", "ranks": [2, 2]}]), "votes[0].ranks must be whole numbers from 1"),
        (row(votes=[{"annotator": "w", "ranks": [1, 3]}]), "votes[0].ranks must be whole numbers from 1"),
        (row(votes=[{"annotator": "w", "ranks": [1, 1.5]}]), "votes[0].ranks must be whole numbers"),
        (row(votes=[{"annotator": "w", "ratings": {}}]), "votes[0].ratings must be an object"),
        (row(votes=[{"annotator": "w", "ratings": {"x": [1]}}]), "votes[0].ratings.x must be a list of 2"),
        (row(votes=[{"annotator": "w", "ratings": {"x": [1, "2"]}}]), "votes[0].ratings.x must be a finite"),
        (
            row(votes=[{"annotator": "w", "ratings": {"x": [1, 2]}, "criterion": "y"}]),
            "is not needed",
        ),
        (b"[]", "a row must be a JSON object, got []: write one object per line"),
        (b'"text"', "a row must be a JSON object"),
        (b"{", "not valid JSON"),
        (b'{"prompt":"p","prompt":"q"}', "the key 'prompt' stands twice"),
        (b'{"metadata":{"a":{"k":1,"k":2}}}', "the key 'k' stands twice"),
        (b'{"metadata":{"x":NaN}}', "NaN is not a JSON number"),
        (b'{"metadata":{"x":-Infinity}}', "-Infinity is not a JSON number"),
        (b'{"metadata":{"x":1e999}}', "the number 1e999 is too large"),
        (b'{"metadata":{"x":' + b"9" * 5000 + b"}}", "more than 4,300 digits"),
        (row(prompt="a\0b"), "\\u0000"),
        (row(metadata={"deep": [{"k\0": 1}]}), "\\u0000"),
        (row(prompt="a\ud800b"), "lone surrogate \\ud800"),
        (b'{"prompt":"a\x00b"}', "not valid JSON"),
        (b'{"prompt":"caf\xe9"}', "byte 15 is not UTF-8 (0xe9)"),
        (b'{"prompt":"\xed\xa0\x80"}', "is not UTF-8"),
        (b"[" * 2000 + b"]" * 2000, "nested deeper than 64 levels"),
        (b'{"metadata":' + b'{"a":' * 2000 + b"1" + b"}" * 2001, "nested deeper than 64 levels"),
        (b"[" * 2_000_000, "nested deeper than 64 levels"),
    ],
)
def test_a_bad_row_is_one_error_that_says_what_is_wrong(bad: bytes | dict[str, Any], said: str) -> None:
    told = message(bad)
    assert said in told
    assert len(told) < 400


def test_more_than_two_responses_may_wait_for_pairing_but_take_no_choice() -> None:
    three = [{"text": "x"}, {"text": "y"}, {"text": "z"}]
    assert isinstance(read(row(responses=three), kind="pairwise")[0], ItemRecord)
    assert "compares exactly 2 responses, the row has 3" in message(row(responses=three, votes=[vote()]))


def test_a_single_response_can_be_rated_only() -> None:
    assert isinstance(read(row(responses=[{"text": "x"}]), kind="rating")[0], ItemRecord)
    assert "a pairwise item needs" in message(row(responses=[{"text": "x"}]), kind="pairwise")


def test_one_vote_per_criterion_is_allowed() -> None:
    (item,) = read(row(votes=[vote(criterion="tone"), vote(criterion="truth"), vote(annotator="w2")]))
    assert isinstance(item, ItemRecord)
    assert len(item.votes) == 3


def test_escapes_that_only_look_forbidden_pass() -> None:
    (item,) = read(rb'{"prompt":"\\u0000 \ud83d\ude00 \\ud800","responses":[{"text":"a"},{"text":"b"}]}')
    assert isinstance(item, ItemRecord)
    assert item.prompt[0].content == "\\u0000 😀 \\ud800"


def test_brackets_inside_text_are_no_nesting() -> None:
    (item,) = read(row(prompt="[" * 5000 + '\\"{' * 500))
    assert isinstance(item, ItemRecord)


def test_unterminated_strings_of_escapes_are_read_in_linear_time() -> None:
    started = time.perf_counter()
    assert "not valid JSON" in message(b'{"' + b'\\"[' * 700_000)
    assert time.perf_counter() - started < 5  # quadratic would take hours


def test_lines_are_counted_blank_ones_skipped_and_a_mark_tolerated() -> None:
    good = json.dumps(row()).encode()
    found = read(b"\xef\xbb\xbf" + good + b"\r\n\n   \n{}\n" + good)
    assert [(type(each), each.line) for each in found] == [(ItemRecord, 1), (RowError, 4), (ItemRecord, 5)]
    assert "not valid JSON" in message(b" \xef\xbb\xbf" + good)


@pytest.mark.parametrize("empty", [b"", b"\n\n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
def test_a_file_without_rows_is_an_error(empty: bytes) -> None:
    (found,) = read(empty)
    assert isinstance(found, RowError)
    assert found.fatal
    assert "no rows" in found.message


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (json.dumps(row()).encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04rest", "zip archive"),
        (b"PAR1\0\0\0\0", "Parquet"),
        (b"BZh91AY", "bzip2"),
    ],
)
def test_a_foreign_file_is_named(data: bytes, said: str) -> None:
    (found,) = read(data)
    assert isinstance(found, RowError)
    assert found.fatal
    assert said in found.message


def test_gzip_is_recognised_by_content_and_may_have_members() -> None:
    line = json.dumps(row()).encode() + b"\n"
    plain = read(line * 3)
    assert read(gzip.compress(line * 3)) == plain
    assert read(gzip.compress(b"\xef\xbb\xbf" + line) + gzip.compress(line * 2) + b"\0\0") == plain


def test_broken_gzip_reports_after_the_rows_it_held() -> None:
    lines = b"".join(json.dumps(row(id=str(i))).encode() + b"\n" for i in range(5000))
    packed = gzip.compress(lines)
    for damaged in (packed[:-20], packed[: len(packed) // 2] + b"garbage" + packed[len(packed) // 2 :]):
        *items, last = read(damaged)
        assert isinstance(last, RowError)
        assert last.fatal
        assert "gzip" in last.message
        assert len(items) < 5001


@pytest.mark.slow
def test_a_decompression_bomb_is_stopped() -> None:
    squashed = gzip.compress(bytes(200 << 20), compresslevel=1)
    (found,) = read(squashed, max_expansion=50)
    assert isinstance(found, RowError)
    assert "expands more than 50 times" in found.message
    assert found.fatal


def test_a_long_line_is_skipped_and_reading_goes_on() -> None:
    good = json.dumps(row()).encode()
    exact = good + b" " * (1000 - len(good))
    first, second, third = read(exact + b"\n" + exact + b" \n" + good, max_line_bytes=1000)
    assert isinstance(first, ItemRecord)
    assert isinstance(second, RowError)
    assert (second.line, second.message[:24]) == (2, "the line has 1,001 bytes")
    assert isinstance(third, ItemRecord)
    assert "the line has 2,000 bytes" in message(b"x" * 2000, max_line_bytes=1000)


HOSTILE = """
import sys
from annotation.interchange.jsonl import RowError, read_jsonl

class Endless:
    '''100 MB of one line, made on demand.'''
    def __init__(self, head, unit, total):
        self.head, self.unit, self.left = head, unit, total
    def read(self, size):
        if self.head:
            head, self.head = self.head, b''
            return head
        size = min(size, self.left)
        self.left -= size
        return (self.unit * (size // len(self.unit) + 1))[:size]

found = list(read_jsonl(Endless(*eval(sys.argv[1]))))
assert len(found) == 1 and isinstance(found[0], RowError), found
status = open('/proc/self/status').read()  # ru_maxrss would begin with the peak of the process that forked
print(int(status.split('VmHWM:')[1].split()[0]) // 1024, found[0].message[:60])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [
        (b'{"prompt":"', b"x", 100 << 20),
        (b'{"prompt":"p","metadata":{"x":[0', b',{"":0}', (8 << 20) - 100),
        (b'{"prompt":"p","metadata":{"x":[0', b",[[]]", (8 << 20) - 100),
    ],
    ids=["100 MB line", "longest line, most objects", "longest line, most lists"],
)
def test_memory_stays_below_500_mb(source: tuple[bytes, bytes, int]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HOSTILE, repr(source)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout.split()[0]) < 500


def test_reading_streams() -> None:
    line = json.dumps(row()).encode() + b"\n"

    class OneChunkThenFail(io.RawIOBase):
        given = False

        def read(self, size: int = -1) -> bytes:
            if self.given:
                raise AssertionError("read ahead of the rows asked for")
            self.given = True
            return line * 10

    rows = read_jsonl(OneChunkThenFail())
    assert all(isinstance(next(rows), ItemRecord) for _ in range(10))
