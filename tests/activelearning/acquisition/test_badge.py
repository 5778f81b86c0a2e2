from __future__ import annotations

import numpy as np
from scipy.special import expit

from activelearning.acquisition.badge import Badge

from .pair_worlds import Pairs, far, pairs, take


def gradients(world: Pairs, mean: np.ndarray) -> np.ndarray:
    """(p − ŷ) x for the likelier label ŷ."""
    p = expit(mean)
    return (p - (p > 0.5))[:, None] * world.x


def test_begins_with_the_longest_gradient_not_the_longest_difference() -> None:
    world = Pairs(np.array([[0.0], [10.0], [1.0]]), np.array([0, 0]), np.array([1, 2]))
    picker = Badge(*world, np.array([9.0, 0.1]), np.random.default_rng(0))
    assert picker.next(np.array([True, True])) == 1  # sure of the first: σ(−9)·10 < σ(−0.1)·1
    assert picker.last_chance == 1.0
    assert picker.next(np.array([True, False])) == 0


def test_draws_in_proportion_to_squared_distances() -> None:
    world = pairs(8, seed=3)
    mean = np.random.default_rng(1).normal(0, 1.5, 8)
    g = gradients(world, mean)
    picker = Badge(*world, mean, np.random.default_rng(2))
    open_ = np.ones(8, dtype=bool)
    begin = take(picker, open_, 1)[0]
    picker.observe(5)  # picked by another part
    assert begin == np.argmax((g**2).sum(axis=1))
    open_[[begin, 5, 6]] = False
    expected = np.where(open_, far(g, g[[begin, 5]]).min(axis=1) ** 2, 0.0)
    expected /= expected.sum()
    drawn, told = [], []
    for _ in range(20_000):
        drawn.append(picker.next(open_))
        told.append(picker.last_chance)
    np.testing.assert_allclose(told, expected[drawn], rtol=1e-6)
    np.testing.assert_allclose(np.bincount(drawn, minlength=8) / 20_000, expected, atol=0.015)


def test_neither_a_copy_nor_a_swap_of_a_pick_is_drawn() -> None:
    z = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 1.0]])
    world = Pairs(z, np.array([0, 1, 0, 0]), np.array([1, 0, 1, 2]))  # x, −x, x, and another
    picker = Badge(*world, np.array([0.5, -0.5, 0.5, 0.0]), np.random.default_rng(0))
    first = take(picker, np.ones(4, dtype=bool), 1)[0]
    assert first == 0
    for _ in range(200):
        assert picker.next(np.array([False, True, True, True])) == 3
        assert picker.last_chance == 1.0


def test_spreads_over_directions() -> None:
    """A hundred pairs along one axis, one along each of five others: six picks reach all six."""
    rng = np.random.default_rng(0)
    x = np.vstack([np.eye(6)[:1].repeat(100, axis=0), np.eye(6)[1:]]) + 1e-3 * rng.standard_normal((105, 6))
    world = Pairs(np.vstack([x, np.zeros((1, 6))]), np.arange(105), np.full(105, 105))
    picks = np.array(take(Badge(*world, np.zeros(105), rng), np.ones(105, dtype=bool), 6))
    assert len(set(np.argmax(np.abs(x[picks]), axis=1).tolist())) == 6
