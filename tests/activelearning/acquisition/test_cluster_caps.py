"""No kind of prompts takes a batch for itself; the kinds of a cap are those of the map."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from activelearning.acquisition.candidates import candidate_pairs
from activelearning.acquisition.kinds import kinds_of_prompts
from activelearning.acquisition.knowledge import Knowledge, Labels, prompt_means
from activelearning.acquisition.pool import PoolError, ResponsePool
from activelearning.acquisition.posterior import Posterior
from activelearning.acquisition.quotas import recipe_named
from activelearning.acquisition.recipe import select_batch
from activelearning.acquisition.selection import Selection
from activelearning.acquisition.survey import Prompts, survey

PROMPTS, EACH, KINDS = 40, 5, 8
RECIPE = replace(recipe_named("d-optimal"), random_share=0.0, outlier_quantile=1.0, prompt_cap=100)


def pool(**fields: object) -> ResponsePool:
    """Eight kinds of five prompts; only where the kind is 0 do responses differ by much."""
    rng = np.random.default_rng(5)
    prompt = np.repeat(np.arange(PROMPTS), EACH)
    kind = prompt % KINDS
    far = np.where(kind == 0, 20.0, 0.02)[:, None]
    features = 40 * np.eye(KINDS)[kind] + far * rng.normal(size=(len(prompt), KINDS))
    ids = [f"r{n:03}" for n in range(len(prompt))]
    return ResponsePool(ids, [f"p{n:02}" for n in prompt], features=features, **fields)


def chosen(responses: ResponsePool, n: int = 16, **settings: object) -> Selection:
    rng = np.random.default_rng(0)
    candidates = candidate_pairs(responses.response_id, responses.prompt_id, rng=rng)
    return select_batch(responses, candidates, n=n, rng=rng, recipe=replace(RECIPE, **settings))


def by_kind(selection: Selection) -> Counter[int]:
    return Counter(int(pair.prompt_id[1:]) % KINDS for pair in selection.pairs)


def test_without_kinds_the_most_telling_one_takes_all() -> None:
    assert by_kind(chosen(pool())) == {0: 16}


def test_a_kind_takes_no_more_than_its_cap() -> None:
    responses = pool()
    kinds = np.repeat(np.arange(PROMPTS) % KINDS, EACH)
    told = chosen(replace(responses, kind=kinds))
    assert by_kind(told)[0] == 8  # four times a fair share of two
    assert {pair.cluster for pair in told.pairs if int(pair.prompt_id[1:]) % KINDS == 0} == {0}
    counted = by_kind(chosen(replace(responses, kind=kinds), cluster_cap=3))
    assert counted[0] == 3
    assert counted.total() == 16


def test_a_cap_leaves_nobody_without_work() -> None:
    responses = replace(pool(), kind=np.repeat(np.arange(PROMPTS) % KINDS, EACH))
    assert len(chosen(responses, n=10_000, cluster_cap=1).pairs) == PROMPTS * EACH * (EACH - 1) // 2


def test_the_kinds_of_a_cap_are_those_of_the_survey() -> None:
    responses = pool()
    z = np.asarray(responses.features, dtype=np.float32)
    names, prompt = np.unique(responses.prompt_id, return_inverse=True)
    rng = np.random.default_rng(3)
    kind = kinds_of_prompts(prompt_means(z, prompt), None, rng)
    assert len(set(kind.tolist())) == 4  # √(40/2)
    pairs = candidate_pairs(responses.response_id, responses.prompt_id, rng=rng)
    known = Knowledge(z, prompt, Labels.none(), Posterior.prior(KINDS, 1.0))
    none = np.zeros(len(pairs), dtype=np.bool_)
    found = survey(
        known, responses.response_id, Prompts(names, kind=kind), pairs.first, pairs.second, none, rng
    )
    assert found is not None
    renamed = set(zip(kind.tolist(), found[1].tolist(), strict=True))
    assert len(renamed) == len({one for one, _ in renamed}) == len({other for _, other in renamed}) == 4


def test_kinds_of_another_size_are_refused() -> None:
    with pytest.raises(PoolError, match="one for each response"):
        pool(kind=np.zeros(3, dtype=np.int64))
