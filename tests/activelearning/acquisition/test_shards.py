from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from activelearning.acquisition.batch import promise
from activelearning.acquisition.knowledge import Knowledge, Labels, outlook
from activelearning.acquisition.posterior import Posterior
from activelearning.acquisition.quotas import RECIPES
from activelearning.acquisition.shards import Shard, random_keys, shortlist
from activelearning.acquisition.target import moment

PROMPTS, EACH, Q = 60, 6, 5


def whole(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, Posterior]:
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((PROMPTS * EACH, Q)).astype(np.float32)
    low, high = np.triu_indices(EACH, k=1)
    first = (np.arange(PROMPTS)[:, None] * EACH + low).ravel()
    second = (np.arange(PROMPTS)[:, None] * EACH + high).ravel()
    root = rng.standard_normal((Q, Q))
    return z, first, second, Posterior(rng.standard_normal(Q), root @ root.T / Q, 1.0)


def cut(parts: int, seed: int = 0) -> Iterator[Shard]:
    z, first, second, _ = whole(seed)
    number = np.arange(len(first))
    for prompts in np.array_split(np.arange(PROMPTS), parts):
        low, high = prompts[0] * EACH, (prompts[-1] + 1) * EACH
        rows = np.flatnonzero((first >= low) & (first < high))
        yield Shard(z[low:high], np.arange(low, high), first[rows] - low, second[rows] - low, number[rows])


@pytest.mark.parametrize("parts", [2, 7, 60])
def test_the_shortlist_does_not_depend_on_the_cut(parts: int) -> None:
    z, first, second, posterior = whole()
    target = moment(z, first, second)
    one = shortlist(cut(1), posterior, target, keep=100, seed=3)
    many = shortlist(cut(parts), posterior, target, keep=100, seed=3)
    assert one.number.tolist() == many.number.tolist()
    np.testing.assert_array_equal(one.z, many.z)
    np.testing.assert_array_equal(one.first, many.first)
    assert len(one.response) == len(np.unique(one.response)) < 2 * len(one.number)
    assert many.pairs == len(first)
    assert shortlist(cut(1), posterior, target, keep=100, seed=4).number.tolist() != one.number.tolist()


def test_it_keeps_the_best_and_a_random_rest() -> None:
    z, first, second, posterior = whole()
    target = moment(z, first, second)
    found = shortlist(cut(5), posterior, target, keep=100, seed=3)
    assert len(found.number) == len(np.unique(found.number)) == 100
    rng = np.random.default_rng(0)
    known = Knowledge(z, first * 0, Labels.none(), posterior, target_first=first, target_second=second)
    view = outlook(known, first, second)
    gain = promise(known, first, second, view, RECIPES["i-optimal"], rng)
    best = np.argsort(-gain)[:80]
    assert set(best.tolist()) <= set(found.number.tolist())
    np.testing.assert_allclose(found.score, gain[found.number], rtol=1e-4)
    rest = np.setdiff1d(found.number, best)
    assert np.median(gain[rest]) < np.median(gain[best]) / 2
    np.testing.assert_allclose(found.z[found.first], z[first[found.number]])
    np.testing.assert_allclose(found.z[found.second], z[second[found.number]])


def test_a_shortlist_longer_than_the_pool_is_the_pool() -> None:
    _, first, _, posterior = whole()
    found = shortlist(cut(4), posterior, np.eye(Q), keep=10_000, seed=0)
    assert found.number.tolist() == list(range(len(first)))


def test_keys_are_uniform_and_follow_the_seed() -> None:
    keys = random_keys(np.arange(100_000), 1)
    assert keys.min() >= 0
    assert keys.max() < 1
    np.testing.assert_allclose(np.histogram(keys, 20, (0, 1))[0] / 5_000, 1, atol=0.06)
    assert abs(np.corrcoef(keys, random_keys(np.arange(100_000), 2))[0, 1]) < 0.02
    assert abs(np.corrcoef(keys[:-1], keys[1:])[0, 1]) < 0.02
