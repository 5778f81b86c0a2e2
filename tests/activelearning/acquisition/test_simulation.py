from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from activelearning.acquisition.pool import LabelledPairs
from activelearning.acquisition.quotas import RecipeConfig
from activelearning.acquisition.simulation import LearningCurves, Scores, gap, simulate
from tests.activelearning.acquisition.worlds import bootstrap_ridge, linear_world


def curves(seeds: int, config: RecipeConfig | None = None) -> list[LearningCurves]:
    found = []
    for seed in range(seeds):
        world = linear_world(seed)
        train = bootstrap_ridge(world)
        found.append(simulate(world, train, rounds=5, batch=20, start=20, seeds=[seed], config=config))
    return found


def stacked(found: list[LearningCurves], arm: str, measure: str) -> np.ndarray:
    return np.vstack([getattr(getattr(curve, arm), measure) for curve in found])


@pytest.mark.slow
def test_the_recipe_beats_random_at_equal_label_counts() -> None:
    found = curves(16)
    accuracy = gap(stacked(found, "recipe", "accuracy"), stacked(found, "random", "accuracy"))
    nll = gap(stacked(found, "recipe", "nll"), stacked(found, "random", "nll"))
    assert accuracy.mean > 2 * accuracy.standard_error
    assert nll.mean < -2 * nll.standard_error


@pytest.mark.slow
def test_an_all_random_recipe_gains_nothing() -> None:
    # The control: were the harness itself in favour of one arm, this would show it.
    found = curves(16, RecipeConfig(audit=1.0))
    accuracy = gap(stacked(found, "recipe", "accuracy"), stacked(found, "random", "accuracy"))
    assert abs(accuracy.mean) < 4 * accuracy.standard_error


@pytest.mark.slow
def test_both_arms_start_alike_and_learn() -> None:
    world = linear_world(3)
    found = simulate(world, bootstrap_ridge(world), rounds=4, batch=40, start=10, seeds=[0, 1, 2])
    assert found.labels.tolist() == [10, 50, 90, 130, 170]
    assert found.recipe.accuracy.shape == (3, 5)
    np.testing.assert_array_equal(found.recipe.accuracy[:, 0], found.random.accuracy[:, 0])
    assert found.recipe.accuracy[:, -1].mean() > found.recipe.accuracy[:, 0].mean() + 0.05
    again = simulate(world, bootstrap_ridge(world), rounds=4, batch=40, start=10, seeds=[0, 1, 2])
    np.testing.assert_array_equal(found.recipe.nll, again.recipe.nll)


def test_labels_grow_by_the_batch_without_repeats_and_the_arms_see_the_same_votes() -> None:
    world = linear_world(4)
    seen: dict[frozenset[str], tuple[float, ...]] = {}
    sizes = []

    def train(labelled: LabelledPairs, rng: np.random.Generator) -> Scores:
        pairs = list(zip(labelled.response_a.tolist(), labelled.response_b.tolist(), strict=True))
        assert len({frozenset(pair) for pair in pairs}) == len(pairs)
        for pair, share in zip(pairs, labelled.shares.tolist(), strict=True):
            assert seen.setdefault(frozenset(pair), tuple(share)) == tuple(share)
        sizes.append(len(pairs))
        return bootstrap_ridge(world)(labelled, rng)

    simulate(world, train, rounds=2, batch=30, start=20, seeds=[7])
    assert sizes == [20, 50, 80] * 2


def test_measures_of_a_perfect_and_a_reversed_model() -> None:
    world = linear_world(5)
    truth = np.zeros(len(world.response_id))
    p = np.clip(world.test_shares[:, 0], 1e-12, 1 - 1e-12)
    for prompt in set(world.test.prompts.tolist()):
        rows = np.flatnonzero(world.test.prompts == prompt)
        base = world.test.first[rows[0]]
        for row in rows[world.test.first[rows] == base]:
            truth[world.test.second[row]] = -np.log(p[row] / (1 - p[row]))

    def perfect(sign: float):
        return lambda labelled, rng: Scores(sign * truth[:, None] * np.ones((1, 3)), temperature=1.0)

    one = simulate(world, perfect(1.0), rounds=1, batch=5, start=5, seeds=[0])
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p)).mean()
    assert one.random.accuracy == pytest.approx(np.ones((1, 2)))
    assert one.random.nll == pytest.approx(np.full((1, 2), entropy), rel=1e-6)
    two = simulate(world, perfect(-1.0), rounds=1, batch=5, start=5, seeds=[0])
    assert two.recipe.accuracy == pytest.approx(np.zeros((1, 2)))


def test_more_labels_than_pairs_are_refused() -> None:
    world = replace(linear_world(0), votes=None)
    with pytest.raises(ValueError, match="there are only"):
        simulate(world, bootstrap_ridge(world), rounds=100, batch=100, start=10, seeds=[0])
