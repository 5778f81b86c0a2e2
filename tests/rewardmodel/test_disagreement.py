"""Disagreement against error: by hand, against scikit-learn, and on a model whose doubts are justified."""

import numpy as np
import pytest

from rewardmodel.evaluation import clustered, disagreement
from rewardmodel.evaluation.discrimination import auroc


def draws(prompts: int, count: int = 200) -> np.ndarray:
    return clustered.resamples(prompts, count, np.random.default_rng(0))


def test_variance_is_of_the_difference() -> None:
    """Two rewards that move together differ by a constant: no disagreement about the pair."""
    rewards = np.random.default_rng(0).normal(size=8)
    members = np.stack([(rewards + 1) - rewards, rewards, np.array([1.0, 3, 1, 3, 1, 3, 1, 3])])
    found = disagreement.variance(members)
    assert found[0] == pytest.approx(0)
    assert found[2] == pytest.approx(8 / 7)
    assert disagreement.variance(members[:, :1]).tolist() == [0, 0, 0]


def test_auroc_is_that_of_scikit_learn_and_its_interval_covers() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(1)
    score, positive = rng.integers(0, 9, 300).astype(float), rng.random(300) < 0.3
    score += 2 * positive
    found = auroc(score, positive, np.arange(300) // 5, draws(60))
    assert found.value == pytest.approx(roc_auc_score(positive, score))
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high
    assert auroc(-score, ~positive, np.arange(300) // 5, draws(60)).value == pytest.approx(found.value)
    assert auroc(score, np.ones(300, bool), np.zeros(300, int), draws(1)).value is None


def test_risk_and_coverage_by_hand() -> None:
    """In order of doubt: right, wrong, right, wrong."""
    spread, wrong = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.0, 1, 0, 1])
    np.testing.assert_allclose(disagreement.risks(spread, wrong), [0, 1 / 2, 1 / 3, 1 / 2])
    found = disagreement.disagreement(
        spread, np.array([4.0, 3, 2, 1]), wrong, wrong + 0.1, np.arange(4), draws(4)
    )
    assert found.aurc == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert found.aurc_by_margin == found.aurc  # the margins fall as the doubts grow
    assert found.curve_by_margin == found.curve
    assert found.aurc_oracle == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)
    assert found.auroc.value == 0.75
    assert found.curve == ((0.25, 0.0), (0.5, 0.5), (0.75, pytest.approx(1 / 3)), (1.0, 0.5))


def test_equal_doubts_tell_nothing_whatever_their_order() -> None:
    wrong = np.array([1.0, 0, 0, 0])
    np.testing.assert_allclose(disagreement.risks(np.ones(4), wrong), [0.25] * 4)
    np.testing.assert_allclose(disagreement.risks(np.ones(4), wrong[::-1]), [0.25] * 4)
    assert len(disagreement.risks(np.zeros(0), np.zeros(0))) == 0


def test_a_model_that_knows_its_doubts_is_told_from_one_that_does_not() -> None:
    rng = np.random.default_rng(4)
    spread = rng.random(2000)
    wrong = (rng.random(2000) < 0.05 + 0.5 * spread).astype(float)
    prompt = np.arange(2000) // 20
    knows = disagreement.disagreement(spread, 1 - spread, wrong, wrong, prompt, draws(100))
    blind = disagreement.disagreement(rng.random(2000), spread, wrong, wrong, prompt, draws(100))
    assert knows.auroc.low is not None
    assert knows.auroc.low > 0.6
    assert blind.auroc.low is not None
    assert blind.auroc.high is not None
    assert blind.auroc.low < 0.5 < blind.auroc.high
    assert knows.aurc_oracle < knows.aurc < blind.aurc
    errors = [one.error.value for one in knows.bins]
    assert errors[-1] > errors[0] + 0.3
    assert sum(one.error.n for one in knows.bins) == 2000
    assert knows.spearman_error > 0.2
