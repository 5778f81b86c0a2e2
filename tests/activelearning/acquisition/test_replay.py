from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from activelearning.acquisition.curves import area_gain
from activelearning.acquisition.posterior import Posterior
from activelearning.acquisition.quotas import RECIPES, Part, Recipe
from activelearning.acquisition.replay import (
    Arm,
    draw_answers,
    expected_calibration_error,
    measure,
    replay,
)
from tests.activelearning.acquisition.worlds import linear_world

RANDOM = Arm(RECIPES["random"], cold=False)


def accuracies(arm: Arm, seeds: range) -> tuple[np.ndarray, np.ndarray]:
    found = [
        replay(linear_world(seed), arm, seed=seed, batch=20, labels=120, prior_precision=0.2)
        for seed in seeds
    ]
    return np.stack([one.accuracy for one in found]), np.stack([one.nll for one in found])


@pytest.mark.slow
def test_the_default_recipe_beats_random_at_equal_label_counts() -> None:
    active, random = accuracies(Arm(RECIPES["regret"]), range(12)), accuracies(RANDOM, range(12))
    assert area_gain(active[0], random[0]).low > 0
    assert area_gain(active[1], random[1]).high < 0


@pytest.mark.slow
def test_a_recipe_that_is_random_gains_nothing() -> None:
    """The control: were the harness itself in favour of one arm, this would show it."""
    other = Arm(Recipe("by chance", (Part("power"),), beta=0.0, random_share=0.0, cold_start="random"))
    active, random = accuracies(other, range(12)), accuracies(RANDOM, range(12))
    found = area_gain(active[0], random[0])
    assert found.low < 0 < found.high


@pytest.mark.slow
def test_labels_grow_by_the_batch_and_the_same_seed_gives_the_same_curve() -> None:
    world = linear_world(3)
    one = replay(world, Arm(RECIPES["mixed"]), seed=5, batch=30, labels=100, prior_precision=0.2)
    two = replay(world, Arm(RECIPES["mixed"]), seed=5, batch=30, labels=100, prior_precision=0.2)
    assert one.labels.tolist() == [30, 60, 90, 100]
    np.testing.assert_array_equal(one.accuracy, two.accuracy)
    assert len(one.seconds) == 4


def test_another_draw_is_another_order_of_the_same_votes() -> None:
    """Once all pairs are labelled the order no longer matters."""
    world = linear_world(3)
    all_of_it = {"batch": len(world.pool) // 2, "labels": len(world.pool), "prior_precision": 0.2}
    first, same, other = (replay(world, RANDOM, seed=5, draw=draw, **all_of_it) for draw in (0, 0, 2))
    assert first.nll[0] == same.nll[0] != other.nll[0]
    assert first.nll[-1] == pytest.approx(other.nll[-1], abs=1e-6)


@pytest.mark.parametrize("name", list(RECIPES))
def test_every_recipe_replays_without_repeating_a_pair(name: str) -> None:
    world = linear_world(1, prompts=30)
    arm = Arm(dataclasses.replace(RECIPES[name], keep=60))
    trace = replay(world, arm, seed=0, batch=25, labels=len(world.pool), prior_precision=0.2)
    assert trace.labels[-1] == len(world.pool)
    assert np.isfinite(trace.accuracy).all()
    whole = replay(world, RANDOM, seed=0, batch=25, labels=len(world.pool), prior_precision=0.2)
    assert trace.accuracy[-1] == pytest.approx(whole.accuracy[-1])  # all pairs, the same votes, one head
    assert trace.nll[-1] == pytest.approx(whole.nll[-1], abs=1e-5)


def test_answers_follow_the_votes() -> None:
    counts = np.tile([[3.0, 1.0, 1.0]], (20_000, 1))
    drawn = draw_answers(counts, np.random.default_rng(0))
    np.testing.assert_allclose(np.bincount(drawn) / 20_000, [0.6, 0.2, 0.2], atol=0.015)
    sure = draw_answers(np.array([[0.0, 0.0, 4.0], [0.0, 2.0, 0.0]]), np.random.default_rng(1))
    assert sure.tolist() == [2, 1]


def test_the_measures_of_a_perfect_and_a_reversed_model() -> None:
    world = linear_world(5)
    world = dataclasses.replace(world, counts=np.where(world.counts[:, :1] > 2, [[5.0, 0, 0]], [[0.0, 0, 5]]))
    x = (world.z[world.first] - world.z[world.second])[world.test].astype(float)
    lead = world.counts[world.test, 0] - world.counts[world.test, 2]
    theta = np.linalg.lstsq(x, lead, rcond=None)[0]
    right = np.mean(np.sign(x @ theta) == np.sign(lead))
    assert measure(world, Posterior(theta, np.eye(16), 1.0))[0] == pytest.approx(right)
    assert measure(world, Posterior(-theta, np.eye(16), 1.0))[0] == pytest.approx(1 - right)
    zero = measure(world, Posterior(np.zeros(16), np.eye(16), 1.0))
    assert zero[0] == 0.5
    assert zero[1] == pytest.approx(np.log(2))


def test_calibration_error_by_hand() -> None:
    chance = np.linspace(0.05, 0.95, 150)
    assert expected_calibration_error(chance, chance) == pytest.approx(0.0, abs=1e-12)
    assert expected_calibration_error(chance, np.clip(chance + 0.1, 0, 1.05)) == pytest.approx(0.1)


def test_more_labels_than_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="but the pool has"):
        replay(linear_world(0), RANDOM, seed=0, batch=100, labels=10_000, prior_precision=1.0)
