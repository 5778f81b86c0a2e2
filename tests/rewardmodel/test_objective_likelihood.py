"""The one objective: each term is its likelihood, and all kinds together know more than any one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rewardmodel.likelihood import objective, pair, rating, strength
from rewardmodel.likelihood.objective import Objective, Pairs, Rankings, Ratings, Strengths

F = torch.float64
PROMPTS, EACH = 24, 5
LEFT, RIGHT = (
    torch.tensor(np.tile(i, PROMPTS) + EACH * np.repeat(np.arange(PROMPTS), 10))
    for i in np.triu_indices(EACH, 1)
)
OF_PAIR = LEFT // EACH


def votes(seed: int = 0) -> tuple[np.ndarray, dict[str, Objective]]:
    """Five responses to each of 24 prompts, and what different people say of them in four ways."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=PROMPTS * EACH)
    d = torch.tensor(truth)[LEFT] - torch.tensor(truth)[RIGHT]
    sides = torch.stack((LEFT, RIGHT))
    shares = [rng.multinomial(2, p) / 2 for p in pair.probabilities(d, torch.tensor(-0.5)).numpy()]
    p = strength.probabilities(d, torch.tensor([0.3, 1.2, 2.5], dtype=F)).numpy()
    level = (p.cumsum(1) < rng.random((len(p), 1))).sum(1) - 3
    one = torch.ones(len(LEFT), dtype=F)
    shown = np.concatenate([np.arange(PROMPTS * EACH).reshape(PROMPTS, EACH)] * 3)
    order = (rng.exponential(size=shown.shape) / np.exp(truth[shown])).argsort(1)
    best_first = torch.tensor(np.take_along_axis(shown, order, 1).T)
    response = np.repeat(np.arange(PROMPTS * EACH), 4)
    who = rng.integers(0, 10, size=len(response))
    own = np.linspace(-2, 2, 10)[who, None] + np.array([-1.5, -0.5, 0.5, 1.5])
    points = 1 + (truth[response, None] + rng.logistic(size=(len(who), 1)) > own).sum(1)
    return truth, {
        "pairs": (Pairs(sides, OF_PAIR, 2 * one, torch.tensor(np.array(shares).T)),),
        "strengths": (Strengths(sides, OF_PAIR, one, torch.tensor(level), torch.tensor(level), 3, True),),
        "rankings": (
            Rankings(
                best_first,
                best_first[0] // EACH,
                torch.ones(len(shown), dtype=F),
                torch.arange(1, EACH + 1)[:, None].expand(EACH, len(shown)),
            ),
        ),
        "ratings": (
            Ratings(
                torch.tensor(response)[None],
                torch.tensor(response // EACH),
                torch.ones(len(response), dtype=F),
                torch.tensor(points),
                torch.tensor(who),
                10,
                5,
            ),
        ),
    }


def fitted(terms: Objective) -> np.ndarray:
    """The rewards of greatest posterior, under a standard normal prior."""
    rewards = torch.zeros(PROMPTS * EACH, 1, dtype=F, requires_grad=True)
    parameters = objective.start(terms, torch.ones(PROMPTS, 1, dtype=F))
    leaves = [value.requires_grad_() for value in parameters.values()]
    solver = torch.optim.LBFGS([rewards, *leaves], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        solver.zero_grad()
        value = (
            objective.losses(rewards, parameters, terms).sum() + objective.penalty(parameters, terms).sum()
        )
        value = value + rewards.square().sum() / 2
        value.backward()
        return value

    solver.step(closure)
    return rewards.detach().numpy()[:, 0]


def within_prompts(rewards: np.ndarray) -> np.ndarray:
    by_prompt = rewards.reshape(PROMPTS, EACH)
    return by_prompt - by_prompt.mean(1, keepdims=True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_all_kinds_together_recover_the_rewards_better_than_any_alone(seed: int) -> None:
    truth, by_kind = votes(seed)
    error = {
        name: float(np.square(within_prompts(fitted(terms)) - within_prompts(truth)).mean())
        for name, terms in {
            **by_kind,
            "all": tuple(term for terms in by_kind.values() for term in terms),
        }.items()
    }
    alone = [error[name] for name in by_kind]
    assert error["all"] < 0.75 * min(alone)
    assert max(alone) < 0.8 * within_prompts(truth).var()  # and each says something


def test_each_term_is_its_likelihood_times_its_weight() -> None:
    truth, by_kind = votes()
    rewards = torch.tensor(np.stack([truth, -truth], axis=1))
    weight = torch.rand(PROMPTS, 2, dtype=F, generator=torch.Generator().manual_seed(0))
    d = rewards[LEFT] - rewards[RIGHT]
    (pairs,), (strengths,), (rankings,), (ratings,) = by_kind.values()
    assert isinstance(pairs, Pairs)
    assert isinstance(ratings, Ratings)
    parameters = objective.start((pairs, strengths, rankings, ratings), weight)
    assert {name: tuple(value.shape) for name, value in parameters.items()} == {
        "tau": (2,),
        "strength": (3, 2),
        "rating_5.cuts": (4, 2),
        "rating_5.shift": (10, 2),
        "rating_5.spread": (10, 2),
    }
    expected = pair.loss(d, parameters["tau"], pairs.shares.T[:, None], torch.full((len(LEFT), 1), 2.0))
    torch.testing.assert_close(pairs.losses(rewards, parameters), expected)
    nothing = torch.zeros(len(ratings), 2, dtype=F)
    cuts = rating.cut_points(parameters["rating_5.cuts"])
    torch.testing.assert_close(
        replace(ratings, weight=ratings.weight / 4).losses(rewards, parameters),
        rating.negative_log_likelihood(rewards[ratings.responses[0]], ratings.points, cuts, nothing, nothing)
        / 4,
    )
    assert rankings.votes.tolist() == [4.0] * len(rankings)
    both = objective.losses(rewards, parameters, (pairs, strengths, rankings, ratings))
    assert len(both) == sum(map(len, (pairs, strengths, rankings, ratings)))


def test_cut_points_start_from_the_prompts_a_model_may_see() -> None:
    _, by_kind = votes()
    (ratings,) = by_kind["ratings"]
    assert isinstance(ratings, Ratings)
    weight = torch.zeros(PROMPTS, 1, dtype=F)
    weight[3] = 2.0
    mine = objective.start((ratings,), weight)["rating_5.cuts"]
    seen = ratings.points[ratings.prompt == 3]
    counts = torch.bincount(seen - 1, minlength=5).double() * 2
    torch.testing.assert_close(mine[:, 0], rating.start(counts[:, None])[:, 0])


def test_the_rows_of_a_batch_are_renumbered() -> None:
    truth, by_kind = votes()
    rewards, batch = torch.tensor(truth)[:, None], torch.tensor([12, 10, 14, 11, 13, 71])
    for terms in by_kind.values():
        parameters = objective.start(terms, torch.ones(PROMPTS, 1, dtype=F))
        for term in terms:
            part = term.among(batch, len(truth))
            whole = term.losses(rewards, parameters)[term.prompt == 2]
            mine = part.take(part.prompt == 2)
            torch.testing.assert_close(mine.losses(rewards[batch], parameters), whole)
            assert set(part.prompt.tolist()) <= {2, 14}


def test_gradients_reach_every_parameter() -> None:
    truth, by_kind = votes()
    terms = tuple(term for kind in by_kind.values() for term in kind)
    rewards = torch.tensor(truth, dtype=torch.float32)[:, None].repeat(1, 3).requires_grad_()
    small = tuple(term._each(lambda t: t.float() if t.is_floating_point() else t) for term in terms)
    parameters = {
        name: value.requires_grad_() for name, value in objective.start(small, torch.ones(PROMPTS, 3)).items()
    }
    objective.losses(rewards, parameters, small).sum().backward()
    for value in (rewards, *parameters.values()):
        assert value.grad is not None
        assert torch.isfinite(value.grad).all()
        assert (value.grad != 0).any()
