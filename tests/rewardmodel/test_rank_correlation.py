"""Order against order: by hand, and against SciPy."""

import numpy as np
import pytest

from rewardmodel.evaluation import clustered, rank_correlation
from rewardmodel.evaluation.rank_correlation import Listing


@pytest.mark.parametrize("seed", range(5))
def test_coefficients_are_those_of_scipy_with_ties(seed: int) -> None:
    from scipy.stats import kendalltau, spearmanr

    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 6, 30).astype(float), rng.integers(0, 4, 30).astype(float)
    assert rank_correlation.kendall(x, y) == pytest.approx(kendalltau(x, y).statistic)
    assert rank_correlation.spearman(x, y) == pytest.approx(spearmanr(x, y).statistic)


def test_a_constant_side_has_no_coefficient() -> None:
    assert rank_correlation.kendall(np.ones(4), np.arange(4.0)) is None
    assert rank_correlation.spearman(np.arange(4.0), np.ones(4)) is None


def test_the_mean_over_lists_by_hand_and_what_is_undefined_is_counted() -> None:
    reward = np.array([3.0, 2, 1, 1, 2, 3, 5, 5, 5])
    lists = [
        Listing(0, np.arange(3), np.array([9.0, 5, 1])),  # 1
        Listing(1, np.arange(3, 6), np.array([1.0, 3, 2])),  # ρ ½, τ 1/3
        Listing(2, np.arange(6, 9), np.array([1.0, 2, 3])),  # the model sees no difference
    ]
    found = rank_correlation.correlate(reward, lists, clustered.resamples(3, 200, np.random.default_rng(0)))
    assert found.spearman.value == pytest.approx(0.75)
    assert found.kendall.value == pytest.approx(2 / 3)
    assert (found.spearman.n, found.undefined, found.prompts, found.responses) == (2, 1, 2, 3)
    empty = rank_correlation.correlate(reward, [], np.ones((10, 1)))
    assert empty.spearman.value is None


def test_judges_rankings_become_one_by_mean_rank() -> None:
    one = rank_correlation.by_mean_rank(4, np.array([7, 8, 9]), np.array([[1, 2, 3], [1, 3, 2], [1, 2, 2]]))
    np.testing.assert_allclose(one.score, [-1, -7 / 3, -7 / 3])
    heavy = rank_correlation.by_mean_rank(
        4, np.array([7, 8, 9]), np.array([[1, 2, 3], [1, 3, 2]]), np.array([3.0, 1.0])
    )
    np.testing.assert_allclose(heavy.score, [-1, -2.25, -2.75])


def test_pairs_become_an_order_by_share_of_votes_won() -> None:
    # 0 beats 1 with .8, 1 and 2 are equal, 0 beats 2 with .6 and a tie of .2; prompt 1 has only two responses
    left, right = np.array([0, 1, 2, 5]), np.array([1, 2, 0, 6])
    shares = np.array([[0.8, 0.2, 0], [0, 0, 1], [0.2, 0.6, 0.2], [1, 0, 0]])
    (found,) = rank_correlation.by_wins(left, right, shares, np.array([0, 0, 0, 1]))
    assert found.rows.tolist() == [0, 1, 2]
    np.testing.assert_allclose(found.score, [(0.8 + 0.7) / 2, (0.2 + 0.5) / 2, (0.5 + 0.3) / 2])
    (swapped,) = rank_correlation.by_wins(right[:3], left[:3], shares[:3, [1, 0, 2]], np.zeros(3, int))
    np.testing.assert_allclose(swapped.score, found.score)
