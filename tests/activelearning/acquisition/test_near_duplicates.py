from __future__ import annotations

import numpy as np
import pytest

from activelearning.acquisition import near_duplicates as module
from activelearning.acquisition.near_duplicates import NearDuplicates

from .pair_worlds import Pairs, pairs


def from_differences(x: np.ndarray) -> Pairs:
    z = np.vstack([x, np.zeros((1, x.shape[1]))])
    return Pairs(z, np.arange(len(x)), np.full(len(x), len(x)))


def turned(degrees: float, length: float = 1.0) -> list[float]:
    angle = np.deg2rad(degrees)
    return [length * float(np.cos(angle)), length * float(np.sin(angle))]


def test_direction_and_length_both_count() -> None:
    cosine = float(np.rad2deg(np.arccos(0.98)))
    x = np.array(
        [
            turned(0),
            turned(cosine - 0.1),
            turned(cosine + 0.1),
            turned(180 + cosine - 0.1),  # the swap
            turned(0, 1.09),
            turned(0, 1.11),
            turned(0, 1 / 1.09),
            turned(0, 1 / 1.11),
            turned(90),
        ]
    )
    near = NearDuplicates(*from_differences(x))
    assert not any(near.is_duplicate(index) for index in range(9))
    near.keep(0)
    expected = [True, True, False, True, True, False, True, False, False]
    assert [near.is_duplicate(index) for index in range(9)] == expected
    assert near.mask().tolist() == expected


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_naive_comparison(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world = pairs(200, q=2, seed=seed)
    monkeypatch.setattr(module, "BLOCK_PAIRS", 30)
    near = NearDuplicates(*world, similarity=0.95)
    kept: list[int] = []
    length = np.linalg.norm(world.x, axis=1)
    for index in range(0, 60, 12):
        near.keep(index)
        kept.append(index)
        ratio = length[:, None] / length[kept]
        cosine = np.abs(world.x @ world.x[kept].T) / np.outer(length, length[kept])
        expected = ((cosine >= 0.95) & (ratio <= 1.1) & (ratio >= 1 / 1.1)).any(axis=1)
        assert np.array_equal(near.mask(), expected)
        assert [near.is_duplicate(i) for i in range(200)] == expected.tolist()
    assert len(kept) < expected.sum() < 200


def test_labelled_pairs_count_and_which_response_is_a_does_not() -> None:
    world = pairs(60, q=2)
    plain = NearDuplicates(*world, 0.95, world.first[:3], world.second[:3])
    assert plain.mask()[:3].all()
    assert not plain.mask().all()
    which = np.random.default_rng(0).random(60) < 0.5
    swapped = NearDuplicates(*world.swapped(which), 0.95, world.second[:3], world.first[:3])
    for near in (plain, swapped):
        near.keep(30)
    assert np.array_equal(plain.mask(), swapped.mask())
    order = np.random.default_rng(1).permutation(60)
    moved = Pairs(world.z, world.first[order], world.second[order])
    shuffled = NearDuplicates(*moved, 0.95, world.first[:3], world.second[:3])
    shuffled.keep(int(np.flatnonzero(order == 30)[0]))
    assert np.array_equal(shuffled.mask(), plain.mask()[order])


def test_pairs_without_a_difference_are_like_each_other_only() -> None:
    near = NearDuplicates(*from_differences(np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]])))
    near.keep(0)
    assert near.mask().tolist() == [True, True, False]


def test_a_mask_handed_out_is_the_callers_own() -> None:
    near = NearDuplicates(*pairs(10))
    near.keep(0)
    near.mask()[:] = True
    assert not near.mask().all()
