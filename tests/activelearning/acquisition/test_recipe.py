from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activelearning.acquisition.pool import (
    CandidatePairs,
    ResponsePool,
    UnknownResponseError,
)
from activelearning.acquisition.quotas import (
    Recipe,
)
from activelearning.acquisition.recipe import select_batch
from activelearning.acquisition.selection import Selection
from activelearning.acquisition.wording import plain
from tests.activelearning.acquisition.worlds import every_pair, labels, pool, subset, textbook


def chosen(selection: Selection) -> list[frozenset[str]]:
    return [frozenset((pair.response_a, pair.response_b)) for pair in selection.pairs]


def select(n: int = 20, seed: int = 0, recipe: Recipe | None = None, labelled_rows: int = 30) -> Selection:
    responses = pool()
    candidates = every_pair(responses)
    known = labels(candidates, np.arange(labelled_rows)) if labelled_rows else None
    return select_batch(
        responses, candidates, known, n=n, rng=np.random.default_rng(seed), recipe=recipe or textbook()
    )


def test_quotas_of_the_default_recipe() -> None:
    selection = select(40)
    assert selection.quotas == {"uncertainty": 18, "d_optimal": 11, "error": 7, "random": 4}
    assert Counter(pair.reason for pair in selection.pairs) == selection.quotas
    assert [pair.rank for pair in selection.pairs] == list(range(1, 41))
    assert selection.candidates == 72 - 30


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(0, 60),
    shares=st.tuples(*[st.integers(0, 5)] * 3).filter(lambda s: sum(s) > 0),
    random=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    known=st.integers(0, 40),
    cap=st.one_of(st.none(), st.integers(1, 3)),
    seed=st.integers(0, 99),
)
def test_quotas_are_met_and_no_judged_pair_is_chosen(
    n: int, shares: tuple[int, int, int], random: float, known: int, cap: int | None, seed: int
) -> None:
    u, d, e = (part / sum(shares) for part in shares)
    recipe = textbook(uncertainty=u, diversity=d, error=e, random=random, prompt_cap=cap)
    responses = pool(prompts=6, seed=seed)
    candidates = every_pair(responses)
    rng = np.random.default_rng(seed)
    judged = rng.choice(len(candidates), min(known, len(candidates)), replace=False)
    labelled = labels(candidates, judged)
    selection = select_batch(responses, candidates, labelled, n=n, rng=rng, recipe=recipe)
    picked = chosen(selection)
    assert len(picked) == len(set(picked)) == min(n, len(candidates) - len(judged))
    taken = zip(labelled.response_a.tolist(), labelled.response_b.tolist(), strict=True)
    assert not set(picked) & {frozenset(pair) for pair in taken}
    counts = Counter(pair.reason for pair in selection.pairs)
    assert all(counts[reason] == quota for reason, quota in selection.quotas.items())
    assert sum(selection.quotas.values()) == len(picked)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000))
def test_order_and_side_of_the_candidates_do_not_matter(seed: int) -> None:
    responses = pool(seed=seed)
    candidates = every_pair(responses)
    labelled = labels(candidates, np.arange(25))
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(candidates))
    swap = rng.random(len(candidates)) < 0.5
    moved = subset(candidates, order, swap[order])
    one = select_batch(responses, candidates, labelled, n=20, rng=np.random.default_rng(1))
    two = select_batch(responses, moved, labelled, n=20, rng=np.random.default_rng(1))
    assert chosen(one) == chosen(two)
    for left, right in zip(one.pairs, two.pairs, strict=True):
        same_side = left.response_a == right.response_a
        assert left.reason == right.reason
        assert left.scores.probability is not None
        assert right.scores.probability is not None
        expected = left.scores.probability if same_side else 1 - left.scores.probability
        assert right.scores.probability == pytest.approx(expected)
        assert replace(right.scores, probability=None) == replace(left.scores, probability=None)


def test_pool_order_does_not_matter() -> None:
    responses = pool()
    order = np.random.default_rng(4).permutation(len(responses.response_id))
    assert responses.features is not None
    assert responses.rewards is not None
    moved = ResponsePool(
        responses.response_id[order],
        responses.prompt_id[order],
        responses.features[order],
        responses.rewards[order],
    )
    candidates = every_pair(responses)
    labelled = labels(candidates, np.arange(25))
    one = select_batch(responses, candidates, labelled, n=15, rng=np.random.default_rng(1))
    two = select_batch(moved, candidates, labelled, n=15, rng=np.random.default_rng(1))
    assert set(chosen(one)) == set(chosen(two))


def test_same_seed_same_batch_other_seed_other_draws() -> None:
    assert select(seed=1) == select(seed=1)

    def by_chance(seed: int) -> frozenset[tuple[str, str]]:
        pairs = select(seed=seed).pairs
        return frozenset((pair.response_a, pair.response_b) for pair in pairs if pair.reason == "random")

    assert len({by_chance(seed) for seed in range(5)}) > 1


def test_uncertain_pairs_are_the_uncertain_ones() -> None:
    responses = pool(prompts=40)
    candidates = every_pair(responses)
    recipe = textbook(uncertainty=1, diversity=0, error=0, random=0, redundancy=1.0)
    selection = select_batch(responses, candidates, n=20, rng=np.random.default_rng(0), recipe=recipe)
    assert responses.rewards is not None
    difference = responses.rewards[candidates.first] - responses.rewards[candidates.second]
    margins = np.array([pair.scores.margin for pair in selection.pairs], dtype=float)
    disagreements = np.array([pair.scores.disagreement for pair in selection.pairs], dtype=float)
    assert margins.mean() < np.abs(difference.mean(axis=1)).mean() / 2
    assert disagreements.mean() > np.median(difference.var(axis=1, ddof=1))
    assert "5 models disagree" in plain(selection.pairs[0].explanation)


def test_error_quota_goes_where_the_model_is_wrong() -> None:
    # The model is right on even prompts and says the opposite of the votes on odd ones.
    responses = pool(prompts=30, responses=5, d=8, seed=5)
    assert responses.features is not None
    odd = np.array([int(p[1:]) % 2 == 1 for p in responses.prompt_id.tolist()])
    shifted = responses.features.copy()
    shifted[odd, 7] += 6.0  # the two kinds of prompt look different
    responses = replace(responses, features=shifted, rewards=responses.rewards)
    candidates = every_pair(responses)
    assert responses.rewards is not None
    lead = responses.rewards.mean(axis=1)
    wins = lead[candidates.first] > lead[candidates.second]
    wins = np.where(odd[candidates.first], ~wins, wins)
    rows = np.random.default_rng(0).choice(len(candidates), 120, replace=False)
    known = labels(candidates, rows)
    shares = np.where(wins[rows, None], [[0.9, 0.05, 0.05]], [[0.05, 0.05, 0.9]])
    recipe = textbook(uncertainty=0, diversity=0, error=1, random=0)
    selection = select_batch(
        responses,
        candidates,
        replace(known, shares=shares),
        n=30,
        rng=np.random.default_rng(0),
        recipe=recipe,
    )
    wrong = [int(pair.prompt_id[1:]) % 2 == 1 for pair in selection.pairs]
    assert np.mean(wrong) > 0.9
    assert selection.error_skill is not None
    assert selection.error_skill > 0.3
    assert "similar judged pairs" in plain(selection.pairs[0].explanation)


@pytest.mark.slow
def test_the_random_share_is_uniform_and_its_propensity_true() -> None:
    responses = pool(prompts=5, responses=4)
    candidates = every_pair(responses)
    counts: Counter[frozenset[str]] = Counter()
    for seed in range(1500):
        selection = select_batch(
            responses, candidates, n=10, rng=np.random.default_rng(seed), recipe=textbook(random=0.3)
        )
        for pair in selection.pairs:
            assert (pair.propensity is not None) == (pair.reason == "random")
            if pair.reason == "random":
                assert pair.propensity == pytest.approx(3 / 30)
                counts[frozenset((pair.response_a, pair.response_b))] += 1
    assert len(counts) == 30
    # Binomial(1500, .1): standard deviation 11.6; 5 of them.
    assert all(abs(count - 150) < 58 for count in counts.values())


def test_propensity_includes_the_subsampling_of_candidates() -> None:
    responses = pool(prompts=5, responses=4)
    candidates = replace(every_pair(responses), sampling_probability=np.full(30, 0.25))
    recipe = textbook(random=1.0)
    selection = select_batch(responses, candidates, n=6, rng=np.random.default_rng(0), recipe=recipe)
    assert [pair.propensity for pair in selection.pairs] == pytest.approx([0.25 * 6 / 30] * 6)


def test_without_labels_the_batch_starts_cold() -> None:
    responses = replace(pool(), rewards=None)
    selection = select_batch(responses, every_pair(responses), n=20, rng=np.random.default_rng(0))
    assert set(Counter(pair.reason for pair in selection.pairs)) == {"random", "i_optimal"}
    assert selection.quotas == {"i_optimal": 18, "random": 2}
    assert "starts cold" in plain(selection.notes)
    assert all(pair.scores.probability is None for pair in selection.pairs)


def test_without_features_all_random() -> None:
    responses = replace(pool(), rewards=None, features=None)
    selection = select_batch(responses, every_pair(responses), n=20, rng=np.random.default_rng(0))
    assert {pair.reason for pair in selection.pairs} == {"random"}
    assert {pair.scores.gain for pair in selection.pairs} == {None}


def test_without_labels_the_error_quota_goes_to_the_others() -> None:
    selection = select(40, labelled_rows=0)
    assert selection.quotas == {"uncertainty": 23, "d_optimal": 13, "random": 4}
    assert "where the model errs" in plain(selection.notes)
    assert selection.error_skill is None


def test_fewer_candidates_than_asked_for_gives_them_all() -> None:
    selection = select(1000)
    assert len(set(chosen(selection))) == 42
    assert "Only 42" in plain(selection.notes)
    assert select(5, labelled_rows=72).pairs == ()


def test_one_prompt_cannot_swallow_the_batch() -> None:
    responses = pool(prompts=20, responses=5)
    assert responses.features is not None
    assert responses.rewards is not None
    loud = responses.prompt_id == "p003"
    rng = np.random.default_rng(0)
    rewards = responses.rewards.copy()
    rewards[loud] = (
        rng.standard_normal(rewards[loud].shape) * 5
    )  # wild disagreement, everywhere in this prompt
    features = responses.features.copy()
    features[loud] *= 5
    responses = replace(responses, rewards=rewards, features=features)
    recipe = textbook(random=0, prompt_cap=3)
    capped = select_batch(responses, every_pair(responses), n=30, rng=rng, recipe=recipe)
    free = select_batch(
        responses, every_pair(responses), n=30, rng=rng, recipe=replace(recipe, prompt_cap=30)
    )
    assert max(Counter(pair.prompt_id for pair in capped.pairs).values()) == 3
    assert Counter(pair.prompt_id for pair in free.pairs)["p003"] > 3


def test_the_cap_gives_way_rather_than_leave_the_batch_short() -> None:
    responses = pool(prompts=1, responses=8)
    selection = select_batch(
        responses,
        every_pair(responses),
        n=20,
        rng=np.random.default_rng(0),
        recipe=textbook(prompt_cap=1),
    )
    assert len(selection.pairs) == 20
    assert selection.prompt_cap >= 18


def test_identical_responses_come_last() -> None:
    responses = pool(prompts=10, responses=4)
    assert responses.features is not None
    assert responses.rewards is not None
    features, rewards = responses.features.copy(), responses.rewards.copy()
    features[1::4], rewards[1::4] = features[0::4], rewards[0::4]
    responses = replace(responses, features=features, rewards=rewards)
    recipe = textbook(random=0.0)
    selection = select_batch(
        responses, every_pair(responses), n=40, rng=np.random.default_rng(0), recipe=recipe
    )
    assert not any(pair.response_a[-1] == "0" and pair.response_b[-1] == "1" for pair in selection.pairs)


def test_redundant_uncertain_pairs_are_passed_over() -> None:
    # Fifty prompts with the same two responses each (most uncertain), ten with others of their own.
    rng = np.random.default_rng(0)
    features = np.zeros((120, 12))
    features[0:100:2, 0] = 9.0
    features[100:120:2, 1:11] = 9.0 * np.eye(10)
    rewards = np.zeros((120, 4))
    rewards[0:100:2] = [-2, 2, -2, 2]
    rewards[100:120:2] = [-1, 1, -1, 1]
    names = np.array([f"r{i:03d}" for i in range(120)])
    responses = ResponsePool(names, np.repeat([f"p{i}" for i in range(60)], 2), features, rewards)
    recipe = textbook(uncertainty=1, diversity=0, error=0, random=0, near_duplicate=None, prior_precision=1.0)
    selection = select_batch(responses, every_pair(responses), n=11, rng=rng, recipe=recipe)
    # A vote on one takes 18 % of what its copies could teach, two take 31 %: more than the quarter.
    assert sum(pair.response_a < "r100" for pair in selection.pairs) == 2
    blind = select_batch(
        responses, every_pair(responses), n=11, rng=rng, recipe=replace(recipe, redundancy=1.0)
    )
    assert sum(pair.response_a < "r100" for pair in blind.pairs) == 11


def test_near_duplicates_are_passed_over() -> None:
    """The same fifty copies: the cosine rule takes one of them as long as there is anything else."""
    rng = np.random.default_rng(0)
    features = np.zeros((120, 12))
    features[0:100:2, 0] = 9.0
    features[100:120:2, 1:11] = 9.0 * np.eye(10)
    rewards = np.zeros((120, 4))
    rewards[0:100:2] = [-2, 2, -2, 2]
    rewards[100:120:2] = [-1, 1, -1, 1]
    names = np.array([f"r{i:03d}" for i in range(120)])
    responses = ResponsePool(names, np.repeat([f"p{i}" for i in range(60)], 2), features, rewards)
    recipe = textbook(uncertainty=1, diversity=0, error=0, random=0, redundancy=None)
    selection = select_batch(responses, every_pair(responses), n=11, rng=rng, recipe=recipe)
    assert sum(pair.response_a < "r100" for pair in selection.pairs) == 1


def test_an_ensemble_s_rule_without_one_is_drawn_at_random() -> None:
    responses = replace(pool(), rewards=None)
    candidates = every_pair(responses)
    known = labels(candidates, np.arange(30))
    selection = select_batch(
        responses, candidates, known, n=20, rng=np.random.default_rng(0), recipe=textbook()
    )
    assert selection.quotas["random"] == 11
    assert "no ensemble" in plain(selection.notes)


def test_thinned_pools_still_meet_the_quotas() -> None:
    responses = pool(prompts=100, responses=5)
    recipe = textbook(keep=50)
    selection = select_batch(
        responses, every_pair(responses), n=30, rng=np.random.default_rng(0), recipe=recipe
    )
    assert selection.kept == 120  # never below four times the batch
    assert len(set(chosen(selection))) == 30


def test_candidates_of_another_table_are_matched_by_id() -> None:
    responses = pool()
    part = responses.response_id[:8]
    candidates = CandidatePairs.from_ids(part, responses.prompt_id[:8], [part[3]], [part[2]])
    selection = select_batch(responses, candidates, n=3, rng=np.random.default_rng(0))
    assert [(pair.response_a, pair.response_b) for pair in selection.pairs] == [(part[3], part[2])]
    stranger = CandidatePairs.from_ids(np.array(["x", "y"]), np.array(["p", "p"]), ["x"], ["y"])
    with pytest.raises(UnknownResponseError):
        select_batch(responses, stranger, n=3, rng=np.random.default_rng(0))
