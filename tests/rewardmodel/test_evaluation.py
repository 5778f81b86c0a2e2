"""Metrics by hand, on data whose answer is known, and their invariances."""

import numpy as np
import pytest

from rewardmodel.evaluation import accuracy, baselines, calibration, ceiling, clustered, length_bias
from rewardmodel.evaluation.report import HeldOut, Prediction, report

SHARES = np.array(  # A wins, B wins, tie has most, A and tie equal, A and B equal
    [[0.6, 0.2, 0.2], [0.0, 1.0, 0.0], [0.4, 0.0, 0.6], [0.4, 0.2, 0.4], [0.4, 0.4, 0.2]]
)


def draws(prompts: int, seed: int = 0) -> np.ndarray:
    return clustered.resamples(prompts, 500, np.random.default_rng(seed))


def simulate(pairs: int, scale: float, tau: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Differences reported `scale` times too large, and the shares of 20 votes."""
    rng = np.random.default_rng(seed)
    d = rng.normal(scale=1.5, size=pairs)
    p = np.exp(calibration.log_probabilities(d, 1.0, tau))
    return d * scale, np.stack([rng.multinomial(20, row) for row in p]) / 20


def test_a_pair_is_decided_where_one_side_has_the_most_votes() -> None:
    assert accuracy.decisions(SHARES).tolist() == [1, -1, 0, 0, 0]


def test_accuracy_leaves_ties_out_and_counts_them() -> None:
    found = accuracy.pairwise(np.array([2.0, 1.0, 9.0, 9.0, 9.0]), SHARES, np.arange(5), draws(5))
    assert (found.decided.value, found.decided.n) == (0.5, 2)
    assert (found.leaning.value, found.leaning.n) == (0.75, 4)
    assert (found.pairs, found.ties) == (5, 3)
    assert (found.margin_of_ties, found.margin_of_decided) == (9.0, 1.5)


def test_no_difference_is_half_right() -> None:
    found = accuracy.pairwise(np.zeros(5), SHARES, np.arange(5), draws(5))
    assert found.decided.value == 0.5


def test_only_ties_give_no_accuracy_rather_than_a_number() -> None:
    found = accuracy.pairwise(np.ones(3), SHARES[2:], np.arange(3), draws(3))
    assert found.decided == clustered.Interval(None, None, None, 0)


@pytest.mark.slow
def test_the_interval_covers_the_truth_when_pairs_of_a_prompt_agree() -> None:
    """20 prompts of 50 pairs, accuracy varying by prompt: 95 % intervals cover about 95 %, naive ones far
    less."""
    rng = np.random.default_rng(0)
    prompt = np.repeat(np.arange(20), 50)
    covered, naive = 0, 0
    for _ in range(200):
        level = rng.beta(7, 3, size=20)
        right = (rng.random(1000) < level[prompt]).astype(float)
        found = clustered.mean(right, prompt, draws(20, int(rng.integers(1e9))))
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.7 <= found.high
        naive += abs(right.mean() - 0.7) <= 1.96 * np.sqrt(0.21 / 1000)
    assert 175 <= covered <= 199
    assert naive < 140


def test_pairs_of_one_prompt_have_no_interval() -> None:
    """However many they are, a resample draws the same: its ends would claim to be certain."""
    right, few = np.array([1.0, 0, 1, 1]), draws(3)
    assert clustered.mean(right, np.full(4, 2), few) == clustered.Interval(0.75, None, None, 4)
    two = clustered.mean(right, np.array([2, 2, 2, 1]), few)
    assert two.low is not None
    assert two.low < 0.75


def test_lift_is_the_difference_on_the_same_pairs() -> None:
    found = accuracy.lift(
        np.array([1.0, -1, 0, 0, 0]), np.array([1.0, 1, 0, 0, 0]), SHARES, np.arange(5), draws(5)
    )
    assert (found.value, found.n) == (0.5, 2)


@pytest.mark.parametrize(("scale", "tau"), [(3.0, -0.5), (0.25, 1.0), (1.0, -3.0)])
def test_temperature_recovers_the_scale_and_calibrates(scale: float, tau: float) -> None:
    d, shares = simulate(4000, scale, tau)
    prompt = np.arange(4000) // 10
    fitted = calibration.fit_temperature(d, shares, np.full(4000, 20.0), 0.0)
    assert fitted.temperature == pytest.approx(scale, rel=0.05)
    assert fitted.tau == pytest.approx(tau, abs=0.1)
    after = calibration.calibration(
        calibration.log_probabilities(d, fitted.temperature, fitted.tau), shares, prompt, draws(400)
    )
    before = calibration.calibration(calibration.log_probabilities(d, 1.0, 0.0), shares, prompt, draws(400))
    assert after.ece.value is not None
    assert after.ece.value < 0.01
    assert after.nll.value < before.nll.value
    assert after.brier.value <= before.brier.value


def test_a_perfect_separation_does_not_send_the_temperature_to_zero() -> None:
    fitted = calibration.fit_temperature(np.full(3, 2.0), np.tile([1.0, 0, 0], (3, 1)), np.ones(3), 0.0)
    assert 0.1 < fitted.temperature < 1
    assert calibration.fit_temperature(np.zeros(0), np.zeros((0, 3)), np.zeros(0), 0.3).tau == 0.3


@pytest.mark.slow
@pytest.mark.parametrize(("pairs", "votes"), [(60, 5), (600, 5), (600, 1)])
def test_what_chance_makes_of_the_calibration_error(pairs: int, votes: int) -> None:
    """Of calibrated predictions: prompts of ten pairs whose true shares stray together."""
    rng, prompt = np.random.default_rng(pairs + votes), np.arange(pairs) // 10
    told, found, below, faulty, few = [], [], 0, 0, draws(pairs // 10)[:2]
    for _ in range(300):
        predicted = rng.uniform(0.05, 0.95, pairs)
        stray = np.repeat(rng.choice([-1, 1], pairs // 10), 10) * 0.5 * np.minimum(predicted, 1 - predicted)
        seen = rng.binomial(votes, predicted + stray) / votes
        chance = calibration.error_by_chance(predicted, seen, prompt)
        error = calibration.expected_calibration_error(predicted, seen, prompt, few).value
        told.append(chance.value)
        found.append(error)
        below += error <= chance.high
        off = np.clip(seen + 0.3, 0, 1)
        more = calibration.expected_calibration_error(predicted, off, prompt, few).value
        faulty += more > calibration.error_by_chance(predicted, off, prompt).high
    assert np.mean(told) == pytest.approx(np.mean(found), rel=0.15)
    assert below >= 280
    if pairs == 600:  # six prompts tell a fault of .3 from chance too seldom
        assert faulty >= 270


def test_calibration_error_by_hand() -> None:
    predicted, seen = np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.0, 0.0, 1.0, 0.4])
    found = calibration.expected_calibration_error(predicted, seen, np.arange(4), draws(4), bins=2)
    assert found.value == pytest.approx((0.3 + 0.3) / 4)  # |0.3 - 0.0| and |1.7 - 1.4| over 4 pairs
    exact = calibration.expected_calibration_error(seen, seen, np.arange(4), draws(4))
    assert (exact.value, exact.high) == (0.0, 0.0)


def test_bins_hold_equal_numbers() -> None:
    bins = calibration.equal_mass_bins(np.random.default_rng(0).random(152))
    assert sorted(map(len, bins)) == [10] * 13 + [11] * 2
    assert sorted(np.concatenate(bins).tolist()) == list(range(152))


def test_equal_predictions_share_a_bin_whatever_their_order() -> None:
    predicted = np.array([0.2, 0.5, 0.5, 0.5, 0.5, 0.9])
    assert [rows.tolist() for rows in calibration.equal_mass_bins(predicted, 3)] == [[0], [1, 2, 3, 4], [5]]
    seen = np.array([0.0, 0, 0, 1, 1, 1])
    found = calibration.expected_calibration_error(np.full(6, 0.5), seen, np.arange(6), draws(6))
    assert found.value == 0  # half of the votes, as predicted
    assert calibration.equal_mass_bins(np.zeros(0)) == []


def test_nll_and_brier_by_hand() -> None:
    p = np.array([[0.5, 0.25, 0.25]])
    found = calibration.calibration(np.log(p), np.array([[1.0, 0, 0]]), np.zeros(1, int), draws(1))
    assert found.nll.value == pytest.approx(np.log(2))
    assert found.brier.value == pytest.approx(0.25 + 2 * 0.0625)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_length_baseline_learns_whether_longer_or_shorter_wins(sign: int) -> None:
    gap, shares = simulate(2000, 0.5, -1.0)
    shares = shares if sign > 0 else shares[:, [1, 0, 2]]
    fitted = baselines.fit_length(gap, shares, np.full(2000, 20.0))
    assert fitted.slope == pytest.approx(sign * 2, rel=0.1)
    assert fitted.tau == pytest.approx(-1, abs=0.1)


def test_always_the_same_side_is_averaged_over_both_orders() -> None:
    shares = np.array([[0, 1.0, 0], [0, 0.8, 0.2], [1.0, 0, 0]])
    fitted = baselines.fit_majority(shares, np.ones(3))
    np.testing.assert_allclose(fitted.shares, np.array([1.9, 1.9, 0.7]) / 4.5)
    swapped = baselines.fit_majority(shares[:, [1, 0, 2]], np.ones(3))
    np.testing.assert_array_equal(swapped.shares, fitted.shares)
    right = accuracy.hits(fitted.predict(3), accuracy.decisions(shares))
    np.testing.assert_array_equal(right, np.full(3, 0.5))
    assert accuracy.first_side(shares, np.arange(3), draws(3)).value == pytest.approx(1 / 3)


def test_the_ceiling_by_hand() -> None:
    # 3 A, 1 B, 1 tie: leaving out an A leaves 2/1/1 -> A agrees (3 times); leaving out B leaves 3/0/1 -> no
    # 2 B: leaving one out leaves B (2 times). One vote alone, and ties, ask nobody.
    shares = np.array([[0.6, 0.2, 0.2], [0, 1.0, 0], [1.0, 0, 0], [0, 0, 1.0]])
    found = ceiling.one_voter_against_the_others(shares, np.array([5, 2, 1, 4]), np.arange(4), draws(4))
    assert (found.value, found.n) == (pytest.approx(5 / 6), 2)


def test_length_bias_of_a_reward_that_is_length() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(10), 6)
    length = rng.normal(size=60)
    left, right = np.arange(0, 60, 2), np.arange(1, 60, 2)
    shares = np.tile([1.0, 0, 0], (30, 1))
    found = length_bias.length_bias(np.exp(length) + 100 * group, length, group, left, right, shares)
    assert found.longer_wins_model == 1
    assert found.longer_wins_votes == pytest.approx((length[left] > length[right]).mean())
    same = length_bias.length_bias(3 * length + 100 * group, length, group, left, right, shares)
    assert same.pearson == pytest.approx(1)
    assert same.spearman == pytest.approx(1)
    flat = length_bias.length_bias(np.zeros(60), length, group, left, right, shares)
    assert flat.pearson is None


def test_spearman_takes_the_mean_of_equal_ranks() -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 6, 50).astype(float), rng.integers(0, 6, 50).astype(float)
    one = np.zeros(50, int)
    found = length_bias.length_bias(x, y, one, np.zeros(1, int), np.ones(1, int), np.array([[1.0, 0, 0]]))
    assert found.spearman == pytest.approx(spearmanr(x, y).statistic)


def held(swap: bool) -> HeldOut:
    rng = np.random.default_rng(5)
    reward, length = rng.normal(size=60), rng.normal(size=60)
    left, right = np.arange(0, 60, 2), np.arange(1, 60, 2)
    shares = rng.multinomial(5, [0.4, 0.4, 0.2], size=30) / 5
    if swap:
        left, right, shares = right, left, shares[:, [1, 0, 2]]
    d, by_length = reward[left] - reward[right], length[left] - length[right]
    group = np.repeat(np.arange(10), 6)
    return HeldOut(
        Prediction(d, calibration.log_probabilities(d, 1.0, -0.5)),
        Prediction(by_length, calibration.log_probabilities(by_length, 1.0, -0.5)),
        Prediction(np.ones(30) * (-1 if swap else 1), calibration.log_probabilities(np.zeros(30), 1.0, -0.5)),
        shares,
        np.full(30, 5),
        group[left],
        left,
        right,
        reward,
        length,
        group,
    )


def test_swapping_every_pair_leaves_the_report_as_it_was() -> None:
    one, other = (report(held(swap), resamples=200, rng=np.random.default_rng(0)) for swap in (False, True))
    for key in ("accuracy", "lift_over_length", "length_bias", "ceiling", "ties"):
        assert one[key] == pytest.approx(other[key]) if key != "ceiling" else one[key] == other[key]
    for key in ("nll", "brier"):
        assert one[key] == pytest.approx(other[key])
    assert one["baselines"]["majority"]["value"] == pytest.approx(other["baselines"]["majority"]["value"])


def test_the_report_says_how_many_of_everything() -> None:
    found = report(held(False), resamples=200, rng=np.random.default_rng(0))
    assert found["evaluated"] == {"pairs": 30, "prompts": 10, "votes": 150}
    assert found["accuracy"]["n"] + found["ties"]["n"] == 30
    assert found["baselines"]["length"]["n"] == found["accuracy"]["n"]
    for interval in (found["accuracy"], found["baselines"]["length"], found["intervals"]["nll"]):
        assert interval["low"] < interval["value"] < interval["high"]
    assert found["intervals"]["ece"]["low"] < found["intervals"]["ece"]["high"]  # biased upwards
