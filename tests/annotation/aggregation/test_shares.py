"""Vote shares, effective votes and shrinkage: hand values, identities and refusals."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.aggregation.shares import (
    NoVotesError,
    SoftLabels,
    UnusableVotesError,
    shrunk,
    vote_shares,
    weighted_vote_shares,
)

COUNTS = st.lists(st.tuples(*[st.integers(0, 50)] * 3).filter(any), min_size=1, max_size=20)


def stacked(labels: SoftLabels) -> np.ndarray:
    return np.stack([labels.p_a, labels.p_tie, labels.p_b], axis=1)


def test_shares_of_a_few_votes() -> None:
    labels = vote_shares([[3, 1, 1], [0, 0, 2]])
    assert stacked(labels).tolist() == [[0.6, 0.2, 0.2], [0.0, 0.0, 1.0]]
    assert labels.votes.tolist() == [5, 2]
    assert labels.effective_votes.tolist() == [5.0, 2.0]


@pytest.mark.slow
@given(COUNTS, st.floats(0.01, 100))
def test_equal_weights_are_no_weights(counts: list[tuple[int, int, int]], weight: float) -> None:
    table = np.array(counts)
    pair = np.repeat(np.arange(len(table)), table.sum(axis=1))
    outcome = np.concatenate([np.repeat([0, 1, 2], row) for row in table])
    plain = vote_shares(table)
    weighted = weighted_vote_shares(pair, outcome, np.full(len(pair), weight), pairs=len(table))
    assert stacked(weighted) == pytest.approx(stacked(plain), abs=1e-12)
    assert weighted.effective_votes == pytest.approx(plain.effective_votes, rel=1e-9)
    assert weighted.votes.tolist() == plain.votes.tolist()


def test_weights_move_the_shares_and_cost_votes() -> None:
    labels = weighted_vote_shares([1, 0, 0, 0], [2, 0, 2, 1], [0.3, 2.0, 1.0, 1.0], pairs=2)
    assert stacked(labels).tolist() == [[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]]
    assert labels.votes.tolist() == [3, 1]
    assert labels.effective_votes == pytest.approx([16 / 6, 1.0])


def test_a_vote_of_no_weight_counts_as_cast_only() -> None:
    labels = weighted_vote_shares([0, 0], [0, 2], [1.0, 0.0], pairs=1)
    assert (labels.p_a[0], labels.votes[0], labels.effective_votes[0]) == (1.0, 2, 1.0)


@pytest.mark.slow
@given(COUNTS)
def test_shrunk_shares_sum_to_one_and_are_never_hard(counts: list[tuple[int, int, int]]) -> None:
    shares = stacked(shrunk(vote_shares(counts)))
    assert shares.sum(axis=1) == pytest.approx(np.ones(len(counts)), abs=1e-12)
    assert (shares > 0).all()
    assert (shares < 1).all()


@pytest.mark.slow
@given(COUNTS)
def test_without_the_tie_shrinkage_is_half_over_n_plus_one(counts: list[tuple[int, int, int]]) -> None:
    table = np.array(counts, dtype=float)
    expected = (table[:, 0] + 0.5) / (table[:, 0] + table[:, 2] + 1)
    labels = shrunk(vote_shares(counts))
    assert labels.p_a / (labels.p_a + labels.p_b) == pytest.approx(expected, abs=1e-12)


def test_two_outcomes_where_ties_cannot_be_given() -> None:
    labels = shrunk(vote_shares([[3, 0, 0], [1, 0, 1]]), ties=False)
    assert stacked(labels).tolist() == [[3.5 / 4, 0.0, 0.5 / 4], [0.5, 0.0, 0.5]]
    with pytest.raises(UnusableVotesError, match="1 pairs hold ties"):
        shrunk(vote_shares([[3, 1, 0], [1, 0, 1]]), ties=False)


def test_shrinkage_goes_by_effective_votes() -> None:
    labels = shrunk(weighted_vote_shares([0] * 4, [0, 0, 0, 2], [3.0, 1.0, 1.0, 1.0], pairs=1))
    n = 36 / 12
    assert labels.p_a[0] == pytest.approx((n * 5 / 6 + 0.5) / (n + 1.5))
    assert labels.effective_votes[0] == pytest.approx(n)


def test_shrinkage_fades_with_votes() -> None:
    labels = shrunk(vote_shares([[1, 0, 0], [1000, 0, 0]]))
    assert labels.p_a == pytest.approx([1.5 / 2.5, 1000.5 / 1001.5])


@pytest.mark.slow
@given(COUNTS)
def test_swapping_a_and_b_swaps_the_label(counts: list[tuple[int, int, int]]) -> None:
    swapped = np.array(counts)[:, ::-1]
    assert np.array_equal(stacked(vote_shares(swapped)), stacked(vote_shares(counts))[:, ::-1])
    assert stacked(shrunk(vote_shares(swapped))) == pytest.approx(
        stacked(shrunk(vote_shares(counts)))[:, ::-1]
    )


@pytest.mark.parametrize(
    ("counts", "error", "message"),
    [
        ([[1, 0, 0], [0, 0, 0]], NoVotesError, "1 pairs have no vote of any weight, the first at row 1"),
        ([[1, 2]], UnusableVotesError, r"\(1, 2\)"),
        ([[1, -1, 3]], UnusableVotesError, "not negative"),
        ([[1, 0.5, 3]], UnusableVotesError, "use weighted_vote_shares"),
        ([[1, float("nan"), 3]], UnusableVotesError, "whole"),
    ],
)
def test_unusable_counts_are_refused(counts: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        vote_shares(counts)


@pytest.mark.parametrize(
    ("pair", "outcome", "weight", "error", "message"),
    [
        ([0, 2], [0, 0], [1, 1], UnusableVotesError, "pair must be in 0 … 1"),
        ([0, 1], [0, 3], [1, 1], UnusableVotesError, "outcome must be in 0 … 2"),
        ([0, 1], [0, 0], [1, -1], UnusableVotesError, "weights must be finite"),
        ([0, 1], [0, 0], [1, np.inf], UnusableVotesError, "weights must be finite"),
        ([0, 1], [0], [1, 1], UnusableVotesError, "one length"),
        ([0, 1], [0, 0], [1, 0], NoVotesError, "the first at row 1"),
        ([0, 0], [0, 0], [1, 1], NoVotesError, "the first at row 1"),
    ],
)
def test_unusable_votes_are_refused(
    pair: list[int], outcome: list[int], weight: list[float], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        weighted_vote_shares(pair, outcome, weight, pairs=2)


def test_no_pairs_give_no_labels() -> None:
    assert len(vote_shares(np.zeros((0, 3))).p_a) == 0
    assert len(weighted_vote_shares([], [], [], pairs=0).p_a) == 0
