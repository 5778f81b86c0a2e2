from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activelearning.acquisition import pair_geometry
from activelearning.acquisition.coverage import ClusterQuota, KCentre, cluster_pairs, cluster_prompts
from activelearning.acquisition.pair_geometry import PairGeometry
from activelearning.acquisition.pool import PoolError

from .pair_worlds import Pairs, far, pairs, take

NONE = np.zeros(0, dtype=np.int64)


def assert_farthest_first(x: np.ndarray, centres: np.ndarray, picks: list[int]) -> None:
    """Every pick is as far as any. Which of two as far is left open: z(a) − z(b) and z(a) − z(c) are just as
    far apart as z(d) − z(b) and z(d) − z(c), so rounding decides.
    """
    for turn, index in enumerate(picks):
        distance = far(x, centres).min(axis=1) if len(centres) else np.linalg.norm(x, axis=1)
        distance[picks[:turn]] = -1.0
        assert distance[index] == pytest.approx(distance.max(), rel=1e-9)
        centres = np.vstack([centres, x[index]])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), known=st.integers(0, 10))
def test_takes_the_farthest_first(seed: int, known: int) -> None:
    world = pairs(seed=seed)
    labelled = pairs(known, responses=60, seed=seed + 1)
    centres = world.z[labelled.first] - world.z[labelled.second]
    picker = KCentre(*world, labelled.first, labelled.second)
    assert_farthest_first(world.x, centres, take(picker, np.ones(80, dtype=bool), 25))
    assert take(KCentre(*world, labelled.first, labelled.second), np.arange(80) == 9, 1) == [9]


def test_covers_within_twice_the_best_and_better_than_by_chance() -> None:
    """20 tight bunches: one pick in each leaves nothing far away; a random choice misses some."""
    rng = np.random.default_rng(0)
    bunch = rng.standard_normal((20, 6)) * 10
    x = np.repeat(bunch, 15, axis=0) + 0.01 * rng.standard_normal((300, 6))
    x *= rng.choice([-1.0, 1.0], 300)[:, None]
    z = np.vstack([x, np.zeros((1, 6))])
    picker = KCentre(z, np.arange(300), np.full(300, 300), NONE, NONE)
    picks = take(picker, np.ones(300, dtype=bool), 20)
    assert sorted(index // 15 for index in picks) == list(range(20))
    assert picker.distances().max() < 0.2
    assert far(x, x[rng.choice(300, 20, replace=False)]).min(axis=1).max() > 1


@pytest.mark.parametrize("seed", range(3))
def test_order_of_the_candidates_does_not_matter(seed: int) -> None:
    z = np.random.default_rng(seed).standard_normal((160, 5))
    world, labelled = Pairs(z, np.arange(80), np.arange(80, 160)), pairs(4, seed=9)
    order = np.random.default_rng(seed).permutation(80)
    moved = Pairs(world.z, world.first[order], world.second[order])
    everything = np.ones(80, dtype=bool)
    picks = take(KCentre(*world, labelled.first, labelled.second), everything, 20)
    again = take(KCentre(*moved, labelled.second, labelled.first), everything, 20)
    assert order[again].tolist() == picks


def test_a_labelled_pair_and_its_swap_are_covered() -> None:
    world = pairs(20)
    picker = KCentre(*world, world.first[:2], world.second[:2])
    turned = KCentre(*world, world.second[:2], world.first[:2])
    assert picker.distances()[:2].tolist() == [0.0, 0.0]
    assert np.array_equal(picker.distances(), turned.distances())
    assert picker.distances()[2:].min() > 0


def test_blocks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    world = pairs(100)
    centres = pairs(30, seed=3).x
    expected = far(world.x, centres).min(axis=1) ** 2
    monkeypatch.setattr(pair_geometry, "BLOCK_PAIRS", 7)
    monkeypatch.setattr(pair_geometry, "BLOCK_CENTRES", 4)
    geometry = PairGeometry(*world)
    np.testing.assert_allclose(geometry.nearest(centres), expected, atol=1e-9)
    np.testing.assert_allclose(geometry.lengths2, (world.x**2).sum(axis=1), rtol=1e-9)
    assert np.isinf(geometry.nearest(np.zeros((0, 5)))).all()


def test_one_pair_at_a_time_equals_the_block_and_weights_scale() -> None:
    world = pairs(50)
    weight = np.random.default_rng(0).uniform(0.1, 2.0, 50)
    geometry = PairGeometry(*world, weight)
    x = world.x * weight[:, None]
    np.testing.assert_allclose(geometry.difference(7), x[7], rtol=1e-9)
    np.testing.assert_allclose(geometry.along(x[7]), x @ x[7], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(geometry.squared_distances(x[7]), far(x, x[7:8])[:, 0] ** 2, atol=1e-9)
    assert geometry.squared_distances(x[7])[7] == 0.0


def bunches(seed: int, *, pools: int = 6, each: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    middle = np.linalg.qr(rng.standard_normal((8, 8)))[0][:pools] * 10
    truth = np.repeat(np.arange(pools), each)
    return middle[truth] + rng.standard_normal((len(truth), 8)), truth


def agrees(label: np.ndarray, truth: np.ndarray) -> bool:
    """Each label is one true bunch and each bunch has one label."""
    seen = set(zip(label.tolist(), truth.tolist(), strict=True))
    return len(seen) == len(np.unique(truth)) == len(np.unique(label))


@pytest.mark.parametrize("seed", range(3))
def test_clusters_of_prompts_are_found(seed: int) -> None:
    points, truth = bunches(seed)
    assert agrees(cluster_prompts(points, 6, np.random.default_rng(seed)), truth)


@pytest.mark.parametrize("seed", range(3))
def test_clusters_of_pairs_are_found_whatever_their_signs(seed: int) -> None:
    points, truth = bunches(seed)
    sign = np.random.default_rng(seed).choice([-1.0, 1.0], len(points))[:, None]
    label = cluster_pairs(points * sign, 6, np.random.default_rng(seed))
    assert agrees(label, truth)
    assert np.array_equal(label, cluster_pairs(points, 6, np.random.default_rng(seed)))
    assert not agrees(cluster_prompts(points * sign, 6, np.random.default_rng(seed)), truth)  # ±x: 12 bunches


def test_more_clusters_than_points_and_none_at_all() -> None:
    assert sorted(cluster_prompts(np.eye(3), 9, np.random.default_rng(0))) == [0, 1, 2]
    with pytest.raises(PoolError, match="0 clusters"):
        cluster_pairs(np.eye(3), 0, np.random.default_rng(0))


def test_quotas_follow_the_shares_of_the_pool() -> None:
    cluster = np.repeat([0, 1, 2], [40, 60, 100])
    picker = ClusterQuota(cluster, np.zeros(3), np.random.default_rng(0))
    open_ = np.ones(200, dtype=bool)
    picks = np.array(take(picker, open_, 50))
    np.testing.assert_allclose(np.bincount(cluster[picks]), [10, 15, 25], atol=1)
    assert cluster[picks[:3]].tolist() == [2, 1, 0]  # equal ratios: the largest first
    for n in range(1, 50):  # never more than one away on the way there
        np.testing.assert_allclose(
            np.bincount(cluster[picks[:n]], minlength=3), n * np.array([0.2, 0.3, 0.5]), atol=1.01
        )


def test_quotas_make_up_for_what_is_labelled_or_picked_by_others() -> None:
    cluster = np.repeat([0, 1], 50)
    picker = ClusterQuota(cluster, np.array([8, 0]), np.random.default_rng(0))
    picker.observe(60)
    picks = np.array(take(picker, np.ones(100, dtype=bool), 9))
    assert np.bincount(cluster[picks], minlength=2).tolist() == [1, 8]
    closed = np.arange(100) < 50
    assert cluster[ClusterQuota(cluster, np.array([8, 0]), np.random.default_rng(0)).next(closed)] == 0


def test_draws_within_a_cluster_are_uniform_and_their_chance_is_told() -> None:
    cluster = np.array([0, 1, 1, 1, 1, 0])
    open_ = np.array([True, True, True, False, True, True])
    picker = ClusterQuota(cluster, np.array([5, 0]), np.random.default_rng(0))
    drawn, told = [], set()
    for _ in range(6_000):
        drawn.append(picker.next(open_))
        told.add(picker.last_chance)
    assert told == {1 / 3}
    np.testing.assert_allclose(
        np.bincount(drawn, minlength=6) / 6_000, [0, 1 / 3, 1 / 3, 0, 1 / 3, 0], atol=0.03
    )


def test_every_cluster_needs_a_count() -> None:
    with pytest.raises(PoolError, match="from 0 to 2, but 2"):
        ClusterQuota(np.array([0, 2]), np.zeros(2), np.random.default_rng(0))
