"""Recipes side by side on labels that are there: splits, what may be bought, sums, and going on."""

import json
from pathlib import Path

import numpy as np
import pytest

from activelearning.acquisition import comparing
from activelearning.acquisition.comparing import CannotCompare, Labelled, Plan
from activelearning.acquisition.replay import Trace

PROMPTS, EACH, WIDTH = 40, 4, 4


def labelled(prompts: int = PROMPTS, *, seed: int = 0, decided: bool = True) -> Labelled:
    """Votes of a linear reward."""
    rng = np.random.default_rng(seed)
    prompt = np.repeat(np.arange(prompts), EACH)
    z = rng.normal(size=(len(prompt), WIDTH)).astype(np.float32)
    i, j = np.triu_indices(EACH, 1)
    base = np.arange(prompts)[:, None] * EACH
    first, second = (base + i).ravel(), (base + j).ravel()
    won = (z[first] - z[second]) @ np.array([2.0, -1.0, 0.5, 0.0]) + rng.logistic(size=len(first)) > 0
    counts = np.stack([won, np.zeros(len(won)), ~won], axis=1) * 1.0
    if not decided:
        counts[:] = [0.0, 1.0, 0.0]
    return Labelled(z, prompt, first, second, counts)


def folder(path: Path, data: Labelled, plan: Plan) -> Path:
    np.savez(
        path / "world.npz", features=data.z, prompt=data.prompt, first=data.first, second=data.second,
        counts=data.counts,
    )  # fmt: skip
    (path / "plan.json").write_text(
        json.dumps({"recipes": plan.recipes, "seeds": plan.seeds, "batch": plan.batch})
    )
    return path


def trace(accuracy: list[float]) -> Trace:
    values = np.array(accuracy)
    return Trace(np.array([10, 20, 30, 40]), values, -values, values, values, values)


def test_prompts_measure_or_are_bought_from_never_both() -> None:
    data = labelled()
    worlds = [comparing.split(data, seed) for seed in range(3)]
    for world in worlds:
        sides = [set(data.prompt[data.first[rows]].tolist()) for rows in (world.pool, world.test)]
        assert not sides[0] & sides[1]
        assert len(sides[1]) == 12
        assert len(world.pool) + len(world.test) == len(data.first)
    assert not np.array_equal(worlds[0].test, worlds[1].test)


def test_the_pool_is_never_bought_empty() -> None:
    worlds = [comparing.split(labelled(), 0)]
    assert len(worlds[0].pool) == 168
    assert comparing.labels_bought(worlds, 25) == 100
    assert comparing.labels_bought(worlds, 1) == comparing.MOST_BATCHES
    with pytest.raises(CannotCompare, match="choose batches of 33 or fewer"):
        comparing.labels_bought(worlds, 60)


@pytest.mark.parametrize(
    ("data", "said"),
    [(labelled(6), "6 prompts have labelled pairs; 10"), (labelled(decided=False), "Only 0 of the pairs")],
)
def test_too_little_to_measure_on_is_said(data: Labelled, said: str) -> None:
    with pytest.raises(CannotCompare, match=said):
        comparing.split(data, 0)


def test_a_recipe_that_is_twice_as_fast_needs_half_the_labels() -> None:
    random = [trace([0.5, 0.6, 0.7, 0.8])] * 5
    fast, never = [trace([0.6, 0.8, 0.9, 0.9])] * 5, [trace([0.5, 0.55, 0.6, 0.6])] * 5
    found = comparing.summary({"regret": fast, "d-optimal": never, "random": random})
    assert found["levels"] == [{"at": 20, "accuracy": 0.6}, {"at": 40, "accuracy": 0.8}]
    by_name = {one["name"]: one for one in found["recipes"]}
    assert [needed["value"] for needed in by_name["regret"]["needed"]] == [0.5, 0.5]
    assert [needed["censored"] for needed in by_name["d-optimal"]["needed"]] == [False, True]
    assert by_name["regret"]["gain"]["value"] == pytest.approx(0.15)
    assert by_name["random"]["gain"] is None
    assert [point["value"] for point in by_name["random"]["curve"]] == pytest.approx([0.5, 0.6, 0.7, 0.8])


@pytest.mark.slow
def test_the_program_goes_on_where_it_was_and_says_the_same(tmp_path: Path) -> None:
    plan = Plan(("regret", "random"), 3, 25)
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
        folder(tmp_path / name, labelled(), plan)
    assert comparing.main(tmp_path / "whole") == 0
    lines = (tmp_path / "whole/traces.jsonl").read_text().splitlines(keepends=True)
    assert len(lines) == 6
    (tmp_path / "cut/traces.jsonl").write_text("".join(lines[:4]) + lines[4][:40])  # killed while writing
    assert comparing.main(tmp_path / "cut") == 0
    again = (tmp_path / "cut/traces.jsonl").read_text().splitlines(keepends=True)
    assert again[:4] == lines[:4]
    assert len(again) == 6
    whole, cut = (json.loads((tmp_path / name / "result.json").read_text()) for name in ("whole", "cut"))
    assert whole == cut
    assert json.loads((tmp_path / "cut/progress.json").read_text()) == {"done": 6, "total": 6}
    assert whole["labels"] == 100
    random = next(one for one in whole["recipes"] if one["name"] == "random")
    assert [needed["value"] for needed in random["needed"]] == [1.0, 1.0]
    assert random["curve"][-1]["value"] > 0.65


def test_the_program_says_why_it_cannot(tmp_path: Path) -> None:
    assert comparing.main(folder(tmp_path, labelled(6), Plan(("random",), 3, 5))) == 1
    assert "prompts have labelled pairs" in json.loads((tmp_path / "failure.json").read_text())["reason"]
