"""Flags: the numbers of the policy, and whether careless simulated annotators are found, careful ones not."""

import json
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from annotation.aggregation import flags
from annotation.aggregation.flags import Assessment, FlagError, Record, assess
from annotation.aggregation.simulated import AnnotatorProfile, answer, draw_profiles
from tests.annotation.agreement.shared_data import shared_file

SEEDS = range(60)


@cache
def reference() -> dict[str, Any]:
    return json.loads(shared_file("agreement/reference_values.json").read_text())


def test_lower_bounds_of_gold_accuracy_match_the_reference() -> None:
    for row in reference()["gold_bounds"]:
        found = flags.lower_bound(row["correct"], row["n"] - row["correct"])
        assert found == pytest.approx(row["beta11_q05"], abs=5e-5)


def test_the_sequential_test_has_the_reference_constants() -> None:
    wanted = reference()["sprt_gold"]
    assert wanted["p0"] == flags.P0
    assert wanted["p1"] == flags.P1
    assert pytest.approx(wanted["upper"], abs=5e-4) == flags.UPPER
    assert pytest.approx(wanted["lower"], abs=5e-4) == flags.LOWER
    assert flags.sequential_score(1, 0) == pytest.approx(wanted["llr_correct"], abs=5e-5)
    assert flags.sequential_score(0, 1) == pytest.approx(wanted["llr_wrong"], abs=5e-5)


def test_the_sequential_test_errs_as_seldom_as_it_promises() -> None:
    """Wald: P(call careless | p0) ≤ α/(1 − β), P(call careful | p1) ≤ β/(1 − α)."""
    rng = np.random.default_rng(5)
    for accuracy, wrong_end, at_most in ((flags.P0, "upper", 0.0556), (flags.P1, "lower", 0.1053)):
        right = rng.random((4000, 200)) < accuracy
        walks = np.cumsum(np.where(right, flags.STEP_RIGHT, flags.STEP_WRONG), axis=1)
        up, down = walks >= flags.UPPER, walks <= flags.LOWER
        first_up = np.where(up.any(1), up.argmax(1), 10_000)
        first_down = np.where(down.any(1), down.argmax(1), 10_000)
        erred = first_up < first_down if wrong_end == "upper" else first_down < first_up
        assert erred.mean() < at_most + 0.012


@pytest.mark.parametrize(
    ("right", "wrong", "standing"),
    [
        (0, 0, "none"),
        (0, 2, "open"),  # P = .936
        (0, 3, "fails"),  # P = 1 − .4⁴ = .974
        (1, 0, "open"),
        (4, 0, "open"),  # quantile .05^(1/5) = .549
        (5, 0, "passes"),  # .05^(1/6) = .607
        (9, 1, "passes"),  # .6356, reference table
        (8, 2, "open"),  # .5299, reference table
        (14, 8, "weak"),  # score 2.97, but P(below .6) only .35
        (4, 12, "fails"),
    ],
)
def test_standing_on_gold(right: int, wrong: int, standing: str) -> None:
    assert flags.gold_standing(right, wrong) == standing


@given(st.integers(0, 60), st.integers(0, 60))
def test_a_right_answer_never_lowers_a_standing(right: int, wrong: int) -> None:
    order = ["fails", "weak", "open", "passes"]
    before, after = flags.gold_standing(right, wrong), flags.gold_standing(right + 1, wrong)
    if before != "none":
        assert order.index(after) >= order.index(before)
    assert flags.chance_below(0.6, right + 1, wrong) < flags.chance_below(0.6, right, wrong) + 1e-12


def test_discoveries_agree_with_scipy() -> None:
    rng = np.random.default_rng(3)
    for m in (1, 7, 200):
        p = np.concatenate([rng.random(m), rng.random(m) ** 6])
        adjusted = stats.false_discovery_control(p)
        assert flags.discoveries(p, 0.05) == np.nonzero(adjusted <= 0.05)[0].tolist()
    assert flags.discoveries(np.zeros(0), 0.05) == []


def test_the_side_needs_twenty_answers_and_an_effect_that_matters() -> None:
    enough = Record(sided=20, chose_left=20)
    too_few = Record(sided=19, chose_left=19)
    tiny = Record(sided=10_000, chose_left=5_300)  # z = 6, a share of .53
    right = Record(sided=40, chose_left=4)
    kinds = [[flag.kind for flag in found.flags] for found in assess([enough, too_few, tiny, right])]
    assert kinds == [["left"], [], [], ["right"]]


def test_nobody_is_too_fast_among_too_few_people() -> None:
    four = [Record(timed=50, seconds=seconds) for seconds in (30, 31, 32, 1)]
    assert all(not found.flags for found in assess(four))
    five = assess([Record(timed=50, seconds=29), *four])
    assert [[flag.kind for flag in found.flags] for found in five] == [[], [], [], [], ["fast"]]


def test_a_pace_half_the_typical_is_no_flag_however_alike_the_others_are() -> None:
    found = assess([Record(timed=50, seconds=30.0)] * 8 + [Record(timed=50, seconds=16.0)])
    assert all(not one.flags for one in found)


def test_one_answer_for_everything_is_a_flag() -> None:
    found = assess([Record(choices=(0, 19, 1, 0)), Record(choices=(18, 2)), Record(choices=(19,))])
    assert [[flag.kind for flag in one.flags] for one in found] == [["same"], [], []]


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(FlagError, match="-1"):
        flags.chance_below(0.6, -1, 2)
    with pytest.raises(FlagError, match="bar"):
        flags.chance_below(1.0, 1, 2)


@pytest.mark.slow
def test_recovery_careless_annotators_are_found_and_careful_ones_left_alone() -> None:
    """60 projects of 12 simulated annotators with 105 work and 15 gold answers each."""
    people: Counter[str] = Counter()
    flagged: Counter[str] = Counter()
    kinds: Counter[tuple[str, str]] = Counter()
    for seed in SEEDS:
        for profile, found in _simulated_project(np.random.default_rng(seed)):
            people[profile.kind] += 1
            flagged[profile.kind] += bool(found.flags)
            kinds.update((profile.kind, flag.kind) for flag in found.flags)
    share = {kind: flagged[kind] / people[kind] for kind in people}
    assert share["careful"] <= 0.03
    assert share["noisy"] <= 0.06
    assert share["spammer"] >= 0.9
    assert share["too_fast"] >= 0.95
    assert share["left_biased"] >= 0.85
    assert kinds["left_biased", "left"] >= 0.85 * people["left_biased"]
    assert kinds["too_fast", "fast"] >= 0.95 * people["too_fast"]
    assert kinds["careful", "gold"] + kinds["careful", "weak"] == 0


def _simulated_project(rng: np.random.Generator) -> list[tuple[AnnotatorProfile, Assessment]]:
    profiles = draw_profiles(12, rng)
    return list(zip(profiles, assess([_record(profile, rng) for profile in profiles]), strict=True))


def _record(profile: AnnotatorProfile, rng: np.random.Generator) -> Record:
    choices: Counter[str] = Counter()
    seconds, gold_right, chose_left = [], 0, 0
    for number in range(120):
        quality = rng.normal(0, 1, 2)
        gold = number % 8 == 0
        if gold:
            quality = rng.permutation([1.5, -1.5])
        left = "a" if rng.random() < 0.5 else "b"
        found = answer(profile, float(quality[0]), float(quality[1]), left, rng)
        choices[found.choice] += 1
        seconds.append(found.seconds)
        chose_left += found.choice == left
        gold_right += gold and found.choice == ("a" if quality[0] > quality[1] else "b")
    return Record(
        gold=15,
        gold_right=gold_right,
        sided=choices["a"] + choices["b"],
        chose_left=chose_left,
        timed=len(seconds),
        seconds=float(np.median(seconds)),
        choices=tuple(choices.values()),
    )
