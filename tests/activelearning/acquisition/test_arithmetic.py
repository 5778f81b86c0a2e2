"""Whoever is asked to carry out the sums is the one who does."""

from __future__ import annotations

import numpy as np

from activelearning.acquisition.arithmetic import NUMPY, PairState, Start
from activelearning.acquisition.group_pool import open_groups
from activelearning.acquisition.group_recipe import select_groups
from activelearning.acquisition.posterior import Posterior
from activelearning.acquisition.quotas import recipe_named
from activelearning.acquisition.recipe import select_batch
from activelearning.acquisition.shards import Shard, shortlist
from tests.activelearning.acquisition import worlds


class Noted:
    """NUMPY, and how often each was asked for with how many pairs."""

    def __init__(self) -> None:
        self.forms: list[int] = []
        self.states: list[int] = []

    def quadratic_form(
        self, z: np.ndarray, first: np.ndarray, second: np.ndarray, matrix: np.ndarray
    ) -> np.ndarray:
        self.forms.append(len(first))
        return NUMPY.quadratic_form(z, first, second, matrix)

    def pair_state(self, start: Start) -> PairState:
        self.states.append(len(start.first))
        return NUMPY.pair_state(start)


def test_pairs() -> None:
    pool = worlds.pool(30, 5)
    candidates = worlds.every_pair(pool)
    noted = Noted()
    recipe = recipe_named("regret")
    select_batch(pool, candidates, n=20, rng=np.random.default_rng(0), recipe=recipe, arithmetic=noted)
    assert noted.states == [300]
    assert 300 in noted.forms


def test_groups() -> None:
    pool = worlds.pool(20, 5)
    found = open_groups(pool.response_id, pool.prompt_id)
    noted = Noted()
    recipe = recipe_named("regret")
    select_groups(pool, found, n=5, size=3, rng=np.random.default_rng(0), recipe=recipe, arithmetic=noted)
    assert len(noted.states) >= 2  # groups are formed, then chosen
    assert noted.forms


def test_shortlists() -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((40, 4)).astype(np.float32)
    shard = Shard(z, np.arange(40), np.arange(0, 40, 2), np.arange(1, 40, 2), np.arange(20))
    noted = Noted()
    shortlist([shard], Posterior.prior(4, 1.0), np.eye(4), keep=5, seed=0, arithmetic=noted)
    assert noted.forms == [20, 20]
