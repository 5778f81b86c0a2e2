"""The likelihood of a rating: by hand, the annotators' own scales, and by recovery."""

import math

import numpy as np
import pytest
import torch

from rewardmodel.likelihood import ordinal, rating

F = torch.float64


def test_by_hand() -> None:
    # cut-points -ln 3, 0, ln 3 and r = 0: P(1) = σ(-ln 3) = 1/4, each point a quarter
    cuts = torch.tensor([[-math.log(3)], [0.0], [math.log(3)]], dtype=F)
    r, points = torch.zeros(4, 1, dtype=F), torch.arange(1, 5)
    none = torch.zeros(4, 1, dtype=F)
    loss = rating.negative_log_likelihood(r, points, cuts, none, none)
    torch.testing.assert_close(loss, torch.full((4, 1), math.log(4), dtype=F))
    # a shift of ln 3: P(>= 2) = σ(0), P(>= 3) = σ(-ln 3) = 1/4, P(4) = σ(-ln 9) = 1/10
    strict = rating.negative_log_likelihood(r, points, cuts, none + math.log(3), none)
    torch.testing.assert_close(strict[:, 0], -torch.log(torch.tensor([0.5, 0.25, 0.15, 0.1], dtype=F)))
    # a spread of ln 2 doubles the cut-points: P(1) = σ(-ln 9) = 1/10
    wide = rating.negative_log_likelihood(r, points, cuts, none, none + math.log(2))
    torch.testing.assert_close(wide[:, 0], -torch.log(torch.tensor([0.1, 0.4, 0.4, 0.1], dtype=F)))


def test_a_strict_and_a_lenient_annotator_agree_on_the_reward() -> None:
    """What 3 points of a lenient annotator say of r is what fewer points of a strict one say."""
    cuts = rating.cut_points(torch.zeros(4, 1, dtype=F))
    r = torch.linspace(-3, 3, 13, dtype=F)[:, None]
    five = torch.full((13,), 3)
    moved = rating.negative_log_likelihood(r + 1.5, five, cuts, torch.full_like(r, 1.5), torch.zeros_like(r))
    torch.testing.assert_close(
        moved, rating.negative_log_likelihood(r, five, cuts, torch.zeros_like(r), torch.zeros_like(r))
    )


def test_points_turned_around_are_the_reward_turned_around() -> None:
    rng = np.random.default_rng(0)
    cuts = rating.cut_points(torch.tensor(rng.normal(size=(4, 2))))
    r, shift, spread = (torch.tensor(rng.normal(size=(30, 2))) for _ in range(3))
    points = torch.tensor(rng.integers(1, 6, size=30))
    torch.testing.assert_close(
        rating.negative_log_likelihood(r, points, cuts, shift, spread),
        rating.negative_log_likelihood(-r, 6 - points, -cuts.flip(0), -shift, spread),
    )


def test_cut_points_rise_and_can_be_inverted() -> None:
    raw = torch.tensor([[0.5, -9.0], [-3.0, 2.0], [4.0, 0.0]], dtype=F)
    cuts = rating.cut_points(raw)
    assert (cuts.diff(dim=0) > 0).all()
    torch.testing.assert_close(rating.raw_cut_points(cuts), raw)


def test_it_starts_at_the_shares_of_the_points() -> None:
    cuts = rating.cut_points(rating.start(torch.tensor([[9.5], [29.5], [0.0], [59.5]], dtype=F)))
    expected = torch.logit(torch.tensor([10, 40, 40.5], dtype=F) / 100.5)
    torch.testing.assert_close(cuts[:, 0], expected)


def test_points_that_nobody_gave_among_millions_start_finite() -> None:
    raw = rating.start(torch.tensor([[2e7], [2e7], [0.0], [2e7], [0.0]]))
    assert raw.dtype == torch.float32
    assert torch.isfinite(raw).all()


def test_gradients_and_extremes() -> None:
    rng = np.random.default_rng(1)
    points = torch.arange(1, 6)
    r, shift, spread = (torch.tensor(rng.normal(size=(5, 2)), requires_grad=True) for _ in range(3))
    raw = torch.tensor(rng.normal(size=(4, 2)), requires_grad=True)

    def loss(x: torch.Tensor, free: torch.Tensor, m: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        return rating.negative_log_likelihood(x, points, rating.cut_points(free), m, g)

    assert torch.autograd.gradcheck(loss, (r, raw, shift, spread))
    far = torch.tensor([[1e4], [-1e4]], requires_grad=True)
    own = torch.zeros(2, 1, requires_grad=True)
    cuts = torch.tensor([[-1.0], [1.0]], requires_grad=True)
    value = rating.negative_log_likelihood(far, torch.tensor([1, 3]), cuts, own, own)
    value.sum().backward()
    for tensor in (far, own, cuts):
        assert tensor.grad is not None
        assert torch.isfinite(tensor.grad).all()


def test_the_prior_by_hand() -> None:
    value = rating.penalty(torch.tensor([[1.0], [2.0]]), torch.tensor([[0.5], [0.0]]))
    assert value.tolist() == [2.5 + 0.5]


@pytest.mark.slow
def test_recovers_rewards_and_everybody_s_scale() -> None:
    """40 responses, 12 annotators who rate each 20 times; shifts from -1.5 to 1.5 and two widths."""
    rng = np.random.default_rng(5)
    truth, shift = rng.normal(size=40), np.linspace(-1.5, 1.5, 12)
    spread, cuts = np.tile([0.4, -0.4], 6), np.array([-1.5, -0.4, 0.5, 1.6])
    response, who = (grid.ravel().repeat(20) for grid in np.meshgrid(np.arange(40), np.arange(12)))
    own = shift[who, None] + np.exp(spread[who, None]) * cuts
    points = 1 + (truth[response, None] + rng.logistic(size=(len(who), 1)) > own).sum(1)
    rewards = torch.zeros(40, 1, dtype=F, requires_grad=True)
    raw = torch.zeros(4, 1, dtype=F, requires_grad=True)
    m, g = (torch.zeros(12, 1, dtype=F, requires_grad=True) for _ in range(2))
    solver = torch.optim.LBFGS([rewards, raw, m, g], max_iter=150, line_search_fn="strong_wolfe")
    rows, people, given = torch.tensor(response), torch.tensor(who), torch.tensor(points)

    def closure() -> torch.Tensor:
        solver.zero_grad()
        loss = rating.negative_log_likelihood(
            rewards[rows], given, rating.cut_points(raw), m[people], g[people]
        )
        value = (loss.sum() + rating.penalty(m, g).sum()) / len(given)
        value.backward()
        return value

    solver.step(closure)
    offset = float((rewards[:, 0].detach() - torch.tensor(truth)).mean())  # one constant is free
    assert np.abs(rewards[:, 0].detach().numpy() - truth - offset).max() < 0.45  # 3 standard errors
    assert np.corrcoef(rewards[:, 0].detach().numpy(), truth)[0, 1] > 0.98
    assert np.abs(m[:, 0].detach().numpy() - shift).max() < 0.35
    assert np.abs(g[:, 0].detach().numpy() - spread).max() < 0.2


def test_softplus_is_inverted() -> None:
    x = torch.tensor([-20.0, 0.0, 30.0], dtype=F)
    torch.testing.assert_close(ordinal.inverse_softplus(torch.nn.functional.softplus(x)), x)
