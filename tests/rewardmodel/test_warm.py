"""Beginning where another fit ended: the same draws, the same rewards, no prompt seen that must not be."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rewardmodel.training import heads, loop, run, stopping, warm
from rewardmodel.training.config import TrainingConfig
from rewardmodel.training.features import SURFACE, Standardisation
from tests.rewardmodel.synthetic import write_encoder, write_snapshot
from tests.rewardmodel.test_heads_and_loop import begin, problem, quiet, simulate

WIDTH = len(SURFACE) + 1 + 4
NAMES = [f"prompt {i}" for i in range(40)]
NOBODY = np.zeros(40, dtype=bool)


def layout(seed: int = 0, revision: str = "one") -> warm.Layout:
    rng = np.random.default_rng(seed)
    return warm.Layout(revision, Standardisation(rng.normal(size=WIDTH), rng.uniform(0.5, 2, WIDTH), 1e9))


def beginning(prompts: int, *, hidden: int = 0, seed: int = 0, models: int = 8) -> warm.Beginning:
    rng = np.random.default_rng(seed)
    parameters = heads.initialise(models, WIDTH, hidden, rng)
    return warm.Beginning(parameters, heads.bootstrap((np.zeros(prompts, bool),), prompts, models, rng))


def keep(folder: Path, old: warm.Beginning, prompts: int = 30) -> None:
    warm.save(folder, "overall", layout(), NAMES[:prompts], old.draws.inside, old.parameters)


def test_known_prompts_are_drawn_as_before_and_new_ones_anew(tmp_path: Path) -> None:
    old, cold = beginning(30), beginning(40, seed=1)
    keep(tmp_path, old)
    order = np.random.default_rng(2).permutation(40)
    found = warm.begin(tmp_path, "overall", layout(), [NAMES[i] for i in order], [NOBODY], cold)
    assert (found.warm, found.words) == (True, "the ensemble in use, which knew 30 of 40 prompts")
    for row, i in enumerate(order.tolist()):
        if i < 30 and old.draws.inside[i].any():
            assert torch.equal(found.draws.inside[row], old.draws.inside[i])
            stopping = found.draws.outside[row] > 0
            assert (old.draws.inside[i][stopping] == 0).all()  # no head stops by what it began with
        else:
            assert torch.equal(found.draws.inside[row], cold.draws.inside[row])


@pytest.mark.parametrize("hidden", [0, 3])
def test_the_heads_say_the_same_of_features_standardised_anew(tmp_path: Path, hidden: int) -> None:
    old = beginning(30, hidden=hidden)
    keep(tmp_path, old)
    now = layout(seed=5)
    found = warm.begin(tmp_path, "overall", now, NAMES, [NOBODY], beginning(40, hidden=hidden, seed=1))
    assert found.warm
    raw = 0.3 * np.random.default_rng(3).normal(size=(50, WIDTH))  # inside the bounds of either
    before = heads.rewards(old.parameters, torch.from_numpy(layout().standardisation.apply(raw)))
    after = heads.rewards(found.parameters, torch.from_numpy(now.standardisation.apply(raw)))
    moved = before - after
    torch.testing.assert_close(moved, moved[:1].expand_as(moved), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"held_out": [NOBODY, NOBODY]}, "cross-fitted"),
        ({"criterion": "harmlessness"}, "has not kept where it ended"),
        ({"layout": layout(revision="two")}, "another encoder"),
        ({"cold": beginning(40, models=9)}, "has 8 heads"),
        ({"cold": beginning(40, hidden=4)}, "another shape"),
        ({"held_out": [~NOBODY]}, "held out now"),
    ],
)
def test_what_does_not_fit_begins_from_nothing_and_says_why(
    tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    keep(tmp_path, beginning(30))
    asked = {"criterion": "overall", "layout": layout(), "held_out": [NOBODY], "cold": beginning(40, seed=1)}
    asked |= change
    found = warm.begin(tmp_path, prompts=NAMES, **asked)  # type: ignore[arg-type]
    assert not found.warm
    assert found.words.startswith("nothing: ")
    assert reason in found.words
    cold = asked["cold"]
    assert isinstance(cold, warm.Beginning)
    assert found.draws is cold.draws


def test_a_damaged_file_begins_from_nothing(tmp_path: Path) -> None:
    keep(tmp_path, beginning(30))
    for path in tmp_path.iterdir():
        path.write_bytes(b"\x00" * 40)
    assert not warm.begin(tmp_path, "overall", layout(), NAMES, [NOBODY], beginning(40)).warm


@pytest.mark.slow
def test_with_a_tenth_more_votes_warm_and_cold_say_the_same_and_warm_is_quicker(tmp_path: Path) -> None:
    x, left, right, p = simulate(prompts=220, d=WIDTH)
    rng = np.random.default_rng(0)
    shares = np.stack([rng.multinomial(3, row) for row in p]) / 3
    config = TrainingConfig(max_steps=150)
    same = warm.Layout("one", Standardisation(np.zeros(WIDTH), np.ones(WIDTH)))
    names = [f"p{i}" for i in range(220)]
    before = problem(x[:1000], left[:2000], right[:2000], shares[:2000], 3.0)
    parent = loop.fit(before, config, begin(before), quiet)
    warm.save(tmp_path, "overall", same, names[:200], before.draws.inside, parent.best)
    after = problem(x, left, right, shares, 3.0)
    empty = warm.Beginning(begin(after).parameters, after.draws)
    found = warm.begin(tmp_path, "overall", same, names, [np.zeros(220, dtype=bool)], empty)
    after = replace(after, draws=found.draws)
    cold = loop.fit(after, config, begin(after), quiet)
    quick = loop.fit(after, warm.gentle(config), loop.start(found.parameters), quiet)
    assert quick.step < 0.75 * cold.step
    one, other = (heads.rewards(state.best, x).mean(1) for state in (cold, quick))
    assert torch.corrcoef(torch.stack([one, other]))[0, 1] > 0.99
    assert float(quick.lowest.mean()) < float(cold.lowest.mean()) + 0.005


@pytest.mark.slow
def test_a_run_begins_where_another_ended_and_says_so(tmp_path: Path) -> None:
    snapshot = write_snapshot(tmp_path / "snapshot", prompts=60)
    encoder = write_encoder(tmp_path / "encoder")
    settings = TrainingConfig(encoder=str(encoder), bootstrap=100, cross_fit_below=50)
    found = {}
    for name, start in (("parent", None), ("child", "../parent/ensemble")):
        request = run.Request(
            snapshot, tmp_path / name, replace(settings, warm_start=start), tmp_path / "cache"
        )
        found[name] = run.train(request, stopping.Stop())
    assert found["parent"]["training"]["started_from"] == "nothing"
    assert found["child"]["training"]["started_from"] == "the ensemble in use, which knew 60 of 60 prompts"
    assert found["child"]["training"]["steps"] < found["parent"]["training"]["steps"]
    assert found["child"]["nll"] == pytest.approx(found["parent"]["nll"], abs=0.01)
