"""The prompts' own parts integrated out, against the joint model with a block of parameters per prompt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from activelearning.acquisition.batch import grow, promise
from activelearning.acquisition.design import GreedyDesign
from activelearning.acquisition.knowledge import Knowledge, Labels, outlook
from activelearning.acquisition.posterior import Posterior
from activelearning.acquisition.prompt_effects import PromptEffects, prompt_effects
from activelearning.acquisition.quotas import recipe_named
from activelearning.acquisition.rules import Stage, target_moment
from activelearning.acquisition.target import moment

Q, PROMPTS, EACH, PRECISION = 4, 5, 6, 0.7


def world(seed: int = 0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((PROMPTS * EACH, Q)).astype(np.float32)
    prompt = np.repeat(np.arange(PROMPTS), EACH)
    low, high = np.triu_indices(EACH, k=1)
    start = EACH * np.arange(PROMPTS)[:, None]
    return z, prompt, (low + start).ravel(), (high + start).ravel()


def joint(
    z: np.ndarray, prompt: np.ndarray, votes: list[tuple[int, int, float]], variance: float
) -> np.ndarray:
    """Covariance of θ where θ and all u_p are parameters: x of prompt p is (x, 0, …, x, …, 0)."""
    blocks = 1 + PROMPTS
    precision = PRECISION * np.eye(Q * blocks)
    precision[Q:, Q:] = np.eye(Q * PROMPTS) / variance
    for a, b, v in votes:
        long = np.zeros((blocks, Q))
        long[0] = long[1 + prompt[a]] = z[a].astype(float) - z[b]
        precision += v * np.outer(long.ravel(), long.ravel())
    return np.linalg.inv(precision)[:Q, :Q]


def told(
    z: np.ndarray, prompt: np.ndarray, a: np.ndarray, b: np.ndarray, votes: np.ndarray, variance: float
) -> tuple[PromptEffects, np.ndarray]:
    mean = np.random.default_rng(9).standard_normal(Q)
    found = prompt_effects(z, prompt, a, b, votes, Posterior(mean, np.eye(Q), PRECISION), variance)
    p = expit((z[a].astype(float) - z[b]) @ mean)
    return found, votes * p * (1 - p)


@pytest.mark.parametrize("labels", [0, 3, 40])  # prompts with fewer labels than dimensions, and with more
@pytest.mark.parametrize("variance", [0.4, 7.0])
def test_labels_and_picks_leave_the_covariance_of_the_joint_model(labels: int, variance: float) -> None:
    z, prompt, first, second = world()
    rng = np.random.default_rng(1)
    rows = rng.choice(len(first), labels)
    found, informed = told(z, prompt, first[rows], second[rows], rng.integers(1, 5, labels) * 1.0, variance)
    votes = list(zip(first[rows], second[rows], informed, strict=True))
    np.testing.assert_allclose(
        found.posterior.covariance, joint(z, prompt, votes, variance), rtol=1e-4, atol=1e-6
    )
    v = rng.uniform(0.05, 0.25, len(first))
    target = moment(z, first, second)
    design = GreedyDesign(z, first, second, v, found.posterior.covariance, target, effects=found)
    for index in (7, 8, 40, 7, 12):
        gains = design.gains()
        for other in (7, 9, 30, 41):
            more = [*votes, (first[other], second[other], v[other])]
            fall = np.trace((joint(z, prompt, votes, variance) - joint(z, prompt, more, variance)) @ target)
            assert gains[other] == pytest.approx(fall, rel=2e-3)
        design.pick(index)
        votes.append((first[index], second[index], v[index]))
        np.testing.assert_allclose(design.covariance, joint(z, prompt, votes, variance), rtol=1e-3, atol=1e-5)


def twelve_labels() -> tuple[Knowledge, np.ndarray, np.ndarray]:
    z, prompt, first, second = world()
    rng = np.random.default_rng(2)
    rows = rng.choice(len(first), 12, replace=False)
    shares = np.eye(3)[rng.choice(3, 12)]
    labels = Labels(first[rows], second[rows], shares, np.ones(12), np.zeros(12, dtype=bool))
    return (
        Knowledge(z, prompt, labels, Posterior(rng.standard_normal(Q), np.eye(Q), PRECISION)),
        first,
        second,
    )


def test_a_random_pick_that_is_not_looked_at_tells_what_its_prompt_has_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known, first, second = twelve_labels()
    told = known.told_by_prompts(0.8)
    seen: list[tuple[np.ndarray, float]] = []
    monkeypatch.setattr(Stage, "observe_elsewhere", lambda self, x, v: seen.append((x, v)) or 0.0)
    recipe = replace(recipe_named("i-optimal"), keep=1, random_share=0.7, prompt_effect=0.8)
    grown = grow(known, first, second, n=10, recipe=recipe, rng=np.random.default_rng(0))
    drawn = [pick.candidate for pick in grown.picks if pick.rule == "random"]
    outside = [row for row in drawn if row not in grown.kept]
    assert len(outside) > 1
    assert len(seen) == len(outside)
    assert told.effects is not None
    for row in outside:
        x, left = (table[first[row]] - table[second[row]] for table in (known.z, told.effects.z))
        v = outlook(told, first[[row]], second[[row]]).information[0]
        matching = [vote for other, vote in seen if np.allclose(other, left)]
        assert matching == [pytest.approx(v / (1 + 0.8 * v * float(x @ left)), rel=1e-5)]


def test_large_pools_are_thinned_by_the_gain_that_the_design_maximises() -> None:
    known, first, second = twelve_labels()
    known = known.told_by_prompts(0.8)
    view = outlook(known, first, second)
    found = promise(known, first, second, view, recipe_named("i-optimal"), np.random.default_rng(0))
    target = target_moment(known, first, second, np.random.default_rng(0), regret=False)
    sigma = known.posterior.covariance
    design = GreedyDesign(known.z, first, second, view.information, sigma, target, effects=known.effects)
    np.testing.assert_allclose(found, design.gains(), rtol=1e-4)


def test_a_prompt_alone_never_tells_everything() -> None:
    z, prompt, first, second = world()
    own = prompt[first] == 0
    a, b = first[own], second[own]
    found, _ = told(z, prompt, a, b, np.full(len(a), 1e6), 0.5)
    known = np.linalg.inv(found.posterior.covariance) - PRECISION * np.eye(Q)
    assert np.linalg.eigvalsh(known).max() == pytest.approx(1 / 0.5, rel=1e-3)


def test_after_many_votes_on_a_prompt_the_next_pick_is_of_another() -> None:
    z, prompt, first, second = world()
    own = prompt[first] == 2
    found, _ = told(z, prompt, first[own], second[own], np.full(int(own.sum()), 50.0), 1.0)
    plain = np.linalg.norm(z[first] - z[second], axis=1)
    design = GreedyDesign(
        z, first, second, np.full(len(first), 0.25), found.posterior.covariance, np.eye(Q), effects=found
    )
    best = design.best(np.ones(len(first), dtype=bool))
    assert best is not None
    assert prompt[first[best]] != 2
    assert np.linalg.norm(found.z[first] - found.z[second], axis=1)[own].max() < 0.2 * plain[own].max()


def test_other_prompts_are_left_as_they_are_and_what_was_given_is_not_changed() -> None:
    z, prompt, first, second = world()
    before = z.copy()
    own = prompt[first] == 1
    found, _ = told(z, prompt, first[own][:2], second[own][:2], np.ones(2), 1.0)
    assert np.array_equal(found.z[prompt != 1], z[prompt != 1])
    assert not np.allclose(found.z[prompt == 1], z[prompt == 1])
    left = found.z.copy()
    design = GreedyDesign(
        z, first, second, np.full(len(first), 0.25), found.posterior.covariance, effects=found
    )
    design.pick(3)
    assert np.array_equal(z, before)
    assert np.array_equal(found.z, left)
