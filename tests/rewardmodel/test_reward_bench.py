"""RewardBench's files and rules: by hand, against the published formula, and through the command."""

import io
import json
import signal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command

from rewardmodel.evaluation import reward_bench
from rewardmodel.evaluation.reward_bench import NotABenchmark, Row
from rewardmodel.services import promoting, scoring
from rewardmodel.training import __main__ as training
from tests import factories
from tests.cast import make_cast
from tests.rewardmodel.synthetic import BAD, GOOD, write_encoder, write_snapshot
from tests.rewardmodel.worlds import run_folder

FIRST = {"prompt": "Hi?", "chosen": "good", "rejected": "bad!", "subset": "chat", "id": 7}
SECOND = {
    "prompt": [{"role": "user", "content": "Count."}], "chosen": ["one two"], "rejected": ["a", "b", "c"],
    "subset": "Math", "id": "8",
}  # fmt: skip


def jsonl(path: Path, *rows: object) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def a_row(number: int, subset: str = "s", name: str | None = None, chosen: int = 1, rejected: int = 1) -> Row:
    prompt = (("user", f"prompt {number}"),)
    return Row(number, name or str(number), subset, prompt, ("c",) * chosen, ("r",) * rejected)


def values(*groups: tuple[list[float], list[float]]) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(np.array(chosen), np.array(rejected)) for chosen, rejected in groups]


def test_both_versions_are_read_and_bad_rows_are_named(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "set.jsonl", FIRST, SECOND, "{not json", {"prompt": "x", "chosen": "y"},
        {"prompt": 3, "chosen": "y", "rejected": "z"}, {"prompt": "x", "chosen": [], "rejected": "z"}, [1],
    )  # fmt: skip
    found = reward_bench.read(path)
    assert [(row.id, row.subset, row.chosen, row.rejected) for row in found.rows] == [
        ("7", "chat", ("good",), ("bad!",)), ("8", "Math", ("one two",), ("a", "b", "c")),
    ]  # fmt: skip
    assert found.rows[0].prompt == (("user", "Hi?"),)
    assert found.rows[1].prompt == (("user", "Count."),)
    assert [number for number, _ in found.bad] == [3, 4, 5, 6, 7]
    assert "not JSON" in found.bad[0][1]
    assert "rejected" in found.bad[1][1]
    assert "prompt" in found.bad[2][1]
    assert "chosen" in found.bad[3][1]


def test_parquet_is_read_and_what_is_no_benchmark_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([SECOND]), tmp_path / "set.parquet")
    assert reward_bench.read(tmp_path / "set.parquet").rows[0].rejected == ("a", "b", "c")
    (tmp_path / "broken.parquet").write_bytes(b"no")
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    for name in ("broken.parquet", "binary.jsonl", "absent.jsonl"):
        with pytest.raises(NotABenchmark, match="cannot be read"):
            reward_bench.read(tmp_path / name)
    with pytest.raises(NotABenchmark, match="it is empty"):
        reward_bench.read(jsonl(tmp_path / "empty.jsonl"))
    with pytest.raises(NotABenchmark, match="row 1"):
        reward_bench.read(jsonl(tmp_path / "other.jsonl", {"text": "x"}))


def test_best_of_n_by_hand_with_ties_at_the_top_shared() -> None:
    rows = [a_row(1, "a"), a_row(2, "a"), a_row(3, "b", rejected=3), a_row(4, "b", rejected=3)]
    found = reward_bench.score(rows, values(([2], [1]), ([1], [2]), ([5], [5, 1, 2]), ([3], [1, 2, 0])), 200)
    assert {name: one.value for name, one in found.subsets.items()} == {"a": 0.5, "b": 0.75}
    assert (found.rows.value, found.rows.n) == (0.625, 4)
    assert found.mean_of_subsets == 0.625
    assert found.subsets["a"].low == 0
    lone = reward_bench.score(rows[:1], values(([2], [1])), 200)
    assert (lone.rows.value, lone.rows.low) == (1.0, None)


def published(tied: dict, ref: dict) -> float:
    """The formula of allenai/reward-bench for its subset of ties, written out for prompts with both kinds."""
    gap = {key: {n: min(c) - max(r) for n, (c, r) in rows.items()} for key, rows in (("t", tied), ("r", ref))}
    spread = {n: max(c) - min(c) for n, (c, _) in tied.items()}
    names = sorted(tied)
    mean = lambda found: sum(found) / len(names)  # noqa: E731
    both = {n: min(gap["t"][n], gap["r"][n]) for n in names}
    return (
        0.3 * mean(gap["t"][n] > 0 for n in names)
        + 0.3 * mean(gap["r"][n] > 0 for n in names)
        + 0.2 * mean(gap["t"][n] > spread[n] for n in names)
        + 0.2 * mean(both[n] > spread[n] for n in names)
        + 0.01 * mean(np.tanh(both[n] / spread[n] - 1) for n in names)
    )


def test_the_subset_of_ties_is_scored_by_its_published_formula() -> None:
    rng = np.random.default_rng(0)
    tied = {str(n): (rng.normal(1.5, 0.5, 4).tolist(), rng.normal(0, 0.5, 5).tolist()) for n in range(30)}
    ref = {str(n): (rng.normal(1, 0.5, 1).tolist(), rng.normal(0, 0.5, 5).tolist()) for n in range(30)}
    rows = [a_row(i, "Ties", f"tied:{n}") for i, n in enumerate(tied)]
    rows += [a_row(100 + i, "Ties", f"ref:{n}") for i, n in enumerate(ref)]
    found = reward_bench.score(rows, values(*tied.values(), *ref.values()), 300)
    ties = found.subsets["Ties"]
    assert ties.value == pytest.approx(published(tied, ref))
    assert ties.low < ties.value < ties.high
    assert ties.n == 60
    assert found.rows.n == 0  # no best of N among them
    assert found.mean_of_subsets == ties.value


@pytest.fixture
def scored(monkeypatch):
    """The reward of a response is minus its length; a child process is not needed to know that."""

    def score_file(ensemble, responses, out):
        table = pq.read_table(responses).to_pydict()
        rewards = -np.array([[len(text)] * 2 for text in table["text"]], dtype=np.float32)
        np.savez(out, response_id=np.array(table["response_id"]), rewards=rewards, features=np.zeros((1, 1)),
                 temperature=1.0, tau=0.0, criteria=np.array(["overall"]), criteria_rewards=rewards[None],
                 criteria_tau=np.zeros(1))  # fmt: skip

    monkeypatch.setattr(scoring, "score_file", score_file)


def called(*arguments: str) -> dict:
    out = io.StringIO()
    call_command("evaluate", *arguments, "--json", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


@pytest.mark.django_db
def test_the_command_reports_subsets_beside_length(tmp_path: Path, scored) -> None:
    project = make_cast().project
    run = factories.run(project)
    (run_folder(run) / "ensemble").mkdir(parents=True, exist_ok=True)
    (run_folder(run) / "ensemble" / "ensemble.json").write_text("{}")
    path = str(
        jsonl(tmp_path / "set.jsonl", FIRST, {**FIRST, "prompt": "Ho?", "rejected": "worse"}, SECOND, "{")
    )
    found = called(project.slug, path, "--run", "1")
    assert (found["rows"], found["run"]) == (3, 1)
    assert found["bad_rows"] == [{"row": 4, "reason": "it is not JSON"}]
    assert found["subsets"]["chat"]["value"] == 0.75  # as long as the rejected: half
    assert found["subsets"]["chat"]["length"]["value"] == 0.25
    assert found["subsets"]["Math"]["value"] == 0
    assert found["subsets"]["Math"]["length"]["value"] == 1
    assert found["overall"]["value"] == 0.5
    assert found["mean_of_subsets"] == {"value": 0.375, "length": 0.625}
    with pytest.raises(CommandError, match="Nothing scores"):
        call_command("evaluate", project.slug, path)
    promoting.promote(run=run)
    words = io.StringIO()
    call_command("evaluate", project.slug, path, stdout=words, stderr=words)
    assert "0.7500" in words.getvalue()
    assert "Row 4 is left out" in words.getvalue()


@pytest.mark.django_db
def test_a_file_or_run_that_is_not_there_is_refused(tmp_path: Path) -> None:
    project = make_cast().project
    factories.run(project)
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("evaluate", project.slug, str(tmp_path / "no.jsonl"), "--run", "1")
    with pytest.raises(CommandError, match="no trained run 5"):
        call_command("evaluate", project.slug, "x", "--run", "5")


@pytest.fixture
def _sigterm_as_before():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.usefixtures("_sigterm_as_before")
def test_a_trained_run_is_evaluated_by_a_child_process(tmp_path: Path) -> None:
    """Really scored: careful words beat careless ones, as in what it was trained on."""
    project = make_cast().project
    run = factories.run(project)
    snapshot = write_snapshot(tmp_path / "snapshot", prompts=12, responses=6)
    settings = tmp_path / "settings.json"
    tiny = write_encoder(tmp_path / "encoder")
    settings.write_text(
        json.dumps({"encoder": str(tiny), "bootstrap": 100, "probe_responses": 0, "curve_heads": 0})
    )
    arguments = [str(snapshot), str(run_folder(run)), "--config", str(settings)]
    assert training.main([*arguments, "--cache", str(tmp_path / "cache")]) == 0
    good, bad = (" ".join(words * 3) for words in (GOOD, BAD))
    rows = [{"prompt": f"Question {n}", "chosen": good, "rejected": [bad, "meh stuff"]} for n in range(4)]
    found = called(project.slug, str(jsonl(tmp_path / "set.jsonl", *rows)), "--run", "1")
    assert found["overall"]["value"] == 1
    assert found["overall"]["n"] == 4
