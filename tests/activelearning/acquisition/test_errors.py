from __future__ import annotations

import numpy as np
import pytest

from activelearning.acquisition.errors import (
    TooFewLabelsError,
    error_points,
    excess_cross_entropy,
    expected_error,
    fit_errors,
    usable_pairs,
)


def test_excess_cross_entropy_by_hand() -> None:
    mu, tau = np.array([2.0]), -0.5
    q = np.exp([1.0, -0.5, -1.0]) / np.exp([1.0, -0.5, -1.0]).sum()
    p = np.array([[0.2, 0.2, 0.6]])
    assert excess_cross_entropy(p, mu, tau) == pytest.approx([float((p * np.log(p / q)).sum())])
    assert excess_cross_entropy(q[None], mu, tau) == pytest.approx([0.0], abs=1e-12)
    assert excess_cross_entropy(np.array([[1.0, 0, 0]]), mu, tau) == pytest.approx([-np.log(q[0])])


def test_an_even_vote_that_was_foreseen_is_no_error() -> None:
    even = excess_cross_entropy(np.array([[0.5, 0.0, 0.5]]), np.zeros(1), -50.0)
    assert even == pytest.approx([0.0], abs=1e-9)


def test_points_are_the_same_for_a_pair_and_its_swap() -> None:
    rng = np.random.default_rng(0)
    x, mu, prompt = rng.standard_normal((20, 4)), rng.standard_normal(20), rng.standard_normal((20, 2))
    mu[:5] = 0.0
    x[0] = 0.0
    np.testing.assert_array_equal(error_points(x, mu, prompt), error_points(-x, -mu, prompt))
    one, two = error_points(x, mu, prompt), error_points(x, -mu, prompt)
    assert not np.array_equal(one, two)  # predicting the other winner is another kind of mistake


def world(m: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The model errs where the first coordinate is large."""
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((m, 4))
    return points, np.where(points[:, 0] > 0.7, 1.2, 0.1) * rng.lognormal(0, 0.3, m)


def test_finds_the_region_where_the_model_errs() -> None:
    model = fit_errors(*world(400, 1), np.ones(400))
    points, errors = world(300, 2)
    estimate = expected_error(model, points)
    bad = points[:, 0] > 0.9
    assert estimate[bad].mean() > 2 * estimate[points[:, 0] < 0.4].mean()
    assert np.corrcoef(estimate, errors)[0, 1] > 0.6
    assert model.skill is not None
    assert model.skill > 0.3


def test_skill_is_honest_about_pure_noise() -> None:
    rng = np.random.default_rng(3)
    skills = [
        fit_errors(rng.standard_normal((200, 4)), rng.exponential(1, 200), np.ones(200)).skill
        for _ in range(20)
    ]
    # Were the point its own neighbour, noise alone would give about +0.2.
    assert np.mean([s for s in skills if s is not None]) < 0.06


def test_more_votes_weigh_more_and_estimates_stay_in_range() -> None:
    points = np.zeros((40, 2))
    errors = np.repeat([0.0, 1.0], 20)
    heavy = fit_errors(points, errors, np.repeat([1.0, 9.0], 20))
    assert heavy.mean_error == pytest.approx(0.9)
    assert (
        fit_errors(*world(60, 4), np.ones(60)).errors.max()
        >= expected_error(fit_errors(*world(60, 4), np.ones(60)), world(60, 5)[0]).max()
    )


def test_constant_errors_have_no_skill_and_their_own_value_back() -> None:
    model = fit_errors(np.random.default_rng(0).standard_normal((30, 2)), np.full(30, 0.4), np.ones(30))
    assert model.skill is None
    assert expected_error(model, np.zeros((3, 2))) == pytest.approx([0.4] * 3)


def test_held_out_pairs_are_preferred_once_there_are_enough() -> None:
    rng = np.random.default_rng(0)
    rows, honest = usable_pairs(np.arange(100) < 30, rng)
    assert honest
    assert rows.tolist() == list(range(30))
    rows, honest = usable_pairs(np.arange(100) < 5, rng)
    assert not honest
    assert len(rows) == 100


def test_too_few_labels_say_how_many_are_needed() -> None:
    with pytest.raises(TooFewLabelsError, match="at least 20"):
        fit_errors(np.zeros((5, 2)), np.zeros(5), np.ones(5))
