from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from scipy.stats import norm

from activelearning.acquisition.posterior import (
    Posterior,
    choose_prior_precision,
    fit_posterior,
    moderated_probability,
    quadratic_form,
    square_root,
)


def votes(m: int, q: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    theta = rng.standard_normal(q)
    x = rng.standard_normal((m, q))
    count = rng.integers(1, 6, m).astype(float)
    share = rng.binomial(count.astype(int), expit(x @ theta)) / count
    return x, share, count, theta


def test_the_mode_is_that_of_a_general_optimiser() -> None:
    x, share, count, _ = votes(80, 5)

    def loss(theta: np.ndarray) -> float:
        mean = x @ theta
        said = count * (share * log_expit(mean) + (1 - share) * log_expit(-mean))
        return float(-said.sum() + 0.7 / 2 * theta @ theta)

    found = fit_posterior(x, share, count, prior_precision=0.7)
    np.testing.assert_allclose(found.mean, minimize(loss, np.zeros(5), tol=1e-12).x, atol=1e-4)
    p = expit(x @ found.mean)
    hessian = (x.T * (count * p * (1 - p))) @ x + 0.7 * np.eye(5)
    np.testing.assert_allclose(found.covariance @ hessian, np.eye(5), atol=1e-6)
    assert found.labels == count.sum()


def test_many_votes_recover_the_weights() -> None:
    x, share, count, theta = votes(20_000, 4)
    found = fit_posterior(x, share, count, prior_precision=1.0)
    deviation = np.sqrt(np.diag(found.covariance))
    assert np.all(np.abs(found.mean - theta) < 4 * deviation)
    assert np.all(deviation < 0.02)


def test_swapping_the_sides_of_pairs_changes_nothing() -> None:
    x, share, count, _ = votes(60, 3)
    turned = np.random.default_rng(1).random(60) < 0.5
    one = fit_posterior(x, share, count, prior_precision=1.0)
    sides = np.where(turned, -1.0, 1.0)
    two = fit_posterior(x * sides[:, None], np.where(turned, 1 - share, share), count, prior_precision=1.0)
    np.testing.assert_allclose(one.mean, two.mean, atol=1e-6)
    np.testing.assert_allclose(one.covariance, two.covariance, atol=1e-8)


def test_where_it_starts_does_not_matter_even_far_off() -> None:
    x, share, count, _ = votes(40, 3)
    one = fit_posterior(x, share, count, prior_precision=0.1)
    far = fit_posterior(x, share, count, prior_precision=0.1, start=np.array([60.0, -80.0, 40.0]))
    np.testing.assert_allclose(one.mean, far.mean, atol=1e-4)


def test_without_pairs_it_is_the_prior() -> None:
    empty = np.zeros((0, 3))
    found = fit_posterior(empty, np.zeros(0), np.zeros(0), prior_precision=4.0)
    np.testing.assert_array_equal(found.covariance, np.eye(3) / 4)
    np.testing.assert_array_equal(found.mean, Posterior.prior(3, 4.0).mean)


def test_the_precision_that_predicts_is_chosen() -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((600, 20))
    weak, strong = rng.standard_normal(20) * 0.1, rng.standard_normal(20) * 3.0
    groups = np.arange(600) // 5
    chosen = []
    for theta in (weak, strong):
        share = (rng.random(600) < expit(x @ theta)).astype(float)
        chosen.append(
            choose_prior_precision(
                x, share, np.ones(600), groups, np.random.default_rng(0), grid=(0.05, 0.5, 5.0, 50.0)
            )
        )
    assert chosen[0] == 50.0
    assert chosen[1] <= 0.5


def test_whole_groups_are_left_out_when_the_precision_is_chosen() -> None:
    """Features that tell the prompt, and winners that go by prompt: learning them by heart predicts other
    pairs of the same prompt and misleads on another prompt. Only folds of whole prompts see that."""
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(40), 10)
    x = rng.standard_normal((40, 30))[groups]
    share = (rng.random(40) < 0.5)[groups].astype(float)
    grid, votes_each = (0.05, 100.0), np.ones(400)
    pairs = np.arange(400)
    by_prompt, by_pair = (
        choose_prior_precision(x, share, votes_each, by, np.random.default_rng(0), grid=grid)
        for by in (groups, pairs)
    )
    assert by_prompt == 100.0
    assert by_pair == 0.05


@pytest.mark.parametrize(("mean", "variance"), [(0.3, 0.5), (-1.5, 2.0), (4.0, 1.0), (0.0, 9.0)])
def test_the_moderated_chance_is_close_to_the_integral(mean: float, variance: float) -> None:
    s = variance**0.5
    exact = quad(lambda t: expit(mean + s * t) * norm.pdf(t), -9, 9)[0]
    found = moderated_probability(np.array([mean]), np.array([variance]))[0]
    assert found == pytest.approx(exact, abs=0.02)


def test_quadratic_forms_in_chunks_equal_the_formula() -> None:
    rng = np.random.default_rng(4)
    z = rng.standard_normal((30, 6))
    first, second = rng.integers(0, 30, 101), rng.integers(0, 30, 101)
    root = rng.standard_normal((6, 4))
    matrix = root @ root.T
    x = z[first] - z[second]
    expected = np.einsum("ij,jk,ik->i", x, matrix, x)
    np.testing.assert_allclose(quadratic_form(z, first, second, matrix, chunk=10), expected, rtol=1e-4)
    assert square_root(matrix).shape == (6, 4)
    np.testing.assert_allclose(square_root(matrix) @ square_root(matrix).T, matrix, atol=1e-9)
