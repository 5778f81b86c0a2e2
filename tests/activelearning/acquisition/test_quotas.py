from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activelearning.acquisition.pool import PoolError, ResponsePool
from activelearning.acquisition.quotas import (
    Part,
    Recipe,
    RecipeError,
    cluster_caps,
    group_cap,
    interleave,
    largest_remainder,
    recipe_named,
)
from tests.activelearning.acquisition.worlds import textbook


@settings(max_examples=100, deadline=None)
@given(total=st.integers(0, 500), weights=st.lists(st.integers(0, 50), min_size=3, max_size=3).filter(any))
def test_largest_remainder_sums_and_stays_within_one(total: int, weights: list[int]) -> None:
    shares = dict(zip(("uncertainty", "d_optimal", "error"), map(float, weights), strict=True))
    parts = largest_remainder(total, shares)  # type: ignore[arg-type]
    assert sum(parts.values()) == total
    for name, part in parts.items():
        assert abs(part - total * shares[name] / sum(weights)) < 1


def test_interleaving_keeps_the_recipe_in_every_prefix() -> None:
    schedule = interleave({"uncertainty": 45, "d_optimal": 27, "error": 18, "random": 10})
    for stop in range(10, 101, 10):
        counts = Counter(schedule[:stop])
        assert abs(counts["uncertainty"] - 0.45 * stop) <= 1
        assert abs(counts["random"] - 0.1 * stop) <= 1


def test_default_cap_is_four_fair_shares_and_at_least_two() -> None:
    assert group_cap(100, np.full(50, 20), None) == 8
    assert group_cap(10, np.full(50, 20), None) == 2
    assert group_cap(100, np.array([100, 1]), 5) >= 99


def test_bad_recipes_and_pools_are_refused_with_the_value() -> None:
    with pytest.raises(RecipeError, match="sum to 1"):
        textbook(uncertainty=0.9)
    with pytest.raises(RecipeError, match=r"random_share is 1\.5"):
        textbook(random=1.5)
    with pytest.raises(PoolError, match="repeat"):
        ResponsePool(np.array(["a", "a"]), np.array(["p", "p"]))
    with pytest.raises(PoolError, match="NaN"):
        ResponsePool(np.array(["a"]), np.array(["p"]), np.array([[np.nan]]))
    with pytest.raises(PoolError, match="without features"):
        ResponsePool(np.array(["a"]), np.array(["p"]), None, np.array([[1.0]]))
    with pytest.raises(RecipeError, match="no rule"):
        Recipe("x", (Part("best"),))  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="twice"):
        Recipe("x", (Part("margin", 0.5), Part("margin", 0.5)))
    with pytest.raises(RecipeError, match="choose among"):
        recipe_named("clever")


def test_a_cluster_may_take_four_times_its_share_but_a_small_one_is_not_shut_out() -> None:
    held = np.array([500, 300, *[25] * 8])
    caps = cluster_caps(20, held, None)
    assert caps.tolist() == [40, 24, *[8] * 8]  # 4 · 20 · (1/2, 3/10, 1/10 instead of 1/40)
    assert cluster_caps(20, held, 3).tolist() == [3] * 10
    assert np.minimum(cluster_caps(20, np.array([100, 1]), 3), [100, 1]).sum() >= 20
    assert cluster_caps(2, held, None).min() == 2
