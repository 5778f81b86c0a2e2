from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pytest

from activelearning.acquisition.stochastic import (
    Power,
    Softmax,
    Weighted,
    WeightError,
    gumbel_top_k,
    lure_weights,
    power_weights,
    softmax_weights,
)

WEIGHT = np.array([6.0, 3.0, 1.0, 0.5, 4.0])
VALUE = np.array([2.0, -1.0, 8.0, 5.0, 0.5])


def chances_of(order: tuple[int, ...], weight: np.ndarray = WEIGHT) -> np.ndarray:
    """Chance of each draw at its turn, one after the other."""
    left, found = weight.sum(), []
    for index in order:
        found.append(weight[index] / left)
        left -= weight[index]
    return np.array(found)


def test_draws_come_in_the_order_of_sequential_sampling() -> None:
    rng = np.random.default_rng(0)
    drawn = [gumbel_top_k(np.log(WEIGHT), 2, rng) for _ in range(20_000)]
    told = {tuple(positions.tolist()): chances for positions, chances in drawn}
    count = Counter(tuple(positions.tolist()) for positions, _ in drawn)
    for order in permutations(range(5), 2):
        np.testing.assert_allclose(told[order], chances_of(order), rtol=1e-12)
        assert count[order] / 20_000 == pytest.approx(chances_of(order).prod(), abs=0.012)


def test_all_that_may_be_drawn_are_and_the_last_is_certain() -> None:
    log_weight = np.array([0.0, -np.inf, 700.0, -700.0])
    positions, chances = gumbel_top_k(log_weight, 9, np.random.default_rng(0))
    assert positions.tolist() == [2, 0, 3]  # so far apart that noise cannot turn them
    np.testing.assert_allclose(chances, [1.0, 1.0, 1.0])
    assert len(gumbel_top_k(np.zeros(3), 0, np.random.default_rng(0))[0]) == 0
    assert len(gumbel_top_k(np.zeros(0), 4, np.random.default_rng(0))[0]) == 0


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_refuses_weights_that_are_none(wrong: float) -> None:
    with pytest.raises(WeightError, match="NaN or infinite"):
        gumbel_top_k(np.array([0.0, wrong]), 1, np.random.default_rng(0))


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5])
def test_weighted_mean_is_without_bias_over_every_possible_batch(m: int) -> None:
    """Σ over all ordered batches of their chance times their estimate; unweighted it is another number."""
    weighted = plain = total = 0.0
    for order in permutations(range(5), m):
        q = chances_of(order)
        chance = q.prod()
        total += chance
        weighted += chance * (lure_weights(q, 5) * VALUE[list(order)]).mean()
        plain += chance * VALUE[list(order)].mean()
    assert total == pytest.approx(1.0)
    assert weighted == pytest.approx(VALUE.mean(), abs=1e-12)
    assert abs(plain - VALUE.mean()) > 0.2 or m == 5  # everything drawn: nothing to put right


def test_batches_that_are_drawn_estimate_the_mean_of_the_pool() -> None:
    rng = np.random.default_rng(1)
    score = rng.gamma(1.0, size=60) + 0.05
    loss = 2.0 * score + rng.normal(0, 0.3, 60)  # the model errs where the score is high
    weighted, plain = [], []
    for _ in range(3_000):
        positions, chances = gumbel_top_k(power_weights(score, 1.0), 15, rng)
        weighted.append((lure_weights(chances, 60) * loss[positions]).mean())
        plain.append(loss[positions].mean())
    error = np.std(weighted) / np.sqrt(3_000)
    assert np.mean(weighted) == pytest.approx(loss.mean(), abs=4 * error)
    assert np.mean(plain) - loss.mean() > 40 * error


def test_uniform_draws_weigh_one() -> None:
    n, m = 20, 7
    np.testing.assert_allclose(lure_weights(1 / (n - np.arange(m)), n), np.ones(m))
    assert lure_weights(np.array([0.3, 0.2, 1.0]), 3).tolist() == [1.0, 1.0, 1.0]
    assert len(lure_weights(np.zeros(0), 5)) == 0


@pytest.mark.parametrize(("q", "n", "says"), [([0.5] * 3, 2, "3 draws from 2"), ([0.5, 0.0], 9, "outside")])
def test_refuses_chances_that_cannot_be(q: list[float], n: int, says: str) -> None:
    with pytest.raises(WeightError, match=says):
        lure_weights(np.array(q), n)


def test_power_and_softmax_weights() -> None:
    score = np.array([4.0, 2.0, 1.0, 0.0])
    np.testing.assert_allclose(np.exp(power_weights(score, 2.0)), [16, 4, 1, (4e-6) ** 2])
    np.testing.assert_allclose(np.exp(softmax_weights(score, 0.5)), np.exp([2, 1, 0.5, 0]))
    assert power_weights(np.zeros(3), 2.0).tolist() == [0.0, 0.0, 0.0]
    assert np.isfinite(power_weights(np.array([0.0, 1e-300]), 8.0)).all()


@pytest.mark.parametrize(
    ("scores", "beta", "says"),
    [([-1.0], 1.0, "at least 0, or use softmax"), ([1.0], -1.0, "β is -1"), ([np.nan], 1.0, "NaN")],
)
def test_refuses_scores_without_a_power(scores: list[float], beta: float, says: str) -> None:
    with pytest.raises(WeightError, match=says):
        power_weights(np.array(scores), beta)


@pytest.mark.parametrize(("kind", "log_weight"), [(Power, 2 * np.log(WEIGHT)), (Softmax, 2 * WEIGHT)])
def test_a_picker_draws_by_weight_among_what_is_open(kind, log_weight: np.ndarray) -> None:
    picker = kind(WEIGHT, 2.0, np.random.default_rng(3))
    open_ = np.array([False, True, True, True, True])
    expected = np.where(open_, np.exp(log_weight - log_weight.max()), 0.0)
    expected /= expected.sum()
    drawn, told = [], []
    for _ in range(10_000):
        drawn.append(picker.next(open_))
        told.append(picker.last_chance)
    np.testing.assert_allclose(told, expected[drawn])
    np.testing.assert_allclose(np.bincount(drawn, minlength=5) / 10_000, expected, atol=0.02)


def test_says_so_where_nothing_open_may_be_drawn() -> None:
    picker = Weighted(np.array([0.0, -np.inf]), np.random.default_rng(0))
    with pytest.raises(WeightError, match="is -inf"):
        picker.next(np.array([False, True]))
