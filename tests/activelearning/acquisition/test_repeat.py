from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import beta, binomtest

from activelearning.acquisition.pool import PoolError
from activelearning.acquisition.repeat import (
    PairVotes,
    RepeatConfig,
    VoteValue,
    label_change,
    label_gain,
    overlap_sample,
    plan_repeats,
    value_of_votes,
    vote_information,
)


def pairs(
    *votes: tuple[int, int, int], rho: float = 1.0, change: dict[int, float] | None = None
) -> PairVotes:
    """Of counts (a, tie, b) per pair, all by voters of reliability rho."""
    counts = np.array(votes, dtype=float).reshape(-1, 3)
    n = counts.sum(axis=1)
    last = np.full(len(n), np.nan)
    for row, nats in (change or {}).items():
        last[row] = nats
    names = np.array([f"pair{i}" for i in range(len(n))])
    return PairVotes(names, counts / np.maximum(n, 1)[:, None], n, n * rho**2, last)


def values(candidates: PairVotes, *, rho: float = 1.0, p: float = 0.5, **config: float) -> VoteValue:
    """Of candidates alike in all but their votes."""
    n = len(candidates.votes)
    return value_of_votes(
        candidates,
        np.ones(n),
        np.full(n, p),
        np.zeros(n),
        reliability=rho,
        config=RepeatConfig(**config),  # type: ignore[arg-type]
    )


def test_information_of_a_vote_is_its_fisher_information() -> None:
    """E[(d log P(y)/dη)²] by numerical derivatives of the log-likelihood."""
    eta = np.linspace(-4, 4, 17)

    def q(at: np.ndarray, rho: float) -> np.ndarray:
        return rho * expit(at) + (1 - rho) / 2

    for rho in (0.2, 0.7, 1.0):
        step = 1e-5
        score_a = (np.log(q(eta + step, rho)) - np.log(q(eta - step, rho))) / (2 * step)
        score_b = (np.log(1 - q(eta + step, rho)) - np.log(1 - q(eta - step, rho))) / (2 * step)
        expected = q(eta, rho) * score_a**2 + (1 - q(eta, rho)) * score_b**2
        np.testing.assert_allclose(vote_information(expit(eta), rho), expected, rtol=1e-6)
        p = expit(eta)
        assert np.all(vote_information(p, rho) <= rho**2 * p * (1 - p) + 1e-12)
    assert vote_information(np.array([0.5]), 0.6) == pytest.approx([0.36 / 4])
    assert vote_information(np.array([0.0, 1.0])).tolist() == [0.0, 0.0]


def test_votes_on_one_pair_inform_the_model_as_generalised_least_squares_says() -> None:
    """n normal answers with noise 1/v which share one pair effect: 1ᵀ(I/v + ω²11ᵀ)⁻¹1, step by step."""
    omega, v = 0.8, 0.25

    def total(n: int) -> float:
        one = np.ones(n)
        return float(one @ np.linalg.solve(np.eye(n) / v + omega * np.ones((n, n)), one)) if n else 0.0

    # Even votes (all ties) keep p at ½, so that only the pair effect discounts.
    found = values(pairs(*[(0, n, 0) for n in range(5)]), pair_effect=omega, label_weight=0.0).value
    np.testing.assert_allclose(found, [(total(n + 1) - total(n)) / v for n in range(5)], rtol=1e-9)


def test_without_pair_effect_and_label_price_votes_are_alike() -> None:
    found = values(pairs((0, 0, 0), (1, 0, 0), (2, 0, 3)), p=0.7, pair_effect=0.0, label_weight=0.0)
    np.testing.assert_allclose(found.value, 1.0)


def test_less_reliable_voters_scale_the_designs_gain_exactly() -> None:
    """Half the information on a pair with s²: v r/(1 + v s²) at both."""
    p, s2, reach, rho = 0.5, 3.0, 2.0, 0.6
    v = p * (1 - p)
    found = value_of_votes(
        pairs((0, 0, 0)),
        np.array([v * reach / (1 + v * s2)]),
        np.array([p]),
        np.array([s2]),
        reliability=rho,
        config=RepeatConfig(pair_effect=0.0),
    )
    less = rho**2 * v
    assert found.value == pytest.approx([less * reach / (1 + less * s2)])


def test_new_beats_repeat_among_pairs_alike_unless_voters_were_poor() -> None:
    new, once, twice, split = values(pairs((0, 0, 0), (1, 0, 0), (2, 0, 0), (1, 0, 1))).value
    assert new > once > split > twice  # with as many votes, the split pair
    assert once / new == pytest.approx(0.76, abs=0.01)
    two_poor_votes = values(pairs((0, 0, 0), (2, 0, 0), rho=0.3)).value
    assert two_poor_votes[1] > two_poor_votes[0]
    tied = values(pairs((0, 1, 0)))  # by hand: I = v = ¼ and ω² = 1; the label has mean ½ and n₀ = 2
    assert tied.model == pytest.approx([1 / (1.25 * 1.5)])
    assert tied.label == pytest.approx([0.25 * 16 * 0.25 / 9])


def test_votes_against_the_model_make_a_repeat_worth_more() -> None:
    agreed, opposed = values(pairs((2, 0, 0), (0, 0, 2)), p=0.95).model
    assert opposed > agreed


def test_swapping_the_sides_changes_nothing() -> None:
    one = values(pairs((0, 0, 0), (2, 1, 1), (3, 0, 0)), p=0.8)
    other = values(pairs((0, 0, 0), (1, 1, 2), (0, 0, 3)), p=0.2)
    np.testing.assert_allclose(one.value, other.value)


def test_label_gain_is_the_expected_fall_of_the_beta_variance() -> None:
    for a, b in ((0, 0), (1, 0), (1, 1), (2, 1), (4, 0)):
        one, other = 0.5 + a, 0.5 + b
        m = one / (one + other)
        after = m * beta(one + 1, other).var() + (1 - m) * beta(one, other + 1).var()
        expected = (beta(one, other).var() - after) * 16
        assert label_gain(pairs((a, 0, b))) == pytest.approx([expected])
    assert label_gain(pairs((0, 0, 0))) == pytest.approx([1.0])


def test_a_higher_price_of_labels_favours_repeats_only() -> None:
    cheap = values(pairs((0, 0, 0), (1, 0, 1)), label_weight=0.0).value
    dear = values(pairs((0, 0, 0), (1, 0, 1)), label_weight=4.0).value
    assert dear[0] == cheap[0]
    assert dear[1] == pytest.approx(cheap[1] + 4.0 * 0.25)


def test_label_change_sees_a_label_that_changed_sides() -> None:
    def change(a: float, n: float, a_after: float) -> float:
        one = np.array
        return float(label_change(one([a / n]), one([n]), one([a_after / (n + 1)]), one([n + 1.0]))[0])

    assert change(2, 2, 2) > change(3, 3, 4) > 0
    assert change(1, 3, 2) > change(3, 3, 4)
    same = np.array([0.4]), np.array([5.0])
    assert label_change(*same, *same) == pytest.approx([0.0])


def plan(candidates: PairVotes, value: list[float], size: int, **config: float):  # type: ignore[no-untyped-def]
    given = np.array(value)
    worth = VoteValue(given, given, np.zeros(len(given)), 1.0)
    return plan_repeats(candidates, worth, size, RepeatConfig(**config))  # type: ignore[arg-type]


def test_a_repeat_must_beat_the_new_pair_that_it_replaces() -> None:
    candidates = pairs((0, 0, 0), (0, 0, 0), (0, 0, 0), (1, 0, 0), (1, 0, 0))
    # Two places: the better repeat replaces the second-best new pair (5), the other not the best (9).
    found = plan(candidates, [9.0, 5.0, 1.0, 7.0, 6.0], 2, share=1.0)
    assert [(r.pair_id, r.position, r.value, r.replaced) for r in found.repeats] == [("pair3", 3, 7.0, 5.0)]
    assert plan(candidates, [9.0, 7.5, 1.0, 7.0, 6.0], 2, share=1.0).repeats == ()
    # Three new pairs do not fill four places: the first repeat replaces nothing.
    assert [r.replaced for r in plan(candidates, [9.0, 5.0, 1.0, 0.5, 0.2], 4, share=1.0).repeats] == [0.0]


def test_caps_hold() -> None:
    candidates = pairs(*[(0, 0, 0)] * 40, *[(1, 0, 1)] * 20, *[(3, 0, 2)] * 20)
    found = plan(candidates, [1.0] * 40 + [5.0] * 20 + [9.0] * 20, 40)
    assert len(found.repeats) == found.most == 4
    assert found.open == 20  # five votes are enough
    assert {r.position for r in found.repeats} <= set(range(40, 60))
    assert len({r.pair_id for r in found.repeats}) == 4
    assert plan(candidates, [1.0] * 40 + [5.0] * 40, 9).repeats == ()  # a tenth of nine is none
    assert plan(candidates, [1.0] * 40 + [5.0] * 40, 40, most_votes=2).open == 0


def test_a_pair_whose_repeat_told_nothing_waits_for_the_others() -> None:
    candidates = pairs((0, 0, 0), (2, 0, 0), (2, 0, 0), (2, 0, 0), change={1: 0.001, 2: 0.2})
    found = plan(candidates, [0.1, 9.0, 5.0, 4.0], 3, share=1.0)
    assert [r.pair_id for r in found.repeats] == ["pair2", "pair3", "pair1"]
    assert found.settled == 1
    assert "pair1" not in {r.pair_id for r in plan(candidates, [0.1, 9.0, 5.0, 4.0], 2, share=1.0).repeats}


def test_reasons_in_words() -> None:
    split = pairs((2, 0, 1), (1, 0, 1), (3, 1, 1), (1, 0, 0))
    found = plan(split, [4.0, 3.0, 2.0, 1.0], 4, share=1.0, most_votes=6).repeats
    assert [r.reason for r in found] == ["split", "split", "split", "gain"]
    assert str(found[0].sentence) == "1 of 3 people disagrees with the others."
    assert str(found[1].sentence) == "The 2 people who voted disagree."
    assert str(found[2].sentence) == "2 of 5 people disagree with the others."
    poor = plan(pairs((2, 0, 1), rho=0.5), [1.0], 1, share=1.0).repeats[0]
    assert (poor.reason, str(poor.sentence)) == ("unreliable", "Its voters were often wrong on gold checks.")
    worth = VoteValue(np.array([3.0]), np.array([1.0]), np.array([2.0]), 1.0)
    kept = plan_repeats(pairs((2, 0, 0)), worth, 1, RepeatConfig(share=1.0)).repeats[0]
    assert (kept.reason, str(kept.sentence)) == ("quality", "A second opinion kept for quality.")


@pytest.mark.parametrize("seed", range(5))
def test_on_exchangeable_data_nearly_all_votes_go_to_new_pairs(seed: int) -> None:
    """A linear world: 300 labelled pairs, 3,000 new ones from the same distribution, a batch of 100."""
    rng = np.random.default_rng(seed)
    x, theta = rng.standard_normal((3300, 10)), rng.standard_normal(10) * 0.4
    p = expit(x @ theta)
    v = p * (1 - p)
    labelled = np.arange(3300) >= 3000
    sigma = np.linalg.inv(np.eye(10) + (x[labelled].T * v[labelled]) @ x[labelled])
    s2 = np.einsum("ij,jk,ik->i", x, sigma, x)
    reach = np.einsum("ij,jk,ik->i", x, sigma @ np.cov(x.T) @ sigma, x)
    answer = rng.random(3300) < p
    votes = [(int(a), 0, int(not a)) if old else (0, 0, 0) for a, old in zip(answer, labelled, strict=True)]
    gain = v * reach / (1 + v * s2)
    reliable = pairs(*votes)
    found = plan_repeats(reliable, value_of_votes(reliable, gain, p, s2), 100)
    assert len(found.repeats) <= 3
    # The same votes by people who mostly guess: now repeats are worth it.
    poor = pairs(*votes, rho=0.2)
    assert 6 <= len(plan_repeats(poor, value_of_votes(poor, gain, p, s2), 100).repeats) <= 10


def test_overlap_sample_has_the_propensity_it_logs() -> None:
    rng = np.random.default_rng(0)
    times = np.zeros(25)
    for _ in range(2000):
        drawn = overlap_sample(25, 0.07, rng)
        assert drawn.propensity == 0.07
        assert len(np.unique(drawn.positions)) == len(drawn.positions) in (1, 2)
        times[drawn.positions] += 1
    for count in times:
        assert binomtest(int(count), 2000, 0.07).pvalue > 1e-4
    assert len(overlap_sample(0, 0.1, rng).positions) == 0
    assert overlap_sample(10, 1.0, rng).positions.tolist() == list(range(10))


def test_inconsistent_input_is_refused() -> None:
    with pytest.raises(PoolError, match="lengths"):
        PairVotes(np.array(["x"]), np.zeros((2, 3)), np.zeros(1), np.zeros(1), np.zeros(1))
    with pytest.raises(PoolError, match="Effective"):
        PairVotes(np.array(["x"]), np.array([[1.0, 0, 0]]), np.ones(1), np.full(1, 2.0), np.full(1, np.nan))
    with pytest.raises(PoolError, match="sum to 1"):
        PairVotes(np.array(["x"]), np.array([[0.5, 0, 0]]), np.ones(1), np.ones(1), np.full(1, np.nan))
    with pytest.raises(PoolError, match="share"):
        overlap_sample(3, 1.5, np.random.default_rng(0))
    with pytest.raises(PoolError, match="most_votes"):
        RepeatConfig(most_votes=0)
