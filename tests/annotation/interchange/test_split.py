from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.interchange.split import SplitError, assign_splits


def prompts(count: int) -> list[str]:
    return [f"prompt-{i}" for i in range(count)]


def test_many_prompts_are_split_close_to_the_fractions() -> None:
    counts = Counter(assign_splits(prompts(20_000), seed=1).values())
    # three standard errors of a binomial share
    assert abs(counts["train"] / 20_000 - 0.8) < 0.0085
    assert abs(counts["calibration"] / 20_000 - 0.1) < 0.0064
    assert abs(counts["test"] / 20_000 - 0.1) < 0.0064


def test_a_prompt_keeps_its_split_when_the_data_grow() -> None:
    before, after = assign_splits(prompts(100), seed=1), assign_splits(prompts(5000), seed=1)
    assert all(after[prompt] == split for prompt, split in before.items())


def test_a_split_is_pinned() -> None:
    splits = assign_splits(prompts(200), seed=7)
    assert [i for i in range(60) if splits[f"prompt-{i}"] == "test"] == [11, 22, 26, 29, 32, 35, 53, 54]


def test_the_seed_matters() -> None:
    assert assign_splits(prompts(200), seed=1) != assign_splits(prompts(200), seed=2)
    assert assign_splits(prompts(20), seed=1) != assign_splits(prompts(20), seed=2)


@pytest.mark.parametrize(
    ("count", "train", "calibration", "test"),
    [(0, 0, 0, 0), (1, 1, 0, 0), (2, 2, 0, 0), (3, 1, 1, 1), (5, 3, 1, 1), (22, 18, 2, 2), (99, 79, 10, 10)],
)
def test_few_prompts_fill_every_split(count: int, train: int, calibration: int, test: int) -> None:
    counts = Counter(assign_splits(prompts(count), seed=3).values())
    assert (counts["train"], counts["calibration"], counts["test"]) == (train, calibration, test)


@pytest.mark.slow
@given(st.lists(st.text(max_size=5), max_size=130), st.integers(0, 9), st.randoms())
def test_order_and_repetition_do_not_matter(ids: list[str], seed: int, random) -> None:  # type: ignore[no-untyped-def]
    shuffled = [*ids, *ids[:3]]
    random.shuffle(shuffled)
    assert assign_splits(shuffled, seed) == assign_splits(ids, seed)


@pytest.mark.parametrize("fractions", [{}, {"train": 0.5}, {"train": 1.5, "test": -0.5}])
def test_fractions_must_divide_a_whole(fractions: dict[str, float]) -> None:
    with pytest.raises(SplitError, match="sum to 1"):
        assign_splits(prompts(3), 1, fractions)


def test_a_fraction_of_zero_gets_nothing() -> None:
    assert set(assign_splits(prompts(9), 1, {"train": 1.0, "test": 0.0}).values()) == {"train"}


@pytest.mark.parametrize("count", [12, 99, 100, 400])
def test_what_always_tests_moves_nobody_else(count: int) -> None:
    before = assign_splits(prompts(count), seed=3)
    forced = [prompt for prompt, split in before.items() if split == "train"][:4]
    after = assign_splits(prompts(count), seed=3, always_test=[*forced, "of another project"])
    assert after == before | dict.fromkeys(forced, "test")
