"""The blend of heads and length: recovery, both baselines inside the family, no order, little data."""

import numpy as np
import pytest

from rewardmodel.evaluation import blend
from rewardmodel.evaluation.calibration import log_probabilities


def votes(
    a: float, b: float, *, pairs: int = 4000, tau: float = -0.7, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What heads and length say of pairs, and five votes on each drawn from a·d + b·g."""
    rng = np.random.default_rng(seed)
    gap = rng.normal(size=pairs)
    d = 0.6 * gap + rng.normal(size=pairs)
    p = np.exp(log_probabilities(a * d + b * gap, 1.0, tau))
    return d, gap, np.stack([rng.multinomial(5, row) for row in p]) / 5, np.full(pairs, 5.0)


def fit(
    d: np.ndarray, gap: np.ndarray, shares: np.ndarray, weight: np.ndarray, tau: float = 0.0
) -> blend.Blend:
    """Five pairs a prompt."""
    return blend.fit(blend.Known(d, gap, shares, weight, np.arange(len(d)) // 5), tau)


def nll(found: blend.Blend, d: np.ndarray, gap: np.ndarray, shares: np.ndarray) -> float:
    log_p = log_probabilities(found.mix(d, gap), found.temperature, found.tau)
    return float(-(shares * log_p).sum(axis=1).mean())


@pytest.mark.parametrize(("a", "b"), [(1.0, 0.0), (0.5, 0.8), (0.7, -1.5)])
def test_recovers_what_the_votes_were_drawn_from(a: float, b: float) -> None:
    found = fit(*votes(a, b))
    assert 1 / found.temperature == pytest.approx(a, abs=0.05)
    assert found.length / found.temperature == pytest.approx(b, abs=0.08)
    assert found.tau == pytest.approx(-0.7, abs=0.05)


def test_heads_that_know_nothing_leave_length() -> None:
    _, gap, shares, weight = votes(0.0, 1.2)
    noise = np.random.default_rng(9).normal(size=len(gap))
    found = fit(noise, gap, shares, weight)
    assert 1 / found.temperature == pytest.approx(blend.LEAST, abs=0.03)
    assert found.length / found.temperature == pytest.approx(1.2, abs=0.05)


def test_heads_that_are_always_wrong_are_never_turned_around() -> None:
    d, gap, shares, weight = votes(-1.0, 0.0)
    assert fit(d, 0 * gap, shares, weight).temperature == pytest.approx(1 / blend.LEAST)


def test_the_order_of_a_pair_does_not_matter() -> None:
    d, gap, shares, weight = votes(0.5, 0.8, pairs=300)
    flip = np.random.default_rng(3).choice([-1, 1], 300)
    turned = np.where(flip[:, None] > 0, shares, shares[:, [1, 0, 2]])
    one, other = fit(d, gap, shares, weight), fit(flip * d, flip * gap, turned, weight)
    assert (one.temperature, one.length, one.tau) == pytest.approx(
        (other.temperature, other.length, other.tau), abs=1e-3
    )


def test_a_handful_of_pairs_moves_little_and_none_moves_nothing() -> None:
    d, gap = np.array([2.0, 1.0]), np.array([0.0, 3.0])
    sure = fit(d, gap, np.array([[1.0, 0, 0], [0, 1.0, 0]]), np.ones(2), -0.5)
    assert 1 / sure.temperature < 0.5
    assert abs(sure.length / sure.temperature) < 0.5
    none = np.empty(0)
    assert fit(none, none, np.empty((0, 3)), none, -0.5) == blend.Blend(1.0, 0.0, -0.5, 0)


@pytest.mark.slow
def test_length_that_the_heads_have_taken_as_it_is_is_left_alone() -> None:
    """In about two thirds of samples b is within its error of 0, and then exactly 0."""
    found = [fit(*votes(1.0, 0.0, pairs=300, seed=seed)).length for seed in range(40)]
    assert 0.5 < np.mean([b == 0 for b in found]) < 0.85
    assert np.abs(found).max() < 0.35


def test_pairs_of_one_prompt_are_not_as_many_witnesses() -> None:
    """Copies of the same ten pairs in one prompt each say no more of length than once."""
    d, gap, shares, weight = (np.repeat(one, 40, axis=0) for one in votes(1.0, 0.25, pairs=30, seed=6))
    prompt = np.repeat(np.arange(30), 40)
    apart = blend.fit(blend.Known(d, gap, shares, weight, np.arange(len(d))), 0.0)
    together = blend.fit(blend.Known(d, gap, shares, weight, prompt), 0.0)
    assert abs(together.length) < 0.9 * abs(apart.length)


def test_on_other_pairs_it_is_as_good_as_the_better_part() -> None:
    for a, b in ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (0.5, 0.5)):
        d, gap, shares, weight = votes(a, b, pairs=600, seed=4)
        fresh = votes(a, b, seed=5)[:3]
        mixed = nll(fit(d, gap, shares, weight), *fresh)
        heads = nll(fit(d, 0 * gap, shares, weight), fresh[0], 0 * fresh[1], fresh[2])
        length = nll(fit(0 * d, gap, shares, weight), 0 * fresh[0], fresh[1], fresh[2])
        assert mixed < min(heads, length) + 0.002
