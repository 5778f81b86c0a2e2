"""Steps and passes: every pair once an epoch, every response once a step, whole prompts where they fit."""

import numpy as np
import pytest
import torch

from rewardmodel.likelihood.objective import Pairs, Rankings, Ratings
from rewardmodel.training.finetune import batches


def of_pairs(prompt: np.ndarray, left: np.ndarray, right: np.ndarray, length: np.ndarray) -> batches.Rows:
    sides, n = torch.from_numpy(np.stack([left, right])), len(prompt)
    term = Pairs(sides, torch.from_numpy(prompt), torch.ones(n), torch.full((3, n), 1 / 3))
    return batches.rows((term,), length)


def every_pair(sizes: list[int], seed: int = 0) -> batches.Rows:
    """All pairs among `sizes[p]` responses of prompt p, with lengths from 5 to 60 tokens."""
    prompt, left, right, first = [], [], [], 0
    for p, size in enumerate(sizes):
        a, b = np.triu_indices(size, 1)
        prompt += [p] * len(a)
        left += (a + first).tolist()
        right += (b + first).tolist()
        first += size
    length = np.random.default_rng(seed).integers(5, 61, first)
    return of_pairs(np.array(prompt), np.array(left), np.array(right), length)


def epoch(pairs: batches.Rows, limit: int, seed: int = 0) -> list[np.ndarray]:
    return batches.steps(pairs, np.arange(len(pairs.prompt)), limit, np.random.default_rng(seed))


@pytest.mark.parametrize(("sizes", "limit"), [([4] * 30, 12), ([33, 5, 2, 20], 64), ([2] * 7, 1), ([40], 10)])
def test_every_pair_is_in_exactly_one_step(sizes: list[int], limit: int) -> None:
    pairs = every_pair(sizes)
    together = np.concatenate(epoch(pairs, limit))
    assert sorted(together.tolist()) == list(range(len(pairs.prompt)))


def test_prompts_no_larger_than_a_step_are_never_divided() -> None:
    pairs = every_pair([5] * 40)  # ten pairs each
    for step in epoch(pairs, 25):
        counts = np.unique(pairs.prompt[step], return_counts=True)[1]
        assert set(counts.tolist()) == {10}
        assert len(step) == 30 or len(step) == 10  # whole prompts until there are 25, and what was left


def test_a_large_prompt_is_cut_so_that_few_responses_carry_many_pairs() -> None:
    pairs = every_pair([33])  # 528 pairs; two encodings a pair would be 1,056
    steps = epoch(pairs, 64)
    encoded = sum(len(pairs.among(step)) for step in steps)
    assert encoded < 1056 / 3


def test_sparse_pairs_stay_together_too() -> None:
    ring = np.arange(300)
    pairs = of_pairs(np.zeros(300, dtype=int), ring, (ring + 1) % 300, np.full(300, 9))
    encoded = sum(len(pairs.among(s)) for s in epoch(pairs, 20))
    assert encoded < 1.4 * 300  # 600 if every pair were encoded by itself


def test_the_order_follows_from_the_generator_alone() -> None:
    pairs = every_pair([6] * 20 + [30])
    one, same, other = (epoch(pairs, 16, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=False))


@pytest.mark.parametrize("budget", [60, 200, 1_000, 10**6])
def test_a_pass_encodes_each_response_once_within_the_budget(budget: int) -> None:
    pairs = every_pair([6, 4, 9, 2, 3])
    step = np.arange(len(pairs.prompt))
    parts = batches.passes(pairs, step, budget)
    encoded = np.concatenate([part.responses for part in parts])
    assert sorted(encoded.tolist()) == list(range(24))
    assert sorted(np.concatenate([part.rows for part in parts]).tolist()) == step.tolist()
    for part in parts:
        assert sorted(part.responses.tolist()) == pairs.among(part.rows).tolist()
        for chunk in part.chunks:
            assert len(chunk) * pairs.length[chunk].max() <= budget
        assert len(part.chunks) == 1 or len(np.unique(pairs.prompt[part.rows])) == 1


def test_similar_lengths_are_padded_together() -> None:
    pairs = every_pair([2] * 400)
    longest = np.array([pairs.length[[2 * p, 2 * p + 1]].max() for p in range(400)])

    def padding(steps: list[np.ndarray]) -> int:
        return sum(int((longest[s].max() - longest[s]).sum()) for s in steps)

    rng = np.random.default_rng(0)
    random = np.split(rng.permutation(400), 25)
    assert padding(epoch(pairs, 16)) < padding(random) / 3


def several_kinds() -> batches.Rows:
    """Of 30 responses to one prompt: 40 pairs, 60 rankings of five, 200 ratings by 10 people."""
    rng = np.random.default_rng(0)

    def lists(k: int, n: int) -> torch.Tensor:
        return torch.from_numpy(np.array([rng.choice(30, k, replace=False) for _ in range(n)]).T.copy())

    def prompt(n: int) -> torch.Tensor:
        return torch.zeros(n, dtype=torch.int64)

    ranks = torch.arange(1, 6)[:, None].repeat(1, 60)
    people = torch.from_numpy(rng.integers(0, 10, 200))
    terms = (
        Pairs(lists(2, 40), prompt(40), torch.ones(40), torch.full((3, 40), 1 / 3)),
        Rankings(lists(5, 60), prompt(60), torch.ones(60), ranks),
        Ratings(lists(1, 200), prompt(200), torch.ones(200), people % 5 + 1, people, 10, 5),
    )
    return batches.rows(terms, rng.integers(5, 60, 30))


def test_rows_of_every_kind_are_whole_and_in_exactly_one_step() -> None:
    """A step knows its rows by term; a ranking is never cut, even where its prompt is."""
    rows = several_kinds()
    assert rows.size.tolist() == [1] * 40 + [4] * 60 + [1] * 200
    assert np.unique(rows.responses[40]).size == 5
    assert np.unique(rows.responses[0]).size == 2
    assert np.unique(rows.responses[-1]).size == 1
    steps = epoch(rows, 64)
    assert len(steps) > 3
    assert sorted(np.concatenate(steps).tolist()) == list(range(300))
    seen = [np.concatenate(parts) for parts in zip(*map(rows.of_terms, steps), strict=True)]
    assert [sorted(part.tolist()) for part in seen] == [list(range(n)) for n in (40, 60, 200)]
    for step in steps:
        (part,) = batches.passes(rows, step, 10**6)
        assert part.responses.size == np.unique(rows.responses[step]).size
