"""What a selection says of its pairs, and for whom it chooses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from activelearning.acquisition.pool import CandidatePairs, LabelledPairs, ResponsePool
from activelearning.acquisition.quotas import RECIPES
from activelearning.acquisition.recipe import select_batch
from activelearning.acquisition.wording import plain
from tests.activelearning.acquisition.worlds import every_pair, labels, pool, subset


def test_the_default_says_what_is_at_stake_and_names_the_nearest_labels() -> None:
    responses = pool(prompts=20)
    candidates = every_pair(responses)
    known = labels(candidates, np.arange(40))
    selection = select_batch(responses, candidates, known, n=20, rng=np.random.default_rng(0))
    assert selection.quotas == {"regret": 18, "random": 2}
    first = next(pair for pair in selection.pairs if pair.reason == "regret")
    assert "decides more of their winners" in plain(first.explanation)
    assert first.scores.stake is not None
    assert first.scores.stake > 1
    assert len(first.neighbours) == 3
    similar = [one.similarity for one in first.neighbours]
    assert similar == sorted(similar, reverse=True)
    judged = set(zip(known.response_a.tolist(), known.response_b.tolist(), strict=True))
    assert all((one.response_a, one.response_b) in judged for one in first.neighbours)


def test_neighbours_tell_the_votes_for_the_same_side() -> None:
    """A labelled pair that is the chosen one turned round: its votes are told turned round."""
    features = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    names = np.array(["a", "b", "c", "d"])
    responses = ResponsePool(names, np.array(["p", "p", "q", "q"]), features)
    candidates = CandidatePairs.from_ids(names, responses.prompt_id, ["a"], ["b"])
    known = LabelledPairs(["c"], ["d"], np.array([[0.8, 0.0, 0.2]]), np.ones(1), np.zeros(1))
    selection = select_batch(responses, candidates, known, n=1, rng=np.random.default_rng(0))
    (near,) = selection.pairs[0].neighbours
    assert near.similarity == pytest.approx(1.0)
    assert near.a_share == pytest.approx(0.2)


def test_the_target_says_where_the_model_is_to_be_good() -> None:
    """Two topics with features of their own; the policy will meet one of them."""
    rng = np.random.default_rng(0)
    features = np.zeros((160, 8))
    features[:80, :4] = rng.standard_normal((80, 4))
    features[80:, 4:] = rng.standard_normal((80, 4))
    names = np.array([f"r{i:03d}" for i in range(160)])
    responses = ResponsePool(names, np.repeat([f"p{i:02d}" for i in range(40)], 4), features)
    candidates = every_pair(responses)
    known = labels(candidates, np.arange(0, 240, 8))
    aim = subset(candidates, np.flatnonzero(candidates.first < 80))
    recipe = replace(RECIPES["i-optimal"], random_share=0.0)
    aimed = select_batch(
        responses, candidates, known, n=20, rng=np.random.default_rng(0), recipe=recipe, target=aim
    )
    free = select_batch(responses, candidates, known, n=20, rng=np.random.default_rng(0), recipe=recipe)
    assert all(pair.response_a < "r080" for pair in aimed.pairs)
    assert any(pair.response_a >= "r080" for pair in free.pairs)
