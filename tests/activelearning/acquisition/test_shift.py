"""Density-ratio weights: the known ratio is found, and without shift every prompt weighs alike."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from activelearning.acquisition import shift
from activelearning.acquisition.shift import ShiftError, area, density_ratio


def normal(seed: int, n: int, *, d: int = 12, mean: float = 0.0) -> np.ndarray:
    """(n, d) normal rows, the first column shifted."""
    rows = np.random.default_rng(seed).normal(size=(n, d))
    rows[:, 0] += mean
    return rows


def test_a_known_ratio_is_recovered() -> None:
    """N(δ, 1) against N(0, 1): log w = δ x − δ²/2."""
    pool, there = normal(1, 3_000), normal(2, 2_000, mean=1.0)
    found = density_ratio(pool, there, rng=np.random.default_rng(3))
    truth = pool[:, 0] - 0.5
    slope = np.polyfit(truth, np.log(found.weight), 1)[0]
    assert 0.85 < slope < 1.1
    assert np.corrcoef(truth, np.log(found.weight))[0, 1] > 0.97
    assert found.weight.mean() == pytest.approx(1)
    weighted = (found.weight[:, None] * pool).mean(axis=0)
    np.testing.assert_allclose(weighted, there.mean(axis=0), atol=0.12)
    # ESS / n = 1 / E[w²] = exp(−δ²)
    assert found.effective / 3_000 == pytest.approx(np.exp(-1.0), abs=0.08)
    # AUC = Φ(δ/√2)
    assert found.interval is not None
    assert found.interval[0] < 0.760 < found.interval[1]
    assert (found.pool, found.deployment) == (3_000, 2_000)


@pytest.mark.slow
def test_without_shift_every_prompt_weighs_the_same() -> None:
    inside, even = 0, 0
    for seed in range(40):
        rng = np.random.default_rng([seed, 1])
        found = density_ratio(rng.normal(size=(300, 20)), rng.normal(size=(150, 20)), rng=rng)
        assert found.interval is not None
        inside += found.interval[0] <= 0.5 <= found.interval[1]
        even += bool((found.weight == 1).all())
        assert found.effective > 0.8 * 300
    assert inside >= 35  # 38 are expected
    assert even >= 33


def test_prompts_that_fit_nothing_are_cut_and_counted() -> None:
    """Five in a thousand of the pool are like the deployment: they stand for all."""
    pool, there = normal(1, 1_000), normal(2, 300, mean=12.0)
    pool[:5, 0] += 12.0
    found = density_ratio(pool, there, rng=np.random.default_rng(3))
    assert set(np.argsort(-found.weight)[:5]) == set(range(5))
    assert found.effective < 15
    assert found.auc is not None
    assert found.auc > 0.98


def test_more_prompts_than_are_fitted_weigh_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, there = normal(1, 1_500), normal(2, 1_200, mean=1.0)
    whole = density_ratio(pool, there, rng=np.random.default_rng(3))
    monkeypatch.setattr(shift, "MOST_FITTED", 700)
    part = density_ratio(pool, there, rng=np.random.default_rng(3))
    assert len(part.weight) == 1_500
    assert np.corrcoef(np.log(whole.weight), np.log(part.weight))[0, 1] > 0.95
    assert part.weight.mean() == pytest.approx(1)


def test_no_weight_is_more_than_twenty_times_the_ratio_of_one() -> None:
    pool, there = normal(1, 2_000), normal(2, 2_000, mean=3.0)
    found = density_ratio(pool, there, rng=np.random.default_rng(3))
    few = np.sort(found.weight)
    assert few[-1] == pytest.approx(few[-5])  # several are at the cap
    assert (np.exp(3 * pool[:, 0] - 4.5) > 20).sum() >= 5


@pytest.mark.slow
def test_the_area_is_that_of_scikit_learn_and_its_error_that_of_many_samples() -> None:
    rng = np.random.default_rng(5)
    areas, errors = [], []
    for _ in range(400):
        low, high = np.round(rng.normal(size=60), 1), np.round(rng.normal(size=40) + 0.7, 1)  # with ties
        found, error = area(low, high)
        expected = roc_auc_score(np.repeat([0, 1], [60, 40]), np.concatenate([low, high]))
        assert found == pytest.approx(expected)
        areas.append(found)
        errors.append(error)
    assert np.mean(errors) == pytest.approx(np.std(areas), rel=0.12)


def test_the_same_generator_gives_the_same_weights() -> None:
    pool, there = normal(1, 200), normal(2, 100, mean=1.0)
    one, same = (density_ratio(pool, there, rng=np.random.default_rng(7)).weight for _ in range(2))
    np.testing.assert_array_equal(one, same)


def test_too_few_prompts_say_nothing() -> None:
    found = density_ratio(normal(1, 50), normal(2, 9, mean=9.0), rng=np.random.default_rng(1))
    np.testing.assert_array_equal(found.weight, np.ones(50))
    assert (found.auc, found.interval, found.effective) == (None, None, 50.0)


@pytest.mark.parametrize(
    ("there", "says"), [(np.zeros((5, 3)), "shapes"), (np.full((20, 12), np.nan), "NaN")]
)
def test_nonsense_is_refused(there: np.ndarray, says: str) -> None:
    with pytest.raises(ShiftError, match=says):
        density_ratio(normal(1, 20), there, rng=np.random.default_rng(1))
