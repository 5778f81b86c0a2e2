"""Scoring files: every row accounted for, in parts that are the same however the work was cut or killed."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rewardmodel.training import files, stopping
from rewardmodel.training.failure import ScoringInputError
from rewardmodel.training.scoring import score_input, score_many, scorer
from rewardmodel.training.scoring.conversation import Exchange, Turn
from tests.rewardmodel.bundles import write_ensemble

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_ensemble(tmp_path_factory.mktemp("bundle") / "ensemble")


def write_rows(path, count=100):
    rows = [
        {"id": f"q{i}", "prompt": f"the cat {i // 3}", "response": f"because {'river ' * (i % 17)}{i}"}
        for i in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(folder, source, out, **options):
    return score_many.score(score_many.Job(folder, source, out, **{"rows": 8, **options}), stopping.Stop())


def bytes_of(out):
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def test_the_scores_are_the_scorers(folder, tmp_path):
    manifest = run(
        folder, write_rows(tmp_path / "in.jsonl", 20), tmp_path / "out", penalty=0.5, project="g", run=2
    )
    table = pq.read_table(tmp_path / "out").to_pylist()
    assert [row["id"] for row in table] == [f"q{i}" for i in range(20)]
    expected = scorer.load(folder).score(
        [
            Exchange((Turn("user", f"the cat {i // 3}"),), f"because {'river ' * (i % 17)}{i}")
            for i in range(20)
        ]
    )
    np.testing.assert_allclose([row["mean"] for row in table], expected.mean, atol=1e-5)
    np.testing.assert_allclose([row["conservative"] for row in table], expected.conservative(0.5), atol=1e-5)
    np.testing.assert_allclose([row["rewards"] for row in table], expected.rewards, atol=1e-5)
    assert (manifest["rows"], manifest["responses"], manifest["bad"]["count"]) == (20, 20, 0)
    assert (manifest["ensemble"]["project"], manifest["ensemble"]["run"]) == ("g", 2)
    assert [part["sha256"] for part in manifest["parts"]] == [
        files.sha256(tmp_path / "out" / part["name"]) for part in manifest["parts"]
    ]


@pytest.mark.slow
def test_shards_into_one_folder_are_the_same_bytes_as_one_worker(folder, tmp_path):
    source = write_rows(tmp_path / "in.jsonl")
    run(folder, source, tmp_path / "one")
    manifests = [run(folder, source, tmp_path / "three", shard=i, shards=3) for i in (3, 1, 2)]
    parts = {name: content for name, content in bytes_of(tmp_path / "one").items() if name.startswith("part")}
    assert len(parts) == 13
    assert {n: c for n, c in bytes_of(tmp_path / "three").items() if n.startswith("part")} == parts
    assert sum(manifest["rows"] for manifest in manifests) == 100


@pytest.mark.slow
def test_after_a_stop_it_goes_on_at_the_first_part_missing(folder, tmp_path, monkeypatch):
    source = write_rows(tmp_path / "in.jsonl")
    run(folder, source, tmp_path / "undisturbed")
    made = []
    real = score_many._part
    monkeypatch.setattr(score_many, "_part", lambda *given: made.append(1) or real(*given))
    monkeypatch.setattr(files, "write_bytes", _fail_after(5, files.write_bytes))
    with pytest.raises(OSError, match="No space"):
        run(folder, source, tmp_path / "out")
    monkeypatch.setattr(files, "write_bytes", files.write_bytes.real)
    done = len([name for name in bytes_of(tmp_path / "out") if name.startswith("part")])
    made.clear()
    run(folder, source, tmp_path / "out")
    assert 0 < done < 13
    assert len(made) == 13 - done
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "undisturbed")


def _fail_after(count, real):
    left = [count]

    def write(path, content):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        real(path, content)

    write.real = real
    return write


BAD = [
    ('{"prompt": "p"', "line: is not JSON"),
    ("[1]", "line: must be a JSON object"),
    ('{"response": "r"}', "prompt: is missing"),
    ('{"prompt": "p"}', "response: give either"),
    ('{"prompt": "p", "response": "r", "responses": ["r"]}', "response: give either"),
    ('{"prompt": "p", "responses": []}', "responses: must be"),
    ('{"prompt": "p", "responses": ["r", 5]}', "responses[1]: must be"),
    ('{"prompt": [{"role": "user"}], "response": "r"}', "prompt[0].content: must be a text"),
    ('{"prompt": "p", "response": "r", "id": 1.5}', "id: must be"),
    ("[" * 100_000, "line: is not JSON"),
    ("\x00\ufffd", "line: is not JSON"),
    ('{"prompt": "p", "response": "r", "id": "\\ud800"}', "id: holds half"),
    ('{"prompt": "p", "responses": [{"id": "\\udc00", "text": "r"}]}', "responses[0].id: holds half"),
    ('{"prompt": "p", "responses": [{"id": [1], "text": "r"}]}', "responses[0].id: must be"),
]


def test_bad_rows_are_counted_and_named_by_line(folder, tmp_path):
    good = '{"prompt": "p", "responses": ["one", {"id": "z", "text": "two"}], "votes": []}'
    (tmp_path / "in.jsonl").write_text("\n".join([good, *(line for line, _ in BAD), good]))
    manifest = run(folder, tmp_path / "in.jsonl", tmp_path / "out")
    assert (manifest["rows"], manifest["responses"]) == (len(BAD) + 2, 4)
    assert manifest["bad"]["count"] == len(BAD)
    for told, (number, (_, reason)) in zip(manifest["bad"]["rows"], enumerate(BAD, start=2), strict=True):
        assert told["line"] == number
        assert told["reason"].startswith(reason)
    table = pq.read_table(tmp_path / "out").to_pylist()
    assert [row["line"] for row in table if row["error"]] == [row["line"] for row in manifest["bad"]["rows"]]
    assert all(row["mean"] is None for row in table if row["error"])
    assert [(row["response"], row["response_id"]) for row in table if row["line"] == 1] == [
        (0, None),
        (1, "z"),
    ]


def test_a_line_too_long_is_one_bad_row(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(score_input, "LONGEST_LINE", 100)
    long = json.dumps({"prompt": "p", "response": "r" * 1000})
    (tmp_path / "in.jsonl").write_text(long + "\n" + '{"prompt": "p", "response": "r"}\n')
    manifest = run(folder, tmp_path / "in.jsonl", tmp_path / "out")
    assert (manifest["rows"], manifest["responses"], manifest["bad"]["rows"][0]["line"]) == (2, 1, 1)


def test_parquet_gzip_and_json_lines_score_alike(folder, tmp_path):
    source = write_rows(tmp_path / "in.jsonl", 10)
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    pq.write_table(pa.Table.from_pylist([row | {"other": 1} for row in rows]), tmp_path / "in.parquet")
    (tmp_path / "in.jsonl.gz").write_bytes(gzip.compress(source.read_bytes()))
    parts = []
    for name in ("in.jsonl", "in.parquet", "in.jsonl.gz"):
        run(folder, tmp_path / name, tmp_path / f"out-{name}")
        parts.append([c for n, c in bytes_of(tmp_path / f"out-{name}").items() if n.startswith("part")])
    assert parts[0] == parts[1] == parts[2]


def test_a_damaged_gzip_file_is_said_to_be_one(folder, tmp_path):
    whole = bytearray(gzip.compress(os.urandom(20_000).hex().encode()))
    whole[5_000:5_100] = bytes(100)
    (tmp_path / "in.jsonl.gz").write_bytes(whole)
    with pytest.raises(ScoringInputError, match="cannot be read"):
        run(folder, tmp_path / "in.jsonl.gz", tmp_path / "out")


def test_a_folder_is_never_of_two_jobs(folder, tmp_path):
    run(folder, write_rows(tmp_path / "in.jsonl", 10), tmp_path / "out")
    with pytest.raises(ScoringInputError, match="begun with another input_sha256"):
        run(folder, write_rows(tmp_path / "in.jsonl", 11), tmp_path / "out")
    with pytest.raises(ScoringInputError, match="cannot be read"):
        run(folder, tmp_path / "missing.jsonl", tmp_path / "new")


def test_the_program_says_what_is_wrong(tmp_path, capsys):
    assert score_many.main([str(tmp_path), str(tmp_path / "x"), str(tmp_path / "o")]) == 1
    assert "does not hold a readable ensemble" in capsys.readouterr().err
    with pytest.raises(SystemExit) as usage:
        score_many.main(["a", "b", "c", "--shard", "3/2"])
    assert usage.value.code == 2


# --- killed ---------------------------------------------------------------------------------------

UNSAFE = """
import sys
from rewardmodel.training import files
from rewardmodel.training.scoring import score_many
def write(path, content):  # the control: in place, in two halves
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content[: len(content) // 2]); file.flush()
        import time; time.sleep(0.05)
        file.write(content[len(content) // 2 :])
if sys.argv.pop(1) == "unsafe":
    files.write_bytes = write
sys.exit(score_many.main(sys.argv[1:]))
"""


def start(how, folder, source, out):
    return subprocess.Popen(
        [sys.executable, "-c", UNSAFE, how, str(folder), str(source), str(out), "--rows", "4"],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def killed_while_writing(how, folder, source, out, wanted):
    """Kill -9 as soon as `wanted` parts are there, a little later each time."""
    process = start(how, folder, source, out)
    deadline = time.monotonic() + 120
    while len(list(out.glob("part-*"))) < wanted and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_kill_9_and_again_gives_the_same_bytes_and_without_the_guard_it_does_not(folder, tmp_path):
    source = write_rows(tmp_path / "in.jsonl", 160)
    run(folder, source, tmp_path / "undisturbed", rows=4)
    whole = bytes_of(tmp_path / "undisturbed")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".part-00000002.parquet.abc.part").write_bytes(b"left half-written")
    for wanted in (3, 17, 31):
        killed_while_writing("safe", folder, source, tmp_path / "out", wanted)
        for name, content in bytes_of(tmp_path / "out").items():
            assert name.endswith(".part") or content == whole[name]
    assert start("safe", folder, source, tmp_path / "out").wait() == 0
    assert bytes_of(tmp_path / "out") == whole
    killed_while_writing("unsafe", folder, source, tmp_path / "control", 5)
    half = bytes_of(tmp_path / "control")
    assert any(whole[name] != content for name, content in half.items())
