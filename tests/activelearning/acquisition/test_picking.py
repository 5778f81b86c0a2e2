"""What holds of every picker."""

from __future__ import annotations

import numpy as np
import pytest

from activelearning.acquisition.badge import Badge
from activelearning.acquisition.coverage import ClusterQuota, KCentre
from activelearning.acquisition.entropy import BalPm, PromptEntropy
from activelearning.acquisition.picking import NothingOpenError, draw, largest
from activelearning.acquisition.stochastic import Power, Softmax

from .pair_worlds import Pairs, pairs, take

NONE = np.zeros(0, dtype=np.int64)
SCORE = np.random.default_rng(5).uniform(0.1, 1.0, 80)
CLUSTER = np.random.default_rng(6).integers(0, 4, 80)
PROMPT = np.random.default_rng(7).integers(0, 20, 80)
FEATURES = np.random.default_rng(8).standard_normal((20, 3))
MEAN = np.tile(np.random.default_rng(9).normal(0, 2, 40), 2)


def k_centre(world: Pairs, rng: np.random.Generator, sign: np.ndarray):
    return KCentre(*world, NONE, NONE)


def bal_pm(world: Pairs, rng: np.random.Generator, sign: np.ndarray):
    return BalPm(SCORE, PromptEntropy(FEATURES, PROMPT, np.array([1, 1, 2]), k=3), 0.3)


def badge(world: Pairs, rng: np.random.Generator, sign: np.ndarray):
    return Badge(*world, MEAN * sign, rng)


def quota(world: Pairs, rng: np.random.Generator, sign: np.ndarray):
    return ClusterQuota(CLUSTER, np.array([3, 0, 0, 1]), rng)


def power(world: Pairs, rng: np.random.Generator, sign: np.ndarray):
    return Power(SCORE, 2.0, rng)


def softmax(world: Pairs, rng: np.random.Generator, sign: np.ndarray):
    return Softmax(SCORE, 2.0, rng)


EVERY = [k_centre, bal_pm, badge, quota, power, softmax]
ALL_OPEN = np.ones(80, dtype=bool)


@pytest.mark.parametrize("build", EVERY)
def test_takes_what_is_open_to_the_last_and_then_says_so(build) -> None:
    picker = build(pairs(), np.random.default_rng(0), np.ones(80))
    open_ = np.arange(80) % 3 == 0
    assert sorted(take(picker, open_, 27)) == np.flatnonzero(open_).tolist()
    with pytest.raises(NothingOpenError, match="None of 80"):
        picker.next(np.zeros(80, dtype=bool))


@pytest.mark.parametrize("build", EVERY)
def test_same_seed_same_picks_whichever_response_is_called_a(build) -> None:
    world, sign = pairs(), np.ones(80)
    picks = take(build(world, np.random.default_rng(3), sign), ALL_OPEN, 30)
    which = np.random.default_rng(4).random(80) < 0.5
    turned = build(world.swapped(which), np.random.default_rng(3), np.where(which, -1, 1))
    assert take(turned, ALL_OPEN, 30) == picks


@pytest.mark.parametrize("build", EVERY)
def test_nothing_that_was_given_is_changed(build) -> None:
    world = pairs()
    given = [*world, SCORE, CLUSTER, PROMPT, FEATURES, MEAN, ALL_OPEN]
    before = [array.copy() for array in given]
    picker = build(world, np.random.default_rng(0), np.ones(80))
    take(picker, ALL_OPEN, 20)
    assert all(np.array_equal(one, other) for one, other in zip(given, before, strict=True))


@pytest.mark.parametrize("build", [k_centre, bal_pm])
def test_what_was_given_may_change_afterwards(build) -> None:
    world = pairs()
    expected = take(build(world, np.random.default_rng(0), np.ones(80)), ALL_OPEN, 20)
    mine = Pairs(*(array.copy() for array in world))
    picker = build(mine, np.random.default_rng(0), np.ones(80))
    for array in mine:
        array[:] = 0
    assert take(picker, ALL_OPEN, 20) == expected


@pytest.mark.parametrize("build", [k_centre, badge])
def test_a_pick_of_another_part_counts(build) -> None:
    """A copy of what another part picked is the last thing these two would take."""
    world = pairs(40)
    twice = Pairs(world.z, np.tile(world.first, 2), np.tile(world.second, 2))
    picker = build(twice, np.random.default_rng(0), np.ones(80))
    for index in range(40):
        picker.observe(index)
    open_ = ALL_OPEN.copy()
    open_[:40] = False
    assert picker.next(open_) >= 40
    spread = build(twice, np.random.default_rng(0), np.ones(80))
    for index in range(39):
        spread.observe(index)
    assert spread.next(open_) == 79


def test_ties_go_to_the_lower_open_position() -> None:
    score = np.array([3.0, 1.0, 2.0, 2.0, -1.0])
    assert largest(score, np.array([False, True, True, True, True])) == 2
    assert largest(score, np.array([False, False, False, False, True])) == 4


def test_draws_follow_the_weights_of_what_is_open() -> None:
    rng = np.random.default_rng(0)
    weight = np.array([5.0, 1.0, 0.0, 3.0])
    open_ = np.array([False, True, True, True])
    drawn = [draw(weight, open_, rng) for _ in range(20_000)]
    share = np.bincount([index for index, _ in drawn], minlength=4) / 20_000
    np.testing.assert_allclose(share, [0, 0.25, 0, 0.75], atol=0.015)
    assert {(index, chance) for index, chance in drawn} == {(1, 0.25), (3, 0.75)}


def test_without_any_weight_each_is_as_likely() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw(np.zeros(3), np.array([True, False, True]), rng) for _ in range(4_000)]
    assert {chance for _, chance in drawn} == {0.5}
    assert np.mean([index == 2 for index, _ in drawn]) == pytest.approx(0.5, abs=0.04)
