"""What benchmarks/active reads: votes of every known kind, halves of them, and files that are none."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.active import data, run

PAIR = {
    "prompt": "Why?",
    "responses": [{"id": "b", "text": "Because."}, {"id": "a", "text": "So."}],
    "votes": [{"annotator": "x", "choice": "a"}, {"annotator": "y", "choice": "both_bad"}],
}
RANKING = {
    "prompt": [{"role": "user", "content": "Who?"}],
    "responses": [{"text": "One."}, {"text": "Two."}, {"text": "Three."}],
    "votes": [{"annotator": "x", "ranks": [2, 1, 2]}],
}


def written(path: Path, *rows: object) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["votes.jsonl", "votes.jsonl.gz"])
def test_pairs_and_rankings_are_counted_as_votes_on_pairs(tmp_path: Path, name: str) -> None:
    found = data.read(written(tmp_path / name, PAIR, RANKING))
    counts = {(a[1], b[1]): count.tolist() for (a, b), count in found.counts.items()}
    assert counts == {
        ("a", "b"): [0, 1, 1],  # turned: the lower id comes first
        ("One.", "Two."): [0, 0, 1],
        ("One.", "Three."): [0, 1, 0],
        ("Three.", "Two."): [0, 0, 1],
    }
    assert found.titles == {"Why?": "Why?", "Who?": "Who?"}


def test_two_halves_are_all_of_it_and_share_no_prompt(tmp_path: Path) -> None:
    rows = [{**PAIR, "prompt": f"Why {n}?"} for n in range(7)]
    whole = data.read(written(tmp_path / "votes.jsonl", *rows))
    halves = [data.half_of(whole, which) for which in (1, 2)]
    assert [len(half.titles) for half in halves] == [4, 3]
    for name in ("titles", "responses", "counts"):
        parts = [getattr(half, name) for half in halves]
        assert parts[0].keys() | parts[1].keys() == getattr(whole, name).keys()
        assert not parts[0].keys() & parts[1].keys()
    assert all(np.array_equal(half.counts[key], whole.counts[key]) for half in halves for key in half.counts)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"x": 1}, r"a row with the keys \['x'\] is of no known kind"),
        ({"prompt": "p", "responses": [{"id": "1"}]}, r"row 2 lacks something .*'text'"),
        (7, "row 2 lacks something"),
    ],
)
def test_a_row_that_is_no_vote_is_named(tmp_path: Path, row: object, said: str) -> None:
    with pytest.raises(data.Unreadable, match=said):
        data.read(written(tmp_path / "votes.jsonl", PAIR, row))


def test_the_command_says_why_a_file_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = written(tmp_path / "votes.jsonl", {**PAIR, "votes": []})
    for path, why in ((empty, "it holds no votes on pairs"), (tmp_path / "none.jsonl", "No such file")):
        with pytest.raises(SystemExit):
            run.main(["--file", str(path), "--out", str(tmp_path / "out")])
        assert why in capsys.readouterr().err
