"""The arithmetic of a device picks what NumPy picks; on "cpu" everywhere, on "cuda" where there is one."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from activelearning.acquisition.arithmetic import NUMPY, Arithmetic
from activelearning.acquisition.design import GreedyDesign, greedy_batch
from activelearning.acquisition.group_pool import open_groups
from activelearning.acquisition.group_recipe import select_groups
from activelearning.acquisition.on_device import NO_DEVICE, Call
from activelearning.acquisition.posterior import Posterior
from activelearning.acquisition.prompt_effects import prompt_effects
from activelearning.acquisition.quotas import recipe_named
from activelearning.acquisition.recipe import select_batch
from activelearning.acquisition.selection import Selection
from activelearning.acquisition.shards import Shard, shortlist
from activelearning.acquisition.target import moment
from tests.activelearning.acquisition import worlds

pytestmark = pytest.mark.slow  # torch takes seconds to load

RECIPES = ["regret", "i-optimal", "d-optimal", "mixed", "textbook", "bal-pm"]


def _devices() -> list[str]:
    import torch

    return ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> Arithmetic:
    from activelearning.acquisition.device import DeviceArithmetic

    if request.param not in _devices():
        pytest.skip(f"torch has no {request.param} here")
    return DeviceArithmetic(request.param)


def selected(recipe: str, arithmetic: Arithmetic, *, prompts: int = 40) -> Selection:
    pool = worlds.pool(prompts, 6, d=10, seed=4)
    candidates = worlds.every_pair(pool)
    labelled = worlds.labels(candidates, np.arange(0, len(candidates), 9), held_out=False)
    rng = np.random.default_rng(7)
    return select_batch(
        pool, candidates, labelled, n=60, rng=rng, recipe=recipe_named(recipe), arithmetic=arithmetic
    )


@pytest.mark.parametrize("recipe", RECIPES)
def test_it_picks_the_same_pairs_for_the_same_reasons(recipe: str, device: Arithmetic) -> None:
    there, here = selected(recipe, device), selected(recipe, NUMPY)
    assert [(p.response_a, p.response_b, p.reason) for p in there.pairs] == [
        (p.response_a, p.response_b, p.reason) for p in here.pairs
    ]
    for one, other in zip(there.pairs, here.pairs, strict=True):
        assert one.scores.gain == pytest.approx(other.scores.gain, rel=1e-4)
        assert one.scores.stake == pytest.approx(other.scores.stake, rel=1e-4)
    assert (there.quotas, there.notes) == (here.quotas, here.notes)


@pytest.mark.parametrize("with_target", [True, False])
@pytest.mark.parametrize("variance", [None, 1.0])
def test_a_design_stays_the_same_pick_after_pick(
    with_target: bool, variance: float | None, device: Arithmetic
) -> None:
    rng = np.random.default_rng(3)
    prompt = np.repeat(np.arange(30), 5)
    z = (rng.standard_normal((150, 12)) * np.linspace(2, 0.1, 12)).astype(np.float32)
    low, high = np.triu_indices(5, k=1)
    first, second = ((np.arange(30)[:, None] * 5 + side).ravel() for side in (low, high))
    v = rng.uniform(0.05, 0.25, len(first))
    posterior = Posterior(rng.standard_normal(12), np.eye(12) / 0.5, 0.5)
    effects = None
    if variance is not None:
        effects = prompt_effects(z, prompt, first[:40], second[:40], np.ones(40), posterior, variance)
        posterior = effects.posterior
    target = moment(z, first, second) if with_target else None
    one, other = (
        GreedyDesign(z, first, second, v, posterior.covariance, target, effects=effects, arithmetic=each)
        for each in (device, NUMPY)
    )
    np.testing.assert_allclose(one.gains(), other.gains(), rtol=1e-4)
    picks, gains = greedy_batch(one, 40)
    same, expected = greedy_batch(other, 40)
    assert picks.tolist() == same.tolist()
    single = 1e-5 * float(expected.max())  # single precision, of what was there before the first pick
    np.testing.assert_allclose(gains, expected, rtol=1e-5, atol=single)
    np.testing.assert_allclose(one.gains(), other.gains(), rtol=1e-5, atol=single)
    np.testing.assert_allclose(one.s2, other.s2, rtol=1e-4, atol=1e-4)
    outside = rng.standard_normal(12)
    assert one.observe(outside, 0.2) == pytest.approx(other.observe(outside, 0.2), rel=1e-6)


def test_equal_gains_go_to_the_lower_position_and_closed_pairs_to_nobody(device: Arithmetic) -> None:
    z = np.array([[0, 0], [1, 0], [0, 1], [0, 3]], dtype=np.float32)
    first, second = np.array([1, 2, 3]), np.array([0, 0, 0])
    design = GreedyDesign(z, first, second, np.full(3, 0.25), np.eye(2), arithmetic=device)
    assert design.best(np.array([True, True, False])) == 0
    assert design.best(np.array([False, True, False])) == 1
    assert design.best(np.array([True, True, True])) == 2
    assert design.best(np.zeros(3, dtype=bool)) is None


def test_groups_and_shortlists_too(device: Arithmetic) -> None:
    pool = worlds.pool(25, 6, d=8, seed=2)
    found = open_groups(pool.response_id, pool.prompt_id)
    options = {"n": 12, "size": 4, "recipe": recipe_named("regret")}
    there, here = (
        select_groups(pool, found, **options, rng=np.random.default_rng(1), arithmetic=each)  # type: ignore[arg-type]
        for each in (device, NUMPY)
    )
    assert there.groups == here.groups
    rng = np.random.default_rng(5)
    z = rng.standard_normal((200, 6)).astype(np.float32)
    first, second = np.arange(0, 200, 2), np.arange(1, 200, 2)
    shard = Shard(z, np.arange(200), first, second, np.arange(100))
    posterior = Posterior(rng.standard_normal(6), np.eye(6), 1.0)
    target = moment(z, first, second)
    one, other = (
        shortlist([shard], posterior, target, keep=30, seed=0, arithmetic=each) for each in (device, NUMPY)
    )
    assert one.number.tolist() == other.number.tolist()
    np.testing.assert_allclose(one.score, other.score, rtol=1e-4)


def test_the_program_carries_out_a_call_and_hands_the_generator_back(tmp_path: Path) -> None:
    pool = worlds.pool(20, 4, seed=1)
    candidates = worlds.every_pair(pool)
    rng, own = np.random.default_rng(3), np.random.default_rng(3)
    options = {"n": 15, "recipe": recipe_named("regret")}
    (tmp_path / "call").write_bytes(pickle.dumps(Call("pairs", (pool, candidates, None), options, rng)))
    assert run(tmp_path, "cpu").returncode == 0
    found, after = pickle.loads((tmp_path / "out").read_bytes())  # noqa: S301
    expected = select_batch(pool, candidates, None, rng=own, **options)  # type: ignore[arg-type]
    assert [(p.response_a, p.response_b) for p in found.pairs] == [
        (p.response_a, p.response_b) for p in expected.pairs
    ]
    assert after.random() == own.random() != np.random.default_rng(3).random()


@pytest.mark.parametrize("name", ["cuda:99", "nonsense"])
def test_a_device_that_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    done = run(tmp_path, name)
    assert done.returncode == NO_DEVICE
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def run(folder: Path, device: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "activelearning.acquisition.on_device", folder / "call", folder / "out"]
    words += ["--device", device]
    return subprocess.run(words, capture_output=True, text=True, check=False)
