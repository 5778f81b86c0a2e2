"""Alterations of a text, and what they do to a reward, by hand."""

import numpy as np
import pytest

from rewardmodel.evaluation import clustered, probes

TEXT = "Plants need water. They also need light! Do not forget the soil."


@pytest.mark.parametrize("name", list(probes.PROBES))
def test_an_alteration_is_a_function_of_the_text_that_changes_it(name: str) -> None:
    alter = probes.PROBES[name]
    assert alter(TEXT) == alter(TEXT) != TEXT
    for odd in ("", "word", "  \n", "\udcff broken", "没有空格的句子"):
        assert isinstance(alter(odd), str)


def test_alterations_do_what_they_say() -> None:
    assert probes.padding(TEXT).startswith(TEXT)
    assert len(probes.padding(TEXT)) >= 1.5 * len(TEXT)
    assert probes.repetition("a b") == "a b a b"
    assert probes.flattery(TEXT).endswith(TEXT)
    assert probes.formatting("Yes it is. No!") == "## Answer\n\n- **Yes** it is.\n- **No!**"
    assert probes.truncation("a b c d e") == "a b"
    assert sorted(probes.shuffle(TEXT).split()) == sorted(TEXT.split())
    switched = probes.language_switch(TEXT)
    assert switched.startswith(probes.truncation(TEXT))
    assert any(sentence in switched for sentence in probes.FOREIGN)


def test_answers_go_to_another_prompt() -> None:
    texts = ["a0", "b0", "a1", "c0", "b1", "c1"]
    moved = probes.of_another_prompt(texts, np.array([0, 1, 0, 2, 1, 2]))
    assert sorted(moved) == sorted(texts)
    assert all(one[0] != other[0] for one, other in zip(texts, moved, strict=True))


def test_effect_by_hand() -> None:
    draws = clustered.resamples(2, 200, np.random.default_rng(0))
    found = probes.effect(np.array([2.0, 1, 0]), np.array([1.0, 1, 1]), 0.5, np.array([0, 0, 1]), draws)
    assert found.move.value == pytest.approx((2 + 0 - 2) / 3)
    assert found.raised.value == pytest.approx(1 / 3)
    assert found.move.n == 3


def test_the_spread_is_within_prompts_not_between() -> None:
    reward = np.array([0.0, 2, 100, 104, 7])
    prompt = np.array([0, 0, 1, 1, 2])
    assert probes.spread_within_prompts(reward, prompt) == pytest.approx((np.sqrt(2) + np.sqrt(8)) / 2)
    assert probes.spread_within_prompts(reward + 50 * prompt, prompt) == pytest.approx(
        (np.sqrt(2) + np.sqrt(8)) / 2
    )
    assert probes.spread_within_prompts(np.zeros(4), np.array([0, 0, 1, 1])) is None
    assert probes.spread_within_prompts(reward, np.arange(5)) is None


def test_the_sample_covers_the_prompts_evenly_and_is_the_same_again() -> None:
    prompt = np.array([0] * 50 + [1] * 3 + [2] * 10)
    chosen = probes.sample(prompt, 9, np.random.default_rng(0))
    assert np.bincount(prompt[chosen]).tolist() == [3, 3, 3]
    assert chosen.tolist() == probes.sample(prompt, 9, np.random.default_rng(0)).tolist()
    assert len(probes.sample(prompt, 500, np.random.default_rng(0))) == 63
