"""Accuracy within kinds of pairs, by hand."""

import numpy as np
import pytest

from rewardmodel.evaluation import clustered, strata

A_WINS, B_WINS, TIED = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.4, 0.4, 0.2]


def draws(prompts: int) -> np.ndarray:
    return clustered.resamples(prompts, 300, np.random.default_rng(0))


def test_accuracy_of_each_label_with_length_beside_and_ties_left_out() -> None:
    shares = np.array([A_WINS, A_WINS, B_WINS, B_WINS, TIED, A_WINS])
    d, length = np.array([1.0, -1, -1, -1, 5, 1]), np.array([1.0, 1, 1, 0, 5, -1])
    found = strata.stratify(
        d, length, shares, np.array([0, 0, 1, 2, 2, 1]), ["x", "x", "x", "y", "y", None], draws(3)
    )
    assert [(one.name, one.accuracy.value, one.accuracy.n, one.prompts) for one in found] == [
        ("x", pytest.approx(2 / 3), 3, 2),
        ("y", 1.0, 1, 1),
    ]
    assert [one.length.value for one in found] == [pytest.approx(2 / 3), 0.5]
    assert (found[1].accuracy.low, found[1].accuracy.high) == (
        None,
        None,
    )  # a single prompt
    assert found[0].as_dict()["length"] == found[0].length.as_dict()


def test_the_interval_is_that_of_the_pairs_of_the_stratum() -> None:
    rng = np.random.default_rng(1)
    prompt = np.repeat(np.arange(30), 8)
    shares = np.eye(3)[rng.integers(0, 2, 240)]
    d = rng.normal(size=240)
    label = np.where(np.arange(240) % 3, "much", "little").tolist()
    found = {one.name: one for one in strata.stratify(d, d, shares, prompt, label, draws(30))}
    rows = np.array(label) == "little"
    right = (np.sign(d) == np.where(shares[:, 0] > 0, 1, -1))[rows].astype(float)
    assert found["little"].accuracy == clustered.mean(right, prompt[rows], draws(30))


def test_small_categories_go_together() -> None:
    label = [f"c{i:02}" for i in range(30) for _ in range(40 - i)]
    m = len(label)
    found = strata.stratify(
        np.ones(m), np.ones(m), np.tile(A_WINS, (m, 1)), np.arange(m) % 5, label, draws(5)
    )
    assert len(found) == strata.MOST
    assert found[-1].name == strata.OTHERS
    assert sum(one.accuracy.n for one in found) == m
    assert [one.name for one in found[:2]] == ["c00", "c01"]


def test_a_category_called_others_stands_with_the_small_ones_once() -> None:
    label = ["others"] * 50 + [f"c{i:02}" for i in range(30) for _ in range(10)]
    m = len(label)
    found = strata.stratify(
        np.ones(m), np.ones(m), np.tile(A_WINS, (m, 1)), np.arange(m) % 5, label, draws(5)
    )
    assert len({one.name for one in found}) == len(found) == strata.MOST
    assert sum(one.accuracy.n for one in found) == m


def test_length_gaps_are_quantiles_of_the_ratio() -> None:
    labels, order = strata.length_gaps(np.log([1, 1 / 2, 3, 4, 5, 1 / 6, 7, 8.0]))
    assert order[0].startswith("1.00–")
    assert order[3].endswith("–8.00 ×")
    assert len(order) == 4
    assert [order.index(label) for label in labels] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert strata.length_gaps(np.zeros(3)) == (["1.00 ×"] * 3, ["1.00 ×"])
    assert strata.length_gaps(np.zeros(0)) == ([], [])


def test_who_won_by_length_and_how_far_the_voters_agree() -> None:
    shares = np.array([A_WINS, B_WINS, A_WINS, [0.75, 0.25, 0], [0.6, 0.2, 0.2]])
    assert strata.winners_by_length(np.array([1.0, 1, 0, -2, 1]), shares) == [
        "longer", "shorter", "same length", "shorter", "longer",
    ]  # fmt: skip
    assert strata.agreement(shares, np.array([3, 1, 2, 4, 5])) == [
        "unanimous", "one vote", "unanimous", "strong", "split",
    ]  # fmt: skip


def test_swapping_the_sides_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    shares, gap, d = rng.dirichlet([1, 1, 0.3], 60), rng.normal(size=60), rng.normal(size=60)
    other = shares[:, [1, 0, 2]]
    assert strata.winners_by_length(gap, shares) == strata.winners_by_length(-gap, other)
    assert strata.length_gaps(gap) == strata.length_gaps(-gap)
    assert strata.agreement(shares, np.full(60, 5)) == strata.agreement(other, np.full(60, 5))
    label = ["x"] * 60
    prompt = np.arange(60) % 6
    assert strata.stratify(d, gap, shares, prompt, label, draws(6)) == strata.stratify(
        -d, -gap, other, prompt, label, draws(6)
    )
