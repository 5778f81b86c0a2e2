"""The likelihood of a ranking: by hand, where it meets the pair, under permutation, and by recovery."""

import itertools
import math

import numpy as np
import pytest
import torch

from rewardmodel.likelihood import pair, ranking

F = torch.float64


def column(*values: float) -> torch.Tensor:
    """(n,) -> (n, 1, 1): one ranking under one model."""
    return torch.tensor(values, dtype=F)[:, None, None]


def loss(rewards: tuple[float, ...], ranks: tuple[int, ...], tau: float) -> float:
    value = ranking.negative_log_likelihood(
        column(*rewards), torch.tensor(ranks)[:, None], torch.tensor([tau], dtype=F)
    )
    return float(value[0, 0])


def test_plackett_luce_by_hand() -> None:
    # strengths 4, 1, 3 in this order: 4/8 · 1/4
    ordered = torch.log(torch.tensor([4.0, 1.0, 3.0], dtype=F))
    assert ranking.plackett_luce(ordered).item() == pytest.approx(-math.log(4 / 8 * 1 / 4))


def test_the_probabilities_of_all_orders_add_to_one() -> None:
    rewards = torch.tensor(np.random.default_rng(0).normal(size=4))
    orders = torch.tensor(list(itertools.permutations(range(4)))).T
    assert torch.exp(-ranking.plackett_luce(rewards[orders])).sum().item() == pytest.approx(1)


def test_two_responses_are_bradley_terry_and_with_ties_davidson() -> None:
    d = torch.linspace(-5, 5, 11, dtype=F)
    ordered = torch.stack((d, torch.zeros_like(d)))
    torch.testing.assert_close(ranking.plackett_luce(ordered), -torch.nn.functional.logsigmoid(d))
    tau = torch.tensor([0.3], dtype=F)
    for ranks, outcome in (((1, 2), pair.A), ((1, 1), pair.TIE)):
        mine = ranking.negative_log_likelihood(
            ordered[..., None], torch.tensor(ranks)[:, None].expand(2, 11), tau
        )
        torch.testing.assert_close(mine[:, 0], -pair.log_probabilities(d, tau)[:, outcome])


def test_ties_by_hand() -> None:
    # rewards ln 4, 0, 0 and ranks 1, 2, 2 at τ = 0. Pairs (0, 1) and (0, 2) are won with e^{d/2} = 2 out of
    # 2 + 1/2 + 1, (1, 2) is a tie with 1 out of 3; all weigh 2/3
    by_hand = -2 / 3 * (2 * math.log(2 / 3.5) + math.log(1 / 3))
    assert loss((math.log(4), 0.0, 0.0), (1, 2, 2), 0.0) == pytest.approx(by_hand)


def test_without_ties_only_the_order_is_left() -> None:
    assert loss((1.0, 0.2, -0.5), (1, 2, 3), -60.0) == pytest.approx(
        ranking.plackett_luce(column(1.0, 0.2, -0.5)).item()
    )


def test_responses_that_are_ranked_equal_can_be_exchanged() -> None:
    assert loss((0.3, 1.0, -0.7, 0.1), (1, 2, 2, 4), 0.2) == pytest.approx(
        loss((0.3, -0.7, 1.0, 0.1), (1, 2, 2, 4), 0.2)
    )


def test_each_ranking_and_model_stands_alone() -> None:
    rng = np.random.default_rng(1)
    ordered, tau = torch.tensor(rng.normal(size=(4, 6, 3))), torch.tensor(rng.normal(size=3))
    ranks = torch.tensor(np.sort(rng.integers(1, 5, size=(4, 6)), axis=0))
    together = ranking.negative_log_likelihood(ordered, ranks, tau)
    for m, j in itertools.product(range(6), range(3)):
        alone = ranking.negative_log_likelihood(ordered[:, [m]][..., [j]], ranks[:, [m]], tau[[j]])
        torch.testing.assert_close(alone[0, 0], together[m, j])


def test_gradients_and_extremes() -> None:
    ranks = torch.tensor([[1, 1, 1], [2, 1, 2], [3, 1, 2]])
    rng = np.random.default_rng(3)
    ordered = torch.tensor(rng.normal(size=(3, 3, 2)), requires_grad=True)
    tau = torch.tensor([0.2, -1.0], dtype=F, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, t: ranking.negative_log_likelihood(x, ranks, t), (ordered, tau))
    far = torch.tensor([[[-1e4]], [[0.0]], [[1e4]]], requires_grad=True)
    value = ranking.negative_log_likelihood(far, ranks[:, :1], torch.zeros(1))
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert far.grad is not None
    assert torch.isfinite(far.grad).all()


def test_the_tie_parameter_is_not_learned_from_ties_alone() -> None:
    """Pairs ranked as n = 2, a third of them equal: τ is that of Davidson, not infinite."""
    ordered = torch.zeros(2, 300, 1, dtype=F)
    ranks = torch.tensor([[1], [2]]).repeat(1, 300)
    ranks[1, :100] = 1
    tau = torch.zeros(1, dtype=F, requires_grad=True)
    solver = torch.optim.LBFGS([tau], max_iter=50, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        solver.zero_grad()
        value = ranking.negative_log_likelihood(ordered, ranks, tau).mean()
        value.backward()
        return value

    solver.step(closure)
    assert tau.item() == pytest.approx(0, abs=1e-4)  # P(tie) = e^τ / (2 + e^τ) = 1/3


@pytest.mark.slow
def test_recovers_the_rewards_from_rankings() -> None:
    """12 items in 4,000 rankings of five, drawn from Plackett-Luce by its exponential race."""
    rng = np.random.default_rng(4)
    truth = rng.normal(size=12)
    truth -= truth.mean()
    shown = np.stack([rng.choice(12, 5, replace=False) for _ in range(4000)])
    finish = rng.exponential(size=shown.shape) / np.exp(truth[shown])
    best_first = torch.tensor(np.take_along_axis(shown, finish.argsort(1), 1).T)
    ranks = torch.arange(1, 6)[:, None].expand(5, 4000)
    rewards = torch.zeros(12, 1, dtype=F, requires_grad=True)
    solver = torch.optim.LBFGS([rewards], max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        solver.zero_grad()
        value = ranking.negative_log_likelihood(
            rewards[best_first], ranks, torch.tensor([-40.0], dtype=F)
        ).mean()
        value.backward()
        return value

    solver.step(closure)
    found = (rewards - rewards.mean()).detach().numpy()[:, 0]
    assert np.abs(found - truth).max() < 0.08
