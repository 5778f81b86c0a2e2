"""The survey of the pool: the same whatever the order, honest counts, shifts beyond chance."""

from dataclasses import asdict, replace
from json import dumps

import numpy as np
import pytest

from activelearning.acquisition.knowledge import Knowledge, Labels, learn
from activelearning.acquisition.prompt_words import word_points
from activelearning.acquisition.survey import (
    LABELLED,
    MOST_POINTS,
    OPEN,
    SELECTED,
    Prompts,
    Survey,
    survey,
    total_variation,
)

PROMPTS, EACH = 60, 4


class Pool:
    """Three kinds of prompts far apart, `EACH` responses each; every pair is open."""

    def __init__(self, prompts: int = PROMPTS, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.prompt = np.repeat(np.arange(prompts), EACH)
        centres = np.eye(3, 5)[np.arange(prompts) % 3] * 12
        self.z = (centres[self.prompt] + rng.normal(size=(len(self.prompt), 5))).astype(np.float32)
        self.names = np.array([f"p{i:04d}" for i in range(prompts)])
        self.response_id = np.array([f"r{i:05d}" for i in range(len(self.prompt))])
        i, j = np.triu_indices(EACH, 1)
        base = np.arange(prompts)[:, None] * EACH
        self.first, self.second = (base + i).ravel(), (base + j).ravel()
        self.labels = Labels.none()
        self.selected = np.zeros(len(self.first), dtype=np.bool_)
        self.prompts = Prompts(self.names)

    def label(self, rows: np.ndarray) -> None:
        """These pairs are no longer open."""
        shares = np.tile([0.7, 0.1, 0.2], (len(rows), 1))
        held = np.zeros(len(rows), dtype=np.bool_)
        self.labels = Labels(self.first[rows], self.second[rows], shares, np.ones(len(rows)), held)
        left = np.setdiff1d(np.arange(len(self.first)), rows)
        self.first, self.second = self.first[left], self.second[left]
        self.selected = self.selected[left]

    def of_prompts(self, numbers: np.ndarray) -> np.ndarray:
        return np.flatnonzero(np.isin(self.prompt[self.first], numbers))

    def survey(self) -> Survey:
        rng = np.random.default_rng(3)
        posterior = learn(self.z, self.prompt, self.labels, rng, prior_precision=1.0)
        known = Knowledge(self.z, self.prompt, self.labels, posterior)
        found = survey(known, self.response_id, self.prompts, self.first, self.second, self.selected, rng)
        assert found is not None
        return found[0]


@pytest.fixture
def pool() -> Pool:
    made = Pool()
    made.selected[::17] = True
    made.label(np.arange(1, 120, 3))
    return made


def test_it_is_the_same_again_and_goes_into_json(pool: Pool) -> None:
    assert pool.survey() == pool.survey()
    assert dumps(asdict(pool.survey()))


def test_neither_the_order_of_a_pair_nor_that_of_the_pairs_matters(pool: Pool) -> None:
    before = pool.survey()
    rows = np.random.default_rng(1).permutation(len(pool.first))
    pool.first, pool.second = pool.second[rows], pool.first[rows]
    pool.selected = pool.selected[rows]
    after = pool.survey()
    assert after == before


def test_every_pair_is_counted_once_by_kind_and_status(pool: Pool) -> None:
    found = pool.survey()
    pairs = PROMPTS * EACH * (EACH - 1) // 2
    assert sum(kind.pool for kind in found.kinds) == pairs == len(found.points.x)
    assert sum(kind.labelled for kind in found.kinds) == 40
    assert sum(kind.selected for kind in found.kinds) == int(pool.selected.sum())
    assert found.points.status.count(LABELLED) == 40
    assert found.points.status.count(OPEN) + found.points.status.count(SELECTED) == pairs - 40
    assert [kind.pool for kind in found.kinds] == sorted((kind.pool for kind in found.kinds), reverse=True)
    assert all(len(set(kind.prompts)) == min(3, kind.pool // 6) for kind in found.kinds)


def test_prompts_of_one_kind_are_together_on_the_map(pool: Pool) -> None:
    found = pool.survey()
    place = np.column_stack([found.points.x, found.points.y])
    true = np.array([int(name[1:]) // EACH % 3 for name in found.points.response_a])
    centres = np.array([place[true == kind].mean(axis=0) for kind in range(3)])
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=2)[np.triu_indices(3, 1)].min()
    within = max(np.linalg.norm(place[true == kind] - centres[kind], axis=1).mean() for kind in range(3))
    assert apart > 4 * within
    assert found.explained > 0.8
    for kind in found.kinds:  # and their middle ones are of that kind
        assert len({int(name[1:]) % 3 for name in kind.prompts}) == 1


def test_labelled_pairs_are_less_uncertain(pool: Pool) -> None:
    points = pool.survey().points
    status, s = np.array(points.status), np.array(points.deviation)
    assert np.isfinite(s).all()
    assert s[status == LABELLED].mean() < s[status != LABELLED].mean()


def test_a_large_pool_is_sampled_with_all_statuses_there() -> None:
    large = Pool(1500)
    large.selected[:40] = True
    large.label(np.arange(100, 1600))
    found = large.survey()
    counts = [found.points.status.count(status) for status in (OPEN, LABELLED, SELECTED)]
    assert sum(counts) == MOST_POINTS
    assert counts[2] == 40
    assert counts[1] == 700
    assert sum(kind.pool for kind in found.kinds) == 9000


@pytest.mark.slow
def test_labels_drawn_by_prompt_at_random_look_like_the_pool() -> None:
    differs = []
    for seed in range(40):
        drawn = Pool(seed=seed)
        chosen = np.random.default_rng(seed).choice(PROMPTS, 12, replace=False)
        drawn.label(drawn.of_prompts(chosen))
        shift = drawn.survey().labelled
        assert shift is not None
        assert shift.size == 72
        differs.append(shift.differs)
    assert np.mean(differs) <= 0.15  # 5 % but for the draws


def test_labels_of_one_kind_do_not(pool: Pool) -> None:
    one_sided = Pool()
    one_sided.label(one_sided.of_prompts(np.arange(0, PROMPTS, 3)))
    one_sided.prompts = Prompts(one_sided.names, lengths=np.where(np.arange(PROMPTS) % 3, 10.0, 200.0))
    shift = one_sided.survey().labelled
    assert shift is not None
    assert shift.differs
    assert shift.distance == pytest.approx(2 / 3, abs=1e-4)
    assert (shift.length, shift.pool_length) == (200.0, 10.0)
    assert Pool().survey().labelled is None


def test_deployment_prompts_like_the_pool_are_told_from_others() -> None:
    rng = np.random.default_rng(5)
    for kinds, differs in ((np.arange(90) % 3, False), (np.zeros(90, dtype=int), True)):
        met = Pool()
        points = np.eye(3)[np.arange(PROMPTS) % 3] * 9 + rng.normal(size=(PROMPTS, 3))
        others = np.eye(3)[kinds] * 9 + rng.normal(size=(90, 3))
        met.prompts = replace(met.prompts, points=points, deployment=others)
        found = met.survey()
        assert found.deployment is not None
        assert found.deployment.differs == differs
        assert sum(kind.deployment for kind in found.kinds) == found.deployment.size == 90


def test_a_kind_that_only_the_deployment_has_is_a_kind() -> None:
    met = Pool()
    points = np.random.default_rng(0).normal(size=(PROMPTS, 2))
    met.prompts = replace(met.prompts, points=points, deployment=points[:30] + 100)
    kinds = met.survey().kinds
    assert any(kind.deployment and not kind.pool and kind.deviation is None for kind in kinds)


def test_no_pair_no_survey() -> None:
    empty = Pool()
    empty.first = empty.second = np.zeros(0, dtype=np.int64)
    known = Knowledge(
        empty.z, empty.prompt, empty.labels, learn(empty.z, empty.prompt, empty.labels,
        np.random.default_rng(0), prior_precision=1.0),
    )  # fmt: skip
    none = np.zeros(0, dtype=np.bool_)
    rng = np.random.default_rng(0)
    assert survey(known, empty.response_id, empty.prompts, empty.first, empty.second, none, rng) is None


def test_total_variation_of_shares() -> None:
    assert total_variation(np.array([0.5, 0.5, 0]), np.array([0.25, 0.25, 0.5])) == pytest.approx(0.5)


def test_texts_that_share_words_are_near_each_other() -> None:
    texts = [
        "bake bread with rye flour",
        "rye flour bread",
        "sort a python list",
        "a python list sorted",
        "?",
    ]
    points = word_points(texts, np.random.default_rng(0))
    assert points[0] @ points[1] > 0.5 > points[0] @ points[2]
    assert word_points(["one", "two"], np.random.default_rng(0)).shape == (2, 1)
