"""The pair likelihood: by hand, against Bradley-Terry, under a swap, and by recovering known parameters."""

import math

import numpy as np
import pytest
import torch

from rewardmodel.likelihood import pair


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_probabilities_by_hand() -> None:
    # d = 2 ln 2 and τ = 0: weights 2, 1/2, 1 out of 3.5
    p = pair.probabilities(tensor(2 * math.log(2)), tensor(0.0))
    torch.testing.assert_close(p, torch.tensor([[4 / 7, 1 / 7, 2 / 7]], dtype=torch.float64))


def test_equal_rewards_and_a_tie_parameter_of_log_two() -> None:
    # weights 1, 1, 2
    p = pair.probabilities(tensor(0.0), tensor(math.log(2)))
    torch.testing.assert_close(p, torch.tensor([[0.25, 0.25, 0.5]], dtype=torch.float64))


def test_loss_by_hand() -> None:
    # five votes, 3 A, 1 B, 1 tie at the probabilities 4/7, 1/7, 2/7
    value = pair.loss(
        tensor(2 * math.log(2)),
        tensor(0.0),
        torch.tensor([[0.6, 0.2, 0.2]], dtype=torch.float64),
        tensor(5.0),
    )
    by_hand = -(3 * math.log(4 / 7) + math.log(1 / 7) + math.log(2 / 7))
    assert value.item() == pytest.approx(by_hand, abs=1e-12)


def test_given_no_tie_it_is_bradley_terry() -> None:
    d = torch.linspace(-8, 8, 33, dtype=torch.float64)
    for tau in (-3.0, 0.0, 2.0):
        p = pair.probabilities(d, tensor(tau))
        torch.testing.assert_close(p[:, pair.A] / (p[:, pair.A] + p[:, pair.B]), torch.sigmoid(d))


def test_a_vanishing_tie_gives_the_bradley_terry_loss() -> None:
    d = torch.linspace(-5, 5, 11, dtype=torch.float64)
    chosen = torch.zeros(11, 3, dtype=torch.float64)
    chosen[:, pair.A] = 1
    value = pair.negative_log_likelihood(d, tensor(-80.0), chosen)
    torch.testing.assert_close(value, -torch.nn.functional.logsigmoid(d))


def test_swapping_the_sides_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    d, tau = torch.tensor(rng.normal(size=50)), torch.tensor(rng.normal(size=50))
    shares = torch.tensor(rng.dirichlet([1, 1, 1], size=50))
    swapped = shares[:, [pair.B, pair.A, pair.TIE]]
    torch.testing.assert_close(
        pair.negative_log_likelihood(d, tau, shares), pair.negative_log_likelihood(-d, tau, swapped)
    )
    torch.testing.assert_close(
        pair.probabilities(d, tau), pair.probabilities(-d, tau)[:, [pair.B, pair.A, pair.TIE]]
    )


def test_the_short_form_equals_the_cross_entropy_and_its_gradient() -> None:
    rng = np.random.default_rng(4)
    shares = torch.tensor(rng.dirichlet([1, 1, 1], size=40))
    d = torch.tensor(rng.normal(scale=4, size=40), requires_grad=True)
    tau = torch.tensor(rng.normal(size=40), requires_grad=True)
    short = pair.negative_log_likelihood(d, tau, shares)
    torch.testing.assert_close(short, -(shares * pair.log_probabilities(d, tau)).sum(-1))
    assert torch.autograd.gradcheck(lambda x, t: pair.negative_log_likelihood(x, t, shares), (d, tau))


def test_extreme_differences_stay_finite() -> None:
    d = torch.tensor([-1e4, 1e4], requires_grad=True)
    value = pair.negative_log_likelihood(d, torch.tensor(0.0), torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]))
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert value.tolist() == pytest.approx([1e4, 1e4])
    assert d.grad is not None
    assert torch.isfinite(d.grad).all()


def test_shares_minimise_the_loss_at_the_true_probabilities() -> None:
    """Cross-entropy against shares is proper: its gradient vanishes where P equals the shares."""
    d, tau = torch.tensor([0.7], requires_grad=True), torch.tensor([-0.4], requires_grad=True)
    shares = pair.probabilities(d, tau).detach()
    pair.negative_log_likelihood(d, tau, shares).sum().backward()
    assert d.grad is not None
    assert tau.grad is not None
    torch.testing.assert_close(d.grad, torch.zeros(1), atol=1e-6, rtol=0)
    torch.testing.assert_close(tau.grad, torch.zeros(1), atol=1e-6, rtol=0)


@pytest.mark.parametrize("tau", [-30.0, -0.5, 0.8])
def test_recovers_the_rewards_and_the_tie_parameter(tau: float) -> None:
    """20 items, all 190 pairs, 400 votes each: maximum likelihood finds what the votes were drawn from."""
    rng = np.random.default_rng(5)
    truth = rng.normal(size=20)
    truth -= truth.mean()
    left, right = np.triu_indices(20, 1)
    p = pair.probabilities(torch.tensor(truth[left] - truth[right]), tensor(tau)).numpy()
    counts = np.stack([rng.multinomial(400, row) for row in p])
    rewards = torch.zeros(20, dtype=torch.float64, requires_grad=True)
    tie = torch.tensor(0.0 if tau > -30 else -30.0, dtype=torch.float64, requires_grad=tau > -30)
    parameters = [p for p in (rewards, tie) if p.requires_grad]
    solver = torch.optim.LBFGS(parameters, max_iter=200, line_search_fn="strong_wolfe")
    shares, votes = torch.tensor(counts / 400), torch.full((190,), 400.0, dtype=torch.float64)

    def closure() -> torch.Tensor:
        solver.zero_grad()
        value = pair.loss(rewards[left] - rewards[right], tie, shares, votes).sum()
        value.backward()
        return value

    solver.step(closure)
    found = (rewards - rewards.mean()).detach().numpy()
    assert np.abs(found - truth).max() < 0.12
    assert tie.item() == pytest.approx(tau, abs=0.03)
