"""Several criteria in one run: heads of their own, an overall by the project's weights."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from rewardmodel.evaluation import probes
from rewardmodel.pages import criteria as criteria_page
from rewardmodel.pages import findings
from rewardmodel.training import __main__ as command
from rewardmodel.training import data, ensemble, heads, overall, plan
from rewardmodel.training.config import TrainingConfig
from rewardmodel.training.overall import Criterion
from rewardmodel.training.scoring import score
from tests.rewardmodel.synthetic import write_encoder, write_snapshot, write_tables


def write_two(
    folder: Path, weights: dict[str, float] | None, *, thin: bool = False, apart: bool = False
) -> Path:
    """Helpfulness as the words have it, and brevity: the shorter response wins."""
    plain = write_snapshot(folder / "plain", prompts=14, responses=6)
    responses = pq.read_table(plain / "responses.parquet").to_pylist()
    length = {row["response_id"]: len(row["text"]) for row in responses}
    rows: list[dict[str, Any]] = []
    for row in pq.read_table(plain / "preferences.parquet").to_pylist():
        shorter = length[row["response_a"]] < length[row["response_b"]]
        rows.append(row | {"criterion": "helpfulness"})
        rows.append(row | {"criterion": "brevity", "p_a": float(shorter), "p_b": 1.0 - shorter, "p_tie": 0.0})
    if thin:
        rows = [row for i, row in enumerate(rows) if row["criterion"] == "helpfulness" or i < 20]
    if apart:  # no pair has both
        rows = [row for i, row in enumerate(rows) if i % 4 in (0, 3)]
    write_tables(folder / "two", responses, rows)
    path = folder / "two" / "manifest.json"
    manifest = json.loads(path.read_text()) | {"criteria": ["helpfulness", "brevity"]}
    path.write_text(json.dumps(manifest | ({} if weights is None else {"criteria_weights": weights})))
    return folder / "two"


def train(folder: Path, snapshot: Path, **settings: Any) -> dict[str, Any]:
    tiny = write_encoder(folder / "encoder")
    settings = {"encoder": str(tiny), "bootstrap": 100, "leave_one_out": 5, "folds": 4, **settings}
    (folder / "settings.json").write_text(json.dumps(settings))
    arguments = [str(snapshot), str(folder / "run"), "--config", str(folder / "settings.json")]
    assert command.main([*arguments, "--cache", str(folder / "cache")]) == 0
    found: dict[str, Any] = json.loads((folder / "run" / "metrics.json").read_text())
    return found


def check_reports(metrics: dict[str, Any]) -> None:
    """Of the overall and of each criterion: made of its own pairs, and of the same altered texts."""
    reports = {"overall": metrics, **metrics["criteria"]}
    for report in reports.values():
        decided, accuracy = report["accuracy"]["n"], report["accuracy"]["value"]
        rows = report["strata"]["longer_won"]["rows"]
        assert sum(row["n"] for row in rows) == decided
        assert sum(row["n"] * row["value"] for row in rows) == pytest.approx(decided * accuracy)
        assert report["disagreement"]["error"]["value"] == pytest.approx(1 - accuracy)
        assert sum(one["error"]["n"] for one in report["out_of_distribution"]["bins"]) == decided
        assert report["strata"]["origin"]["left_out"] is None
        assert report["rank_correlation"]["spearman"]["value"] > 0.2
        assert len(findings.answers(report)) == 6  # as the page of the run shows them
        assert len(findings.chapters(report)) == 4
    page = criteria_page.criteria(metrics, "brevity")
    assert page is not None
    assert [line.weight for line in page.lines] == ["", "75 %", "25 %"]
    noticed = [report["probes"]["noticed"] for report in reports.values()]
    assert noticed[0] == noticed[1] == noticed[2]
    moves = {name: {row["name"]: row["value"] for row in report["probes"]["rows"]}
             for name, report in reports.items()}  # fmt: skip
    assert moves["brevity"]["repetition"] < 0 < moves["brevity"]["truncation"]
    assert moves["helpfulness"]["truncation"] < 0 < moves["helpfulness"]["repetition"]
    assert reports["helpfulness"]["learning_curve"]["rows"]
    for name in ("overall", "brevity"):
        why = reports[name]["learning_curve"]["left_out"]
        assert why == "for its cost it was drawn for helpfulness only"


@pytest.mark.slow
def test_a_text_left_as_it_is_keeps_its_reward_on_every_criterion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "PROBES", {"nothing": str})
    metrics = train(tmp_path, write_two(tmp_path, None), curve_heads=0, max_steps=20)
    for report in (metrics, *metrics["criteria"].values()):
        same, other = report["probes"]["rows"]
        assert (same["name"], other["name"]) == ("nothing", "another_prompt")
        assert same["n"] == 40
        assert same["low"] == pytest.approx(0, abs=1e-4) == same["high"]
        assert other["high"] - other["low"] > 0.01


@pytest.mark.slow
def test_where_the_overall_is_not_tested_the_first_criterion_stands_for_it(tmp_path: Path) -> None:
    snapshot = write_two(tmp_path, None, apart=True)
    metrics = train(tmp_path, snapshot, curve_heads=0, max_steps=20, probe_responses=0)
    assert metrics["overall"]["tested"] is False
    assert metrics["criterion"] == "helpfulness"
    assert metrics["weights"] == {"helpfulness": 0.5, "brevity": 0.5}
    for name, value in metrics["criteria"]["helpfulness"].items():
        assert metrics[name] == value, name
    assert metrics["criteria"]["brevity"]["strata"]["longer_won"]["rows"]


@pytest.mark.slow
def test_each_criterion_has_heads_of_its_own_and_the_overall_weighs_them(tmp_path: Path) -> None:
    snapshot = write_two(tmp_path, {"helpfulness": 3, "brevity": 1})
    metrics = train(tmp_path, snapshot)
    assert metrics["criterion"] == overall.NAME
    assert metrics["weights"] == {"helpfulness": 0.75, "brevity": 0.25}
    assert set(metrics["criteria"]) == {"helpfulness", "brevity"}
    assert metrics["criteria"]["brevity"]["accuracy"]["value"] > 0.9
    assert metrics["criteria"]["helpfulness"]["accuracy"]["value"] > 0.7
    assert metrics["evaluated"]["pairs"] == metrics["criteria"]["brevity"]["evaluated"]["pairs"]
    check_reports(metrics)
    kept = ensemble.load(tmp_path / "run" / "ensemble")
    assert [(one.name, one.weight) for one in kept.criteria] == [("helpfulness", 3.0), ("brevity", 1.0)]
    out = tmp_path / "scores.npz"
    arguments = [str(tmp_path / "run" / "ensemble"), str(snapshot / "responses.parquet"), str(out)]
    assert score.main([*arguments, "--cache", str(tmp_path / "cache")]) == 0
    with np.load(out, allow_pickle=False) as scores:
        assert scores["criteria"].tolist() == ["helpfulness", "brevity"]
        assert scores["criteria_rewards"].shape == (2, *scores["rewards"].shape)
        helpful, brief = scores["criteria_rewards"]
        length = scores["features"][:, 0]
        mixed = (0.75 * helpful + 0.25 * brief) / scores["temperature"]  # on the scale that is calibrated
        rest = scores["rewards"] - mixed  # the overall's own part of length, in its own units
    table = pq.read_table(snapshot / "responses.parquet")
    characters = np.array([len(text) for text in table["text"].to_pylist()])
    assert np.corrcoef(brief.mean(1), characters)[0, 1] < -0.8
    slope = (rest[:, 0] @ length) / (length @ length)
    np.testing.assert_allclose(rest, np.outer(length, np.full(rest.shape[1], slope)), atol=1e-4)


@pytest.mark.slow
def test_a_criterion_called_overall_is_the_overall(tmp_path: Path) -> None:
    snapshot = write_two(tmp_path, {"helpfulness": 0, "brevity": 1})
    metrics = train(tmp_path, snapshot)
    assert metrics["criterion"] == "brevity"
    assert metrics["accuracy"] == metrics["criteria"]["brevity"]["accuracy"]
    kept = ensemble.load(tmp_path / "run" / "ensemble")
    for name, value in kept.parameters.items():
        assert torch.equal(value, kept.criteria[0].parameters[name])
    assert data.criteria_weights({}, ["overall", "tone"]) == {"overall": 1.0, "tone": 0.0}
    assert data.criteria_weights({}, ["tone", "style"]) == {"tone": 1.0, "style": 1.0}
    both = {"criteria_weights": {"overall": 1, "tone": 2}}
    assert data.criteria_weights(both, ["overall", "tone"]) == {"overall": 1.0, "tone": 2.0}


@pytest.mark.slow
def test_a_criterion_with_too_few_pairs_is_left_out_and_counted(tmp_path: Path) -> None:
    metrics = train(tmp_path, write_two(tmp_path, None, thin=True))
    assert metrics["criterion"] == "helpfulness"
    assert "criteria" not in metrics
    assert {"reason": "pairs of brevity, too few to learn from", "count": 10} in metrics["left_out"]


@pytest.mark.slow
def test_one_criterion_can_be_named(tmp_path: Path) -> None:
    metrics = train(tmp_path, write_two(tmp_path, None), criterion="brevity")
    assert metrics["criterion"] == "brevity"
    assert "criteria" not in metrics
    assert dict(kv.values() for kv in metrics["left_out"])["another criterion"] == 14 * 15


@pytest.mark.slow
def test_an_ensemble_of_the_former_format_is_read(tmp_path: Path) -> None:
    train(tmp_path, write_snapshot(tmp_path / "s", prompts=6))
    path = tmp_path / "run" / "ensemble" / "ensemble.json"
    description = json.loads(path.read_text())
    assert description["format"] == "laurel-ensemble/2"
    del description["criteria"]
    path.write_text(json.dumps(description | {"format": "laurel-ensemble/1"}))
    (alone,) = ensemble.load(tmp_path / "run" / "ensemble").criteria
    assert (alone.name, alone.weight) == ("overall", 1.0)


@pytest.mark.parametrize("hidden", [0, 5])
def test_the_overall_is_a_head_of_the_same_kind(hidden: int) -> None:
    rng = np.random.default_rng(0)
    x = torch.tensor(rng.normal(size=(9, 6)), dtype=torch.float32)
    criteria = [
        Criterion(name, weight, heads.initialise(4, 6, hidden, rng), temperature, 0.0)
        for name, weight, temperature in (("a", 1.0, 0.5), ("b", 0.0, 1.0), ("c", 3.0, 2.0))
    ]
    together = heads.rewards(overall.parameters(criteria), x)
    first, _, third = (heads.rewards(one.parameters, x) for one in criteria)
    torch.testing.assert_close(together, 0.25 / 0.5 * first + 0.75 / 2 * third)
    torch.testing.assert_close(
        heads.rewards(heads.select(overall.parameters(criteria), [2]), x)[:, 0], together[:, 2]
    )


def test_criteria_that_hold_out_other_prompts_have_no_common_plan(tmp_path: Path) -> None:
    snapshots = {one.criterion: one for one in data.read_criteria(write_two(tmp_path, None), None)}
    weights = {"helpfulness": 0.5, "brevity": 0.5}
    common = overall.common(snapshots, weights)
    mean = (snapshots["helpfulness"].pairs.shares + snapshots["brevity"].pairs.shares) / 2
    np.testing.assert_allclose(common.pairs.shares, mean)
    one, other = (plan.make(common.pairs, TrainingConfig(seed=seed)) for seed in (0, 1))
    assert overall.common_plan([one, one], common.pairs.prompt) is not None
    assert overall.common_plan([one, other], common.pairs.prompt) is None


def test_a_prompt_without_votes_on_one_criterion_leaves_the_others_common(tmp_path: Path) -> None:
    plain = write_snapshot(tmp_path / "plain", prompts=30)
    responses = pq.read_table(plain / "responses.parquet").to_pylist()
    judged = pq.read_table(plain / "preferences.parquet").to_pylist()
    helpful = [row | {"criterion": "helpfulness"} for row in judged]
    brief = [row | {"criterion": "brevity"} for row in judged if row["prompt_id"] != "p007"]
    folder = write_tables(tmp_path / "less", responses, helpful + brief)
    snapshots = {one.criterion: one for one in data.read_criteria(folder, None)}
    pairs = overall.common(snapshots, {"helpfulness": 0.5, "brevity": 0.5}).pairs
    split, crossed = (
        [plan.make(one.pairs, config) for one in snapshots.values()]
        for config in (TrainingConfig(cross_fit_below=0), TrainingConfig())
    )
    assert {len(one.prompts) for one in split} == {29, 30}
    made = overall.common_plan(split, pairs.prompt)
    assert made is not None
    np.testing.assert_array_equal(made.prompts[made.prompt], pairs.prompt)
    np.testing.assert_array_equal(made.held_out[0][made.prompt], pairs.split != "train")
    assert overall.common_plan(crossed, pairs.prompt) is None  # folds of other prompts
