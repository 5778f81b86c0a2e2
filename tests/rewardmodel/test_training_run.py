"""A whole run: what it learns, what it writes, how it fails, and that a kill loses nothing."""

import errno
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotation.interchange.snapshot_answers import ANSWER_SCHEMA
from rewardmodel.training import ensemble, files, run
from rewardmodel.training import features as training_features
from rewardmodel.training.failure import EnsembleError
from rewardmodel.training.scoring import score
from tests.rewardmodel.synthetic import write_encoder, write_snapshot
from tests.rewardmodel.whole_runs import prepare, read, train

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _restore_sigterm() -> Any:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.slow
def test_it_learns_what_length_cannot_say(tmp_path: Path) -> None:
    snapshot, settings = prepare(tmp_path, prompts=24, responses=7)
    assert train(snapshot, tmp_path / "run", settings) == 0
    metrics = read(tmp_path / "run" / "metrics.json")
    assert metrics["evaluation"] == "cross-fitted over 24 prompts in 24 folds"
    assert metrics["accuracy"]["value"] > metrics["baselines"]["length"]["value"] + 0.05
    assert metrics["lift_over_length"]["low"] > 0
    assert metrics["baselines"]["majority"]["value"] < 0.65
    assert metrics["nll"] < metrics["baselines"]["length"]["nll"] < metrics["baselines"]["majority"]["nll"]
    assert metrics["ece"] < 0.06
    assert metrics["left_out"] == [{"reason": "gold", "count": 3}]
    progress = read(tmp_path / "run" / "progress.json")
    assert progress["phase"] == "done"
    assert len(progress["curve"]) == metrics["training"]["steps"]
    assert progress["curve"][-1]["train"] < progress["curve"][0]["train"]
    assert not (tmp_path / "run" / "failure.json").exists()


@pytest.mark.slow
def test_the_held_out_test_split_is_used_when_there_are_enough_prompts(tmp_path: Path) -> None:
    snapshot, settings = prepare(tmp_path, prompts=60, cross_fit_below=50)
    assert train(snapshot, tmp_path / "run", settings) == 0
    metrics = read(tmp_path / "run" / "metrics.json")
    assert metrics["evaluation"] == "held-out test split of 6 prompts"
    assert metrics["training"]["prompts"] == 48
    assert metrics["evaluated"]["pairs"] == 6 * 15


@pytest.mark.slow
def test_the_report_looks_closer(tmp_path: Path) -> None:
    """Every part is there, with the same pairs behind it; nothing random but by the seed."""
    snapshot, settings = prepare(tmp_path, prompts=24, responses=7, probe_responses=30)
    assert train(snapshot, tmp_path / "run", settings) == 0
    metrics = read(tmp_path / "run" / "metrics.json")
    decided = metrics["accuracy"]["n"]
    strata = metrics["strata"]
    for name in ("length_gap", "longer_won", "agreement", "origin"):
        assert sum(row["n"] for row in strata[name]["rows"]) == decided
        assert sum(row["n"] * row["value"] for row in strata[name]["rows"]) == pytest.approx(
            decided * metrics["accuracy"]["value"]
        )
    assert strata["category"] == {"rows": [], "left_out": "the snapshot names no category"}
    assert metrics["rank_correlation"]["prompts"] == 24
    assert metrics["rank_correlation"]["spearman"]["low"] > 0.3
    disagreement = metrics["disagreement"]
    assert sum(one["error"]["n"] for one in disagreement["bins"]) == decided
    assert disagreement["aurc_oracle"] < disagreement["aurc"]
    assert disagreement["error"]["value"] == pytest.approx(1 - metrics["accuracy"]["value"])
    assert disagreement["curve"][-1] == [1.0, pytest.approx(1 - metrics["accuracy"]["value"])]
    far = metrics["out_of_distribution"]
    assert sum(one["error"]["n"] for one in far["bins"]) == decided
    assert 0 <= far["flagged"]["value"] < 0.1
    moves = {row["name"]: row for row in metrics["probes"]["rows"]}
    assert len(moves) == 8
    assert moves["truncation"]["value"] < 0 < moves["repetition"]["value"]  # longer is better on the whole
    assert all(row["n"] == 30 for row in moves.values())
    grown = metrics["learning_curve"]["rows"]
    assert [row["votes"] for row in grown] == sorted(row["votes"] for row in grown)
    assert all(row["accuracy"]["n"] == decided for row in grown)
    assert (metrics["learning_curve"]["gain"] is None) == (metrics["learning_curve"]["reason"] is not None)


@pytest.mark.slow
def test_rankings_categories_and_what_the_configuration_leaves_out(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tests.rewardmodel.synthetic import write_tables

    made, settings = prepare(tmp_path, prompts=24, probe_responses=0, curve_heads=0)
    responses = pq.read_table(made / "responses.parquet").to_pylist()
    for row in responses:
        row["category"] = None if row["prompt_id"] == "p000" else f"kind {int(row['prompt_id'][1:]) % 2}"
    snapshot = write_tables(
        tmp_path / "two", responses, pq.read_table(made / "preferences.parquet").to_pylist()
    )
    common = {"criterion": "overall", "kind": "ranking", "weight": 1.0, "split": "train"}
    answers = [
        {"prompt_id": f"p{p:03}", "item_id": f"i{p}", "annotator": who, **common,
         "responses": [f"p{p:03}r{r}" for r in (2, 0, 1)], "ranks": ranks}
        for p in range(6) for who, ranks in (("x", [1, 2, 3]), ("y", [1, 3, 2]))
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(answers, ANSWER_SCHEMA), snapshot / "judgments.parquet")
    assert train(snapshot, tmp_path / "run", settings) == 0
    metrics = read(tmp_path / "run" / "metrics.json")
    category = {row["name"]: row for row in metrics["strata"]["category"]["rows"]}
    assert (category["kind 0"]["prompts"], category["kind 1"]["prompts"]) == (11, 12)
    correlated = metrics["rank_correlation"]
    assert correlated["source"] == "rankings: mean ranks"
    assert (correlated["spearman"]["n"], correlated["responses"]) == (6, 3)
    assert metrics["probes"]["left_out"] == "the configuration asks for no probes"
    assert metrics["learning_curve"]["left_out"] == "the configuration asks for no learning curve"


@pytest.mark.slow
def test_labels_of_a_held_out_prompt_do_not_reach_its_predictions(tmp_path: Path) -> None:
    """Turn every vote of one prompt around: what the heads say of that prompt stays, of others it moves.

    Its blend is learned from the other prompts, judged by heads that did learn from this one: two numbers may
    move, the factors of the heads and of length, and nothing else.
    """
    import pyarrow.parquet as pq

    from tests.rewardmodel.synthetic import write_tables

    snapshot, settings = prepare(tmp_path)
    turned = pq.read_table(snapshot / "preferences.parquet").to_pylist()
    for row in turned:
        if row["prompt_id"] == "p004":
            row["p_a"], row["p_b"] = row["p_b"], row["p_a"]
    other = write_tables(
        tmp_path / "turned", pq.read_table(snapshot / "responses.parquet").to_pylist(), turned
    )
    found = []
    for source, name in ((snapshot, "one"), (other, "two")):
        assert train(source, tmp_path / name, settings) == 0
        found.append(pq.read_table(tmp_path / name / "predictions.parquet").to_pydict())
    mine = np.array(found[0]["prompt_id"]) == "p004"
    one, two = (np.array(run["d_heads"]) for run in found)
    np.testing.assert_allclose(one[mine], two[mine], atol=1e-5)
    assert np.abs(one[~mine] - two[~mine]).max() > 0.01
    for table in found:
        seen = np.stack([table["d_heads"], table["d_length"]], axis=1)[mine]
        mixed = np.array(table["d"])[mine]
        factors = np.linalg.lstsq(seen, mixed)[0]
        np.testing.assert_allclose(seen @ factors, mixed, atol=1e-5)


@pytest.mark.slow
def test_a_run_is_repeatable_and_a_finished_one_is_left_alone(tmp_path: Path) -> None:
    snapshot, settings = prepare(tmp_path)
    for name in ("one", "two"):
        assert train(snapshot, tmp_path / name, settings) == 0
    heads = [(tmp_path / name / "ensemble" / "heads.safetensors").read_bytes() for name in ("one", "two")]
    assert heads[0] == heads[1]
    before = (tmp_path / "one" / "metrics.json").stat().st_mtime_ns
    assert train(snapshot, tmp_path / "one", settings) == 0
    assert (tmp_path / "one" / "metrics.json").stat().st_mtime_ns == before


@pytest.mark.slow
def test_scoring_gives_the_rewards_of_the_ensemble(tmp_path: Path) -> None:
    snapshot, settings = prepare(tmp_path)
    assert train(snapshot, tmp_path / "run", settings) == 0
    out = tmp_path / "scores.npz"
    arguments = [str(tmp_path / "run" / "ensemble"), str(snapshot / "responses.parquet"), str(out)]
    assert score.main([*arguments, "--cache", str(tmp_path / "cache")]) == 0
    with np.load(out, allow_pickle=False) as scores:
        rewards, features = scores["rewards"], scores["features"]
        assert rewards.shape == (72, 8)
        assert (rewards.dtype, features.dtype) == (np.float32, np.float32)
        assert scores["response_id"].tolist()[:2] == ["p000r0", "p000r1"]
        loaded = ensemble.load(tmp_path / "run" / "ensemble")
        np.testing.assert_allclose(rewards, features @ loaded.parameters["linear"].numpy(), atol=1e-5)
        assert scores["temperature"] == loaded.temperature
        assert scores["tau"] == loaded.tau
        columns = features[:, training_features.embedding_columns(features.shape[1])]
        assert loaded.reference is not None
        np.testing.assert_array_equal(scores["ood_distance"], loaded.reference.distance(columns))
        assert scores["ood"].tolist() == (scores["ood_distance"] > loaded.reference.threshold).tolist()
    assert rewards.std(axis=1).mean() > 0.01  # the members disagree


@pytest.mark.slow
def test_an_ensemble_of_before_has_no_reference_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    snapshot, settings = prepare(tmp_path)
    assert train(snapshot, tmp_path / "run", settings) == 0
    folder = tmp_path / "run" / "ensemble"
    description = read(folder / "ensemble.json")
    (folder / "ood.safetensors").write_bytes(b"other")
    with pytest.raises(EnsembleError, match=r"ood\.safetensors .* is not the file"):
        ensemble.load(folder)
    del description["ood_sha256"]
    (folder / "ensemble.json").write_text(json.dumps(description))
    assert ensemble.load(folder).reference is None
    arguments = [str(folder), str(snapshot / "responses.parquet"), str(tmp_path / "scores.npz")]
    assert score.main([*arguments, "--cache", str(tmp_path / "cache")]) == 0
    with np.load(tmp_path / "scores.npz", allow_pickle=False) as scores:
        assert "ood" not in scores


@pytest.mark.slow
def test_an_ensemble_is_not_used_with_another_encoder_or_other_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot, settings = prepare(tmp_path)
    assert train(snapshot, tmp_path / "run", settings) == 0
    write_encoder(tmp_path / "encoder", seed=9)
    folder = tmp_path / "run" / "ensemble"
    assert score.main([str(folder), str(snapshot / "responses.parquet"), str(tmp_path / "o.npz")]) == 1
    assert "Train again" in capsys.readouterr().err
    assert not (tmp_path / "o.npz").exists()
    with (folder / "heads.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x7f")
    with pytest.raises(EnsembleError, match="not the file"):
        ensemble.load(folder)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [({"prompts": 3, "responses": 3}, "too_few"), ({"prompts": 2, "responses": 9}, "too_few")],
)
def test_too_little_fails_with_its_reason(tmp_path: Path, shape: dict[str, int], kind: str) -> None:
    snapshot, settings = prepare(tmp_path, **shape)
    assert train(snapshot, tmp_path / "run", settings) == 1
    failure = read(tmp_path / "run" / "failure.json")
    assert failure["kind"] == kind
    assert "training needs at least" in failure["reason"]
    assert not (tmp_path / "run" / "metrics.json").exists()


@pytest.mark.slow
def test_three_prompts_are_enough(tmp_path: Path) -> None:
    snapshot, settings = prepare(tmp_path, prompts=3, responses=5)
    assert train(snapshot, tmp_path / "run", settings) == 0
    assert read(tmp_path / "run" / "metrics.json")["evaluated"]["prompts"] == 3


@pytest.mark.slow
def test_a_changed_snapshot_or_configuration_is_not_mixed_into_a_run(tmp_path: Path) -> None:
    snapshot, settings = prepare(tmp_path)
    assert train(snapshot, tmp_path / "run", settings) == 0
    other = write_snapshot(tmp_path / "other", prompts=12, responses=6, seed=1)
    assert train(other, tmp_path / "run", settings) == 1
    assert "another snapshot" in read(tmp_path / "run" / "failure.json")["reason"]
    settings.write_text(settings.read_text().replace('"bootstrap": 200', '"bootstrap": 300'))
    assert train(snapshot, tmp_path / "run", settings) == 1
    assert "another configuration" in read(tmp_path / "run" / "failure.json")["reason"]
    (snapshot / "responses.parquet").write_bytes(b"")
    assert train(snapshot, tmp_path / "new", settings) == 1
    failure = read(tmp_path / "new" / "failure.json")
    assert failure["kind"] == "snapshot"
    assert "has changed" in failure["reason"]


def test_a_configuration_error_reaches_the_run_folder(tmp_path: Path) -> None:
    snapshot, settings = prepare(tmp_path, headz=3)
    assert train(snapshot, tmp_path / "run", settings) == 1
    assert "headz" in read(tmp_path / "run" / "failure.json")["reason"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (MemoryError(), "out_of_memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "out_of_memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."), "out_of_memory"),
    ],
)
def test_a_full_disk_and_too_little_memory_are_said_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: str
) -> None:
    snapshot, settings = prepare(tmp_path)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(run.checkpoint, "write", fail)
    assert train(snapshot, tmp_path / "run", settings) == 1
    assert read(tmp_path / "run" / "failure.json")["kind"] == kind
    monkeypatch.undo()
    assert train(snapshot, tmp_path / "run", settings) == 0  # and the same folder can be tried again
    assert not (tmp_path / "run" / "failure.json").exists()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state"
    files.write_bytes(path, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["state"]
