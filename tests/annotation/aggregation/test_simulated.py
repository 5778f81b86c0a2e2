from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from annotation.aggregation.simulated import (
    KINDS,
    AnnotatorProfile,
    Kind,
    Noise,
    ProfileError,
    SimulatedAnswer,
    answer,
    choice_probabilities,
    draw_profile,
    draw_profiles,
)

Judged = list[tuple[float, float, str, SimulatedAnswer]]


def judge(profile: AnnotatorProfile, n: int, seed: int = 0) -> Judged:
    """n answers on random pairs with a random side."""
    rng = np.random.default_rng(seed)
    found: Judged = []
    for _ in range(n):
        a, b = rng.standard_normal(2)
        side = "a" if rng.random() < 0.5 else "b"
        found.append((float(a), float(b), side, answer(profile, float(a), float(b), side, rng)))  # type: ignore[arg-type]
    return found


def profile_of(kind: Kind, seed: int = 0) -> AnnotatorProfile:
    return draw_profile(kind, np.random.default_rng(seed))


def accuracy(judged: Judged) -> float:
    right = [("a" if a > b else "b") == got.choice for a, b, _, got in judged if got.choice in "ab"]
    return float(np.mean(right))


def left_z(judged: Judged) -> float:
    """z = (n_left − n/2)/√(n/4) without ties."""
    left = [got.choice == side for _, _, side, got in judged if got.choice in "ab"]
    return float((np.sum(left) - len(left) / 2) / np.sqrt(len(left) / 4))


def test_davidson_without_ties_is_bradley_terry() -> None:
    left, tie, right = choice_probabilities(1.3, -0.4)
    assert left + tie + right == pytest.approx(1)
    assert left / (left + right) == pytest.approx(1 / (1 + np.exp(-1.3)))
    assert tie / np.sqrt(left * right) == pytest.approx(np.exp(-0.4))


@pytest.mark.slow
def test_choice_frequencies_follow_the_model() -> None:
    profile = AnnotatorProfile("careful", 2.0, -0.3, 0.5, 0.0, 10.0, 0.3, bad_below=-9)
    rng = np.random.default_rng(1)
    counts = Counter(answer(profile, 0.2, 0.5, "b", rng).choice for _ in range(20_000))
    left, tie, right = choice_probabilities(2.0 * 0.3 + 0.5, -0.3)
    assert counts["b"] / 20_000 == pytest.approx(left, abs=0.015)
    assert counts["tie"] / 20_000 == pytest.approx(tie, abs=0.015)
    assert counts["a"] / 20_000 == pytest.approx(right, abs=0.015)


def test_the_left_pull_is_found_by_the_z_test_and_nobody_else_has_it() -> None:
    for seed in range(5):
        assert left_z(judge(profile_of("left_biased", seed), 300, seed)) > 4
        assert abs(left_z(judge(profile_of("careful", seed), 300, seed))) < 4
    pooled = [row for seed in range(20) for row in judge(profile_of("careful", seed), 100, seed)]
    assert abs(left_z(pooled)) < 3.5


def test_a_spammer_does_not_look() -> None:
    profile = profile_of("spammer")
    good, bad = (
        Counter(answer(profile, *pair, "a", np.random.default_rng(seed)).choice for seed in range(500))
        for pair in ((5.0, -5.0), (-5.0, 5.0))
    )
    assert good == bad  # same seed, same key, whatever is shown
    assert len(good) == 3
    assert abs(accuracy(judge(profile, 3000)) - 0.5) < 0.05


@pytest.mark.slow
def test_careful_beats_noisy_beats_spammer() -> None:
    means = {
        kind: np.mean([accuracy(judge(profile_of(kind, seed), 400, seed)) for seed in range(8)])
        for kind in KINDS
    }
    assert means["careful"] > means["noisy"] + 0.05
    assert means["noisy"] > means["spammer"] + 0.1
    assert means["careful"] > means["left_biased"] + 0.05
    assert means["careful"] > means["too_fast"] + 0.1
    assert means["careful"] > 0.85


def test_seconds_tell_the_hasty_from_the_careful() -> None:
    def median(kind: Kind) -> float:
        return float(
            np.median([got.seconds for seed in range(8) for *_, got in judge(profile_of(kind, seed), 60)])
        )

    assert median("too_fast") < 4 < 5 < median("spammer") < median("noisy")
    assert 20 < median("careful") < 60
    assert all(got.seconds > 0 for *_, got in judge(profile_of("too_fast"), 200))


@pytest.mark.slow
def test_seconds_are_log_normal_around_the_median_and_longer_on_close_pairs() -> None:
    profile = AnnotatorProfile("careful", 3.0, -0.5, 0.0, 0.0, 20.0, 0.4)
    rng = np.random.default_rng(2)
    easy = np.log([answer(profile, 9.0, -9.0, "a", rng).seconds for _ in range(4000)])
    close = np.log([answer(profile, 0.1, 0.1, "a", rng).seconds for _ in range(4000)])
    assert np.exp(easy.mean()) == pytest.approx(20.0, rel=0.03)
    assert easy.std() == pytest.approx(0.4, rel=0.05)
    assert np.exp(close.mean()) == pytest.approx(30.0, rel=0.03)


def test_answers_are_canonical_whatever_the_side() -> None:
    profile = AnnotatorProfile("careful", 50.0, -20.0, 0.0, 0.0, 10.0, 0.1)
    rng = np.random.default_rng(3)
    for side in ("a", "b"):
        assert answer(profile, 2.0, 0.0, side, rng).choice == "a"  # type: ignore[arg-type]
        assert answer(profile, 0.0, 2.0, side, rng).choice == "b"  # type: ignore[arg-type]


def test_both_bad_only_where_both_are() -> None:
    profile = AnnotatorProfile("careful", 2.0, 20.0, 0.0, 0.0, 10.0, 0.1, bad_below=-1.0)
    rng = np.random.default_rng(4)
    assert answer(profile, -2.0, -2.0, "a", rng).choice == "both_bad"
    assert answer(profile, -2.0, 0.0, "a", rng).choice == "tie"


def test_reasons_fit_the_choice_and_their_share() -> None:
    profile = replace(profile_of("careful"), reasons=0.4)
    answers = [got for *_, got in judge(profile, 2000)]
    assert np.mean([got.reason is not None for got in answers]) == pytest.approx(0.4, abs=0.05)
    assert all(got.reason is None for *_, got in judge(profile_of("spammer"), 200))
    assert all("equally" in got.reason for got in answers if got.choice == "tie" and got.reason)


@pytest.mark.parametrize("n", [6, 7, 12, 40, 200])
def test_a_mixture_has_every_kind_and_is_mostly_careful(n: int) -> None:
    profiles = draw_profiles(n, np.random.default_rng(0))
    counts = Counter(profile.kind for profile in profiles)
    assert len(profiles) == n
    assert set(counts) == set(KINDS)
    assert counts["careful"] == max(counts.values())
    assert n < 12 or counts["careful"] > n / 2
    assert len({profile.median_seconds for profile in profiles}) == n  # no two alike


def test_small_crews_and_seeds() -> None:
    assert draw_profiles(0, np.random.default_rng(0)) == ()
    assert len(draw_profiles(3, np.random.default_rng(0))) == 3
    assert draw_profiles(12, np.random.default_rng(5)) == draw_profiles(12, np.random.default_rng(5))
    orders = {tuple(p.kind for p in draw_profiles(12, np.random.default_rng(seed))) for seed in range(5)}
    assert len(orders) > 1


def test_bad_values_are_named() -> None:
    with pytest.raises(ProfileError, match="lapse 2"):
        replace(profile_of("careful"), lapse=2)
    with pytest.raises(ProfileError, match="nan"):
        answer(profile_of("careful"), float("nan"), 0.0, "a", np.random.default_rng(0))


def test_stated_noise_is_what_is_measured() -> None:
    noise, rng = Noise(0.8, slips=0.1), np.random.default_rng(5)
    differences = np.array([-2.0, 0.4, 1.5])
    given = [
        [answer(noise.profile(), d, 0.0, "ab"[turn % 2], rng).choice for turn in range(4_000)]  # type: ignore[arg-type]
        for d in differences
    ]
    right = [
        choices.count("a" if d > 0 else "b") / 4_000 for d, choices in zip(differences, given, strict=True)
    ]
    assert {choice for choices in given for choice in choices} == {"a", "b"}
    assert np.mean(right) == pytest.approx(noise.share_right(differences), abs=0.02)
    assert noise.share_right(np.array([0.0])) == 0.5
    by_hand = 0.9 / (1 + np.exp(-0.8 * 1.5)) + 0.05
    assert noise.share_right(np.array([1.5])) == pytest.approx(by_hand)
