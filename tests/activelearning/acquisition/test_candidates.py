from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activelearning.acquisition.candidates import candidate_pairs
from activelearning.acquisition.pool import CandidatePairs, PoolError, UnknownResponseError


def unordered(pairs: CandidatePairs) -> list[frozenset[str]]:
    return [frozenset(p) for p in zip(pairs.response_a.tolist(), pairs.response_b.tolist(), strict=True)]


def naive(prompt_of: dict[str, str], taken: set[frozenset[str]]) -> set[frozenset[str]]:
    names = list(prompt_of)
    return {
        frozenset((a, b)) for a in names for b in names if a != b and prompt_of[a] == prompt_of[b]
    } - taken


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_equals_the_obvious_double_loop(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=6))
    prompt_of = {f"r{i}.{j}": f"p{i}" for i, size in enumerate(sizes) for j in range(size)}
    names = data.draw(st.permutations(list(prompt_of)))
    taken = data.draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=15))
    found = candidate_pairs(
        names,
        [prompt_of[name] for name in names],
        taken_a=[a for a, _ in taken],
        taken_b=[b for _, b in taken],
        rng=np.random.default_rng(0),
    )
    listed = unordered(found)
    open_pairs = naive(prompt_of, {frozenset(pair) for pair in taken})
    assert len(listed) == len(set(listed))
    assert set(listed) == open_pairs
    assert found.already_judged == len(naive(prompt_of, set())) - len(open_pairs)
    assert found.left_out_by_cap == 0
    assert np.all(found.sampling_probability == 1)


def crowded(size: int, cap: int, taken: int, seed: int) -> CandidatePairs:
    names = [f"r{i:04d}" for i in range(size)]
    return candidate_pairs(
        names,
        ["p"] * size,
        taken_a=[names[0]] * taken,
        taken_b=names[1 : taken + 1],
        rng=np.random.default_rng(seed),
        max_pairs_per_prompt=cap,
    )


def test_a_prompt_with_hundreds_of_responses_is_subsampled_and_says_so() -> None:
    found = crowded(400, 1000, 50, 3)
    pairs = 400 * 399 // 2
    assert len(set(unordered(found))) == len(found) == 1000
    assert not {frozenset(("r0000", f"r{i:04d}")) for i in range(1, 51)} & set(unordered(found))
    assert found.left_out_by_cap == pairs - 50 - 1000
    assert found.sampling_probability == pytest.approx(1000 / (pairs - 50))


@pytest.mark.slow
def test_the_subsample_is_uniform_over_the_open_pairs() -> None:
    counts: dict[frozenset[str], int] = {}
    for seed in range(3000):
        for pair in unordered(crowded(6, 5, 3, seed)):
            counts[pair] = counts.get(pair, 0) + 1
    assert len(counts) == 12  # 15 pairs, 3 taken
    expected = 3000 * 5 / 12
    # Standard deviation of one count is √(3000·5/12·7/12) ≈ 27; 5 of them.
    assert all(abs(count - expected) < 135 for count in counts.values())


def test_subsample_does_not_depend_on_the_order_of_responses() -> None:
    names = [f"r{i}" for i in range(40)]
    both = [
        candidate_pairs(order, ["p"] * 40, rng=np.random.default_rng(5), max_pairs_per_prompt=50)
        for order in (names, names[::-1])
    ]
    assert set(unordered(both[0])) == set(unordered(both[1]))


@pytest.mark.slow
def test_a_million_pairs_come_in_bounded_chunks_and_complete() -> None:
    prompts = np.repeat(np.char.add("p", np.arange(24_000).astype(str)), 10)
    names = np.char.add("r", np.arange(240_000).astype(str))
    found = candidate_pairs(names, prompts, rng=np.random.default_rng(0))
    assert len(found) == 24_000 * 45
    assert np.all(prompts[found.first] == prompts[found.second])
    assert len(np.unique(found.first * len(names) + found.second)) == len(found)


def test_unknown_and_crossed_pairs_are_named() -> None:
    with pytest.raises(UnknownResponseError, match="'zzz'"):
        candidate_pairs(["a", "b"], ["p", "p"], taken_a=["a"], taken_b=["zzz"], rng=np.random.default_rng(0))
    with pytest.raises(PoolError, match="same prompt"):
        CandidatePairs.from_ids(np.array(["a", "b"]), np.array(["p", "q"]), ["a"], ["b"])


def test_nothing_in_nothing_out() -> None:
    assert len(candidate_pairs([], [], rng=np.random.default_rng(0))) == 0
    assert len(candidate_pairs(["a"], ["p"], rng=np.random.default_rng(0))) == 0
