from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activelearning.acquisition.design import GreedyDesign, greedy_batch
from activelearning.acquisition.posterior import Posterior
from activelearning.acquisition.target import moment, regret_weights


def problem(
    seed: int, responses: int = 25, pairs: int = 60, q: int = 5
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((responses, q))
    first = rng.integers(0, responses, pairs)
    second = (first + rng.integers(1, responses, pairs)) % responses
    known = rng.standard_normal((8, q))
    covariance = np.linalg.inv(0.5 * np.eye(q) + known.T @ known * 0.2)
    root = rng.standard_normal((q, q))
    return z, first, second, rng.uniform(0.02, 0.25, pairs), covariance, root @ root.T / q


def brute_force(
    z: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    v: np.ndarray,
    covariance: np.ndarray,
    target: np.ndarray | None,
    n: int,
) -> tuple[list[int], list[float]]:
    """Every inverse and every trace computed anew, for every candidate at every turn."""
    x = (z[first] - z[second]).astype(float)
    precision = np.linalg.inv(covariance)
    picks: list[int] = []
    gains: list[float] = []
    for _ in range(n):
        before = np.linalg.inv(precision)
        found = np.full(len(x), -np.inf)
        for i in set(range(len(x))) - set(picks):
            after = np.linalg.inv(precision + v[i] * np.outer(x[i], x[i]))
            if target is None:
                found[i] = np.linalg.slogdet(before)[1] - np.linalg.slogdet(after)[1]
            else:
                found[i] = np.trace(before @ target) - np.trace(after @ target)
        best = int(np.argmax(found))
        picks.append(best)
        gains.append(float(found[best]))
        precision = precision + v[best] * np.outer(x[best], x[best])
    return picks, gains


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), aimed=st.booleans())
def test_equals_brute_force(seed: int, aimed: bool) -> None:
    z, first, second, v, covariance, aim = problem(seed)
    target = aim if aimed else None
    picks, gains = greedy_batch(GreedyDesign(z, first, second, v, covariance, target), 15)
    expected, expected_gains = brute_force(z, first, second, v, covariance, target, 15)
    np.testing.assert_allclose(gains, expected_gains, rtol=2e-3)
    assert picks.tolist() == expected


def test_state_after_picks_equals_a_fresh_start() -> None:
    z, first, second, v, covariance, target = problem(3)
    design = GreedyDesign(z, first, second, v, covariance, target)
    greedy_batch(design, 20)
    fresh = GreedyDesign(z, first, second, v, design.covariance, target)
    np.testing.assert_allclose(design.s2, fresh.s2, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(design.gains(), fresh.gains(), rtol=1e-3, atol=1e-5)


def test_gains_add_up_to_the_log_determinant_and_fall() -> None:
    z, first, second, v, covariance, _ = problem(1)
    picks, gains = greedy_batch(GreedyDesign(z, first, second, v, covariance), 10)
    x = z[first[picks]] - z[second[picks]]
    precision = np.linalg.inv(covariance) + (x.T * v[picks]) @ x
    start = np.linalg.slogdet(covariance)[1]
    assert gains.sum() == pytest.approx(np.linalg.slogdet(precision)[1] + start, rel=1e-4)
    assert np.all(np.diff(gains) <= 1e-6)  # submodular: no later pick gains more


def test_the_sides_of_pairs_do_not_matter() -> None:
    z, first, second, v, covariance, target = problem(2)
    swap = np.random.default_rng(0).random(len(first)) < 0.5
    turned = np.where(swap, second, first), np.where(swap, first, second)
    one = greedy_batch(GreedyDesign(z, first, second, v, covariance, target), 12)[0]
    two = greedy_batch(GreedyDesign(z, *turned, v, covariance, target), 12)[0]
    assert one.tolist() == two.tolist()


def test_a_copy_loses_its_worth_once_the_original_is_picked() -> None:
    z = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 0.0], [0.0, 1.0]])
    design = GreedyDesign(z, np.array([1, 2, 3]), np.array([0, 0, 0]), np.full(3, 0.25), np.eye(2))
    assert design.information_gain(1) == pytest.approx(np.log(26))
    assert design.pick(0) == pytest.approx(np.log(26))
    assert design.information_gain(1) == pytest.approx(np.log1p(25 / 26), rel=1e-4)
    assert design.information_gain(2) == pytest.approx(np.log(1.25))


def test_observing_a_difference_equals_picking_it() -> None:
    z, first, second, v, covariance, target = problem(4)
    one = GreedyDesign(z, first, second, v, covariance, target)
    two = GreedyDesign(z, first, second, v, covariance, target)
    one.pick(7)
    two.observe(z[first[7]] - z[second[7]], float(v[7]))
    np.testing.assert_allclose(one.gains(), two.gains(), rtol=1e-4)


def test_inputs_are_not_changed() -> None:
    z, first, second, v, covariance, target = problem(5)
    copies = [array.copy() for array in (z, first, second, v, covariance, target)]
    greedy_batch(GreedyDesign(z, first, second, v, covariance, target), 10)
    for array, copy in zip((z, first, second, v, covariance, target), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_nothing_is_allowed_nothing_is_best() -> None:
    z, first, second, v, covariance, target = problem(6)
    design = GreedyDesign(z, first, second, v, covariance, target)
    assert design.best(np.zeros(len(design), dtype=bool)) is None
    none = np.zeros(0, dtype=np.int64)
    assert GreedyDesign(z, none, none, np.zeros(0), covariance).best(np.zeros(0, dtype=bool)) is None


# --- the target ---------------------------------------------------------------------------------------


def test_the_moment_is_the_mean_of_outer_products() -> None:
    z, first, second, *_ = problem(7)
    x = z[first] - z[second]
    np.testing.assert_allclose(moment(z, first, second), x.T @ x / len(x), rtol=1e-5)


def test_regret_weights_are_the_slope_of_the_expected_regret() -> None:
    from scipy.stats import norm

    def regret(mean: float, variance: float) -> float:
        s, z = variance**0.5, abs(mean) / variance**0.5
        return s * norm.pdf(z) - abs(mean) * norm.sf(z)

    mean, variance = np.array([0.0, 0.4, -2.0, 1.0]), np.array([1.0, 0.5, 2.0, 0.1])
    h = 1e-6
    slope = [(regret(m, s2 + h) - regret(m, s2 - h)) / (2 * h) for m, s2 in zip(mean, variance, strict=True)]
    found = regret_weights(mean, variance)
    assert found.mean() == pytest.approx(1.0)
    np.testing.assert_allclose(found / found[0], np.array(slope) / slope[0], rtol=1e-4)


def test_settled_and_identical_pairs_weigh_nothing() -> None:
    weight = regret_weights(np.array([0.1, 9.0, 0.0]), np.array([1.0, 0.5, 0.0]))
    assert weight[0] == pytest.approx(3.0)
    assert weight[1] == pytest.approx(0.0, abs=1e-12)
    assert weight[2] == 0.0
    assert regret_weights(np.full(3, 1e6), np.full(3, 1e-3)).tolist() == [1.0, 1.0, 1.0]


def test_a_vote_on_what_is_settled_is_not_asked_for() -> None:
    """Two directions: in one all pairs are called already, though unknown in size; in the other none is."""
    z = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 1.0]])
    first, second = np.array([1, 2]), np.array([0, 0])
    posterior = Posterior(np.array([4.0, 0.1]), np.eye(2), 1.0)
    plain = GreedyDesign(z, first, second, np.full(2, 0.25), np.eye(2), moment(z, first, second))
    aim = moment(z, first, second, posterior=posterior)
    regret = GreedyDesign(z, first, second, np.full(2, 0.25), np.eye(2), aim)
    everything = np.ones(2, dtype=bool)
    assert plain.best(everything) == 0
    assert regret.best(everything) == 1
