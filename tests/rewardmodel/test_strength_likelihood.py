"""The likelihood of a comparison with its strength: by hand, mirrored, and by recovering its thresholds."""

import math

import numpy as np
import pytest
import torch

from rewardmodel.likelihood import strength

F = torch.float64


def exactly(d: torch.Tensor, level: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return strength.negative_log_likelihood(d, level, level, t)


def test_a_side_without_its_strength_is_any_of_its_levels() -> None:
    rng = np.random.default_rng(1)
    d, t = torch.tensor(rng.normal(size=(9, 1))), torch.tensor([[0.2], [0.9], [2.0]], dtype=F)
    one = torch.ones(9, dtype=torch.int64)
    apart = torch.stack([torch.exp(-exactly(d, level * one, t)) for level in (1, 2, 3)]).sum(0)
    together = strength.negative_log_likelihood(d, one, 3 * one, t)
    torch.testing.assert_close(torch.exp(-together), apart)
    torch.testing.assert_close(together, -torch.nn.functional.logsigmoid(d - t[0]))
    torch.testing.assert_close(strength.negative_log_likelihood(-d, -3 * one, -one, t), together)


def test_by_hand() -> None:
    # d = ln 3, thresholds ln 2 and ln 6: P(s = 2) = σ(ln 3/6) = 1/3, P(s >= 1) = σ(ln 3/2) = 3/5,
    # P(s <= -1) = σ(-ln 6) = 1/7, P(s <= -2) = σ(-ln 18) = 1/19
    t = torch.tensor([[math.log(2)], [math.log(6)]], dtype=F)
    d = torch.full((5, 1), math.log(3), dtype=F)
    loss = exactly(d, torch.arange(-2, 3), t)[:, 0]
    by_hand = torch.tensor([1 / 19, 1 / 7 - 1 / 19, 1 - 3 / 5 - 1 / 7, 3 / 5 - 1 / 3, 1 / 3], dtype=F)
    torch.testing.assert_close(loss, -torch.log(by_hand))
    torch.testing.assert_close(strength.probabilities(d[:1, 0], t[:, 0])[0], by_hand)


def test_thresholds_rise_and_start_at_nought_without_ties() -> None:
    raw = torch.tensor([[-3.0, 2.0], [0.5, -4.0], [1.0, 0.0]])
    with_ties = strength.thresholds(raw, ties=True)
    assert (with_ties > 0).all()
    assert (with_ties.diff(dim=0) > 0).all()
    without = strength.thresholds(raw[1:], ties=False)
    assert (without[0] == 0).all()
    torch.testing.assert_close(without[1:], with_ties[1:] - with_ties[:1])
    assert strength.thresholds(raw[:0], ties=False).tolist() == [[0.0, 0.0]]


def test_one_strength_without_ties_is_bradley_terry() -> None:
    d = torch.linspace(-6, 6, 13, dtype=F)[:, None]
    t = strength.thresholds(torch.empty(0, 1, dtype=F), ties=False)
    won = exactly(d, torch.ones(13, dtype=torch.int64), t)
    torch.testing.assert_close(won, -torch.nn.functional.logsigmoid(d))


def test_swapping_the_sides_mirrors_the_answers() -> None:
    rng = np.random.default_rng(0)
    d, level = torch.tensor(rng.normal(size=(60, 2))), torch.tensor(rng.integers(-3, 4, size=60))
    t = strength.thresholds(torch.tensor(rng.normal(size=(3, 2))), ties=True)
    torch.testing.assert_close(exactly(d, level, t), exactly(-d, -level, t))


def test_gradients_and_extremes() -> None:
    level = torch.arange(-3, 4)
    d = torch.linspace(-4, 4, 7, dtype=F)[:, None].requires_grad_()
    raw = torch.tensor([[0.3], [-1.0], [2.0]], dtype=F, requires_grad=True)

    def loss(x: torch.Tensor, free: torch.Tensor) -> torch.Tensor:
        return exactly(x, level, strength.thresholds(free, ties=True))

    assert torch.autograd.gradcheck(loss, (d, raw))
    far = torch.tensor([[-1e4], [1e4]], requires_grad=True)
    value = exactly(far, torch.tensor([3, -3]), torch.tensor([[0.5], [1.0], [2.0]]))
    value.sum().backward()
    assert value[:, 0].tolist() == pytest.approx([10_002, 10_002])
    assert far.grad is not None
    assert torch.isfinite(far.grad).all()


@pytest.mark.parametrize("ties", [True, False])
def test_recovers_the_rewards_and_the_thresholds(ties: bool) -> None:
    """15 items, all 105 pairs, 300 answers each, levels in full."""
    rng = np.random.default_rng(2)
    truth = rng.normal(size=15)
    truth -= truth.mean()
    true_t = torch.tensor([0.4, 1.1, 2.3] if ties else [0.0, 1.1, 2.3], dtype=F)
    left, right = (torch.tensor(side).repeat_interleave(300) for side in np.triu_indices(15, 1))
    d = torch.tensor(truth)[left] - torch.tensor(truth)[right]
    p = strength.probabilities(d, true_t).numpy()
    level = torch.tensor((p.cumsum(1) < rng.random((len(p), 1))).sum(1) - 3)
    rewards = torch.zeros(15, 1, dtype=F, requires_grad=True)
    raw = torch.zeros(3 if ties else 2, 1, dtype=F, requires_grad=True)
    solver = torch.optim.LBFGS([rewards, raw], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        solver.zero_grad()
        t = strength.thresholds(raw, ties=ties)
        value = exactly(rewards[left] - rewards[right], level, t).mean()
        value.backward()
        return value

    solver.step(closure)
    found = (rewards - rewards.mean()).detach().numpy()[:, 0]
    assert np.abs(found - truth).max() < 0.08
    torch.testing.assert_close(strength.thresholds(raw, ties=ties)[:, 0].detach(), true_t, atol=0.04, rtol=0)
