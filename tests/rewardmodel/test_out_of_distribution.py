"""Distances from the training responses: by hand, against scikit-learn, and what is flagged."""

from pathlib import Path

import numpy as np
import pytest

from rewardmodel.evaluation import out_of_distribution as ood
from rewardmodel.evaluation.out_of_distribution import Reference


def correlated(n: int, d: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ np.random.default_rng(99).normal(size=(d, d)) + 3


@pytest.mark.parametrize(("n", "d"), [(40, 60), (400, 12), (30, 5)])
def test_shrinkage_and_covariance_are_those_of_scikit_learn(n: int, d: int) -> None:
    from sklearn.covariance import ledoit_wolf

    x = correlated(n, d, 0)
    found, shrinkage = ood.ledoit_wolf(x)
    expected, by_library = ledoit_wolf(x)
    assert shrinkage == pytest.approx(by_library)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_distance_by_hand() -> None:
    """Mean (1, 0), variances 4 and 1: (3, 0) is one deviation away in one of two directions."""
    reference = Reference(np.array([1.0, 0.0], np.float32), np.diag([0.5, 1.0]) / np.sqrt(2), 2.0)
    found = reference.distance(np.array([[1.0, 0.0], [3.0, 0.0], [1.0, 3.0]]))
    np.testing.assert_allclose(found, [0, np.sqrt(0.5), np.sqrt(4.5)], rtol=1e-6)
    assert reference.flag(found).tolist() == [False, False, True]
    assert reference.distance(np.zeros((0, 2))).shape == (0,)


def test_distance_is_mahalanobis_of_scikit_learn() -> None:
    from sklearn.covariance import LedoitWolf

    x, other = correlated(300, 8, 0), correlated(50, 8, 1) * 1.5
    fitted = ood.fit(x, np.arange(300), np.random.default_rng(0))
    expected = np.sqrt(LedoitWolf().fit(x).mahalanobis(other) / 8)
    np.testing.assert_allclose(fitted.distance(other), expected, rtol=1e-3)


def test_one_in_a_hundred_of_new_prompts_is_flagged_and_the_shifted_are() -> None:
    """Prompts have centres of their own, so that without leaving them out the threshold would be too low."""
    rng = np.random.default_rng(3)

    def responses(prompts: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        group = np.repeat(np.arange(prompts), 5)
        centre = rng.normal(size=(prompts, 24))[group]
        return centre + 0.3 * rng.normal(size=(5 * prompts, 24)) + shift, group

    x, group = responses(100)
    fitted = ood.fit(x, group, np.random.default_rng(0))
    fresh = np.mean([fitted.flag(fitted.distance(responses(60)[0])).mean() for _ in range(10)])
    assert 0.001 < fresh < 0.035
    assert fitted.flag(fitted.distance(responses(40, 2.0)[0])).mean() > 0.8
    assert np.median(fitted.distance(responses(100)[0])) == pytest.approx(1, abs=0.25)


def test_a_prompt_is_in_one_fold_only_and_its_own_rows_are_left_out() -> None:
    group = np.repeat(np.arange(7), 3)
    fold = ood.fold_of_groups(group, 5, np.random.default_rng(0))
    assert all(len(set(fold[group == g])) == 1 for g in range(7))
    assert set(fold.tolist()) == set(range(5))
    x = correlated(21, 4, 0)
    before = ood.left_out(x, fold, np.random.default_rng(0))
    mine, moved = fold == fold[0], x.copy()
    moved[mine] += 5  # their own rows are in no reference of theirs
    after = ood.left_out(moved, fold, np.random.default_rng(0))
    reference = before.references[fold[0]]
    np.testing.assert_allclose(after.distance[mine], reference.distance(moved[mine]))
    np.testing.assert_allclose(before.distance_at(moved[mine], np.flatnonzero(mine)), after.distance[mine])
    assert reference.threshold == np.quantile(before.distance[~mine], ood.QUANTILE)
    assert before.flagged[mine].tolist() == (before.distance[mine] > reference.threshold).tolist()


def test_identical_responses_and_a_single_prompt_do_not_break_it() -> None:
    same = ood.fit(np.ones((6, 3)), np.arange(6), np.random.default_rng(0))
    assert np.isfinite(same.distance(np.ones((2, 3)))).all()
    assert same.flag(same.distance(np.full((1, 3), 9.0))).all()
    single = ood.fit(correlated(9, 3, 0), np.zeros(9, int), np.random.default_rng(0))
    assert np.isfinite(single.threshold)


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    x = correlated(60, 6, 0)
    fitted = ood.fit(x, np.arange(60), np.random.default_rng(0))
    fitted.save(tmp_path / "ood.safetensors")
    loaded = Reference.load(tmp_path / "ood.safetensors")
    assert loaded.threshold == fitted.threshold
    np.testing.assert_array_equal(loaded.distance(x), fitted.distance(x))
