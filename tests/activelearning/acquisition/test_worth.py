from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from activelearning.acquisition.pool import PoolError
from activelearning.acquisition.posterior import fit_posterior
from activelearning.acquisition.worth import (
    Arm,
    Audit,
    Worth,
    _Summary,
    should_fall_back,
    should_return,
    thinned,
    worth,
)
from rewardmodel.evaluation import clustered
from tests.activelearning.acquisition.arms import Project, Q, first


def accuracy(arm: Arm, audit: Audit) -> float:
    theta = fit_posterior(arm.x, arm.shares[:, 0], arm.votes, prior_precision=1.0).mean
    winner = np.sign(audit.shares[:, 0] - audit.shares[:, 2])
    return float(np.mean((np.sign(audit.x @ theta) * winner + 1) / 2))


def known(gain: float, low: float = -1.0) -> Worth:
    return Worth(gain, low, 1.0, None, 100, 400, 0, 100)


def unknown() -> Worth:
    return Worth(None, None, None, None, 3, 4, 0, 1, (), "audit", "too few")


def test_gain_is_the_difference_of_two_accuracies() -> None:
    project = Project(0)
    active, random = project.arm(120, "good"), project.arm(120)
    found = project.measure(active, random)
    one, other = accuracy(active, project.audit), accuracy(random, project.audit)
    assert found.gain == pytest.approx(one - other)
    last = found.curve[-1]
    assert (last.active.value, last.random.value) == pytest.approx((one, other))
    assert [point.labels for point in found.curve] == [30, 60, 90, 120]
    assert (found.m, found.n_audit, found.ties, found.prompts) == (120, 400, 0, 100)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.gain < found.high
    assert found.missing is found.reason is None


@pytest.mark.parametrize("prompts", [5, 8, 40])
def test_intervals_hold_the_truth_however_few_the_prompts(prompts: int) -> None:
    """Twenty pairs of each prompt are right or wrong together: 95 % intervals for a mean that is 0."""
    rng = np.random.default_rng(prompts)
    prompt = np.repeat(np.arange(prompts), 20)
    draws = clustered.resamples(prompts, 1000, rng)
    summary = _Summary(prompt, np.ones(len(prompt)), draws, rng)
    held = 0
    for _ in range(400):
        values = rng.standard_normal(prompts)[prompt] + 0.5 * rng.standard_normal(len(prompt))
        found = summary.of(values, 0.0)
        held += found.low <= 0 <= found.high
    assert 0.92 <= held / 400 <= 0.98


def test_arms_exchanged_turn_the_sign() -> None:
    project = Project(1)
    active, random = project.arm(100, "good"), project.arm(100)
    one, other = project.measure(active, random), project.measure(random, active)
    assert one.gain == pytest.approx(-other.gain)  # type: ignore[operator]
    assert one.loss_gain is not None
    assert other.loss_gain is not None
    assert one.loss_gain.value == pytest.approx(-other.loss_gain.value)
    # More of the truth in the labels: a lower loss.
    assert project.measure(project.arm(400, "good"), project.arm(400, "harmful")).loss_gain.value > 0.02  # type: ignore[union-attr]


def test_the_longer_arm_is_cut_to_equally_many_labels() -> None:
    project = Project(2)
    long, short = project.arm(1200), project.arm(60)
    found = project.measure(long, short)
    assert found.m == 60
    assert found.curve[-1].labels == 60
    whole = accuracy(long, project.audit)
    assert found.curve[-1].active.value < whole - 0.01  # 60 labels do not tell what 1,200 do


def test_thinning_takes_one_label_of_each_block_in_order() -> None:
    rng = np.random.default_rng(0)
    for total, size in ((100, 10), (37, 9), (5, 5)):
        rows = np.array([thinned(total, size, rng) for _ in range(400)])
        assert np.all(np.diff(rows, axis=1) > 0)
        assert set(rows.ravel().tolist()) == set(range(total))
    assert thinned(5, 5, rng).tolist() == [0, 1, 2, 3, 4]
    assert np.all(thinned(100, 10, rng) // 10 == np.arange(10))


def test_an_exactly_even_prediction_is_half_right() -> None:
    project = Project(3)
    x = project.audit.x.copy()
    x[:, 1:] = 0.0
    blind = Arm(np.eye(Q)[np.ones(50, dtype=int)], project.label(np.zeros((50, Q))), np.ones(50))
    seeing = Arm(np.eye(Q)[np.zeros(50, dtype=int)], np.tile([1.0, 0, 0], (50, 1)), np.ones(50))
    project.audit = replace(project.audit, x=x)
    found = project.measure(blind, seeing)
    assert found.curve[-1].active.value == 0.5
    assert found.curve[-1].random.value == pytest.approx(accuracy(seeing, project.audit))


def test_ties_and_undecided_audit_pairs_are_counted_apart() -> None:
    project = Project(4)
    shares = project.audit.shares.copy()
    shares[:100] = [0.2, 0.6, 0.2]
    shares[100:110] = [0.5, 0.0, 0.5]
    project.audit = replace(project.audit, shares=shares)
    found = project.measure(project.arm(40), project.arm(40))
    assert (found.n_audit, found.ties) == (290, 110)
    assert found.prompts == 73  # of four pairs each; the two pairs of the 28th are decided


@pytest.mark.parametrize(
    ("audit", "prompts", "active", "random", "missing", "words"),
    [
        (29, 29, 50, 50, "audit", "29 audit pairs have a winner; 30"),
        (40, 4, 50, 50, "prompts", "4 prompts; 5"),
        (40, 40, 19, 50, "active", "19 pairs were chosen actively"),
        (40, 40, 50, 0, "random", "0 pairs were drawn at random"),
    ],
)
def test_too_little_is_said_to_be_too_little(
    audit: int, prompts: int, active: int, random: int, missing: str, words: str
) -> None:
    project = Project(5, audit=audit, prompts=prompts)
    found = project.measure(first(project.arm(50), active), first(project.arm(50), random))
    assert found.gain is found.low is found.high is found.loss_gain is None
    assert found.curve == ()
    assert found.missing == missing
    assert words in (found.reason or "")
    assert found.n_audit == audit


@pytest.mark.slow
def test_the_interval_covers_the_noise_of_audit_and_labels() -> None:
    """Equal strategies: the gain is 0 on average, and 95 % of the intervals hold it."""
    found = []
    for seed in range(40):
        project = Project(100 + seed)
        found.append(project.measure(project.arm(160), project.arm(160)))
    gains = np.array([each.gain for each in found])
    covered = np.mean([each.low <= 0 <= each.high for each in found])  # type: ignore[operator]
    width = np.mean([each.high - each.low for each in found]) / 3.92  # type: ignore[operator]
    assert covered >= 0.875
    assert 0.6 < width / gains.std() < 1.7


@pytest.mark.slow
def test_copies_of_a_pair_are_no_new_evidence() -> None:
    """Each of 100 audit pairs four times: as one prompt each they tell what 100 do, as 400 prompts more."""
    project = Project(6)
    active, random = project.arm(400, "good"), project.arm(400)
    times = np.repeat(np.arange(100), 4)

    def width(names: np.ndarray) -> float:
        copied = Audit(project.audit.x[times], project.audit.shares[times], np.ones(400), names)
        found = worth(active, random, copied, prior_precision=1.0, rng=np.random.default_rng(0))
        return found.high - found.low  # type: ignore[operator]

    together, apart = width(times.astype(str)), width(np.arange(400).astype(str))
    assert 1.3 < together / apart < 2.05


@pytest.mark.slow
def test_a_harmful_strategy_falls_back_and_a_good_one_does_not() -> None:
    harmful = [Project(seed).rounds("harmful", 4) for seed in range(6)]
    good = [Project(seed).rounds("good", 4) for seed in range(6)]
    assert all(should_fall_back(history) for history in harmful)
    assert sum(should_fall_back(history) for history in good) <= 1
    assert np.mean([history[-1].gain for history in harmful]) < -0.05  # type: ignore[arg-type]
    assert np.mean([history[0].gain for history in good]) > 0.03  # type: ignore[arg-type]
    assert not should_return(harmful[0])


def test_falling_back_takes_three_rounds_with_enough_data() -> None:
    bad, good = known(-0.01), known(0.01)
    assert should_fall_back([bad, bad, bad])
    assert should_fall_back([good, known(0.0), unknown(), bad, bad, unknown()])
    assert not should_fall_back([bad, bad])
    assert not should_fall_back([bad, bad, bad, good])
    assert not should_fall_back([unknown()] * 5)
    assert should_fall_back([good, bad, bad], rounds=2)


def test_returning_takes_certainty_or_two_rounds() -> None:
    bad, good = known(-0.01), known(0.01)
    assert not should_return([])
    assert not should_return([unknown()])
    assert not should_return([good])
    assert not should_return([bad, good])
    assert not should_return([good, good, bad])
    assert should_return([bad, good, unknown(), good])
    assert should_return([bad, known(0.04, low=0.01)])


def test_shapes_that_do_not_match_are_refused() -> None:
    with pytest.raises(PoolError, match="expected"):
        Arm(np.zeros((3, 2)), np.zeros((2, 3)), np.ones(3))
    with pytest.raises(PoolError, match="prompts"):
        Audit(np.zeros((1, 2)), np.array([[1.0, 0, 0]]), np.ones(1), np.array(["a", "b"]))


def test_the_pairs_of_an_item_are_one_label() -> None:
    project = Project(5)
    arm = project.arm(90)
    items = np.repeat(np.arange(30), 3)
    ranked = replace(arm, item=items)
    assert (len(arm), len(ranked)) == (90, 30)
    assert ranked.rows(np.array([0, 29])).tolist() == [0, 1, 2, 87, 88, 89]
    found = project.measure(ranked, ranked)
    assert found.m == 30
    assert [point.labels for point in found.curve] == [20, 22, 30]
    assert project.measure(replace(ranked, item=np.repeat(np.arange(15), 6)), arm).missing == "active"


def test_pairs_of_one_answer_say_less_of_the_error_than_as_many_answers() -> None:
    """Six copies of each label: the interval must be that of the labels, not of six times as many."""
    project = Project(6)
    arm = project.arm(40)
    copies = Arm(*(np.repeat(part, 6, axis=0) for part in (arm.x, arm.shares, arm.votes / 6)))
    joined = replace(copies, item=np.repeat(np.arange(40), 6))
    width = {}
    for name, one in (("alone", arm), ("copies", copies), ("joined", joined)):
        gain = project.measure(one, one).curve[-1].active
        width[name] = gain.high - gain.low
    assert width["joined"] == pytest.approx(width["alone"], rel=0.35)
    assert width["copies"] < 0.75 * width["alone"]
