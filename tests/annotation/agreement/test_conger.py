"""Conger's κ: the published values, Cohen's for two annotators, and what it does not depend on."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from annotation.agreement.conger import conger_kappa
from annotation.agreement.estimate import Estimate
from annotation.agreement.units import UnusableRatingsError
from tests.annotation.agreement import published


def of_matrix(matrix: object) -> Estimate:
    """From an annotators × units matrix as the literature prints it; None and NaN are missing."""
    table = np.array(matrix, dtype=object)
    who, unit = np.indices(table.shape)
    given = np.array([value is not None and value == value for value in table.ravel()])
    return conger_kappa(unit.ravel()[given], who.ravel()[given], table.ravel()[given].astype(float))


def test_krippendorffs_matrix_as_irrcac_has_it() -> None:
    found = of_matrix(published.KRIPPENDORFF_2011_E)
    assert found.value == pytest.approx(0.76207, abs=5e-6)
    assert (found.units, found.ratings, found.dropped_units) == (11, 40, 1)


@pytest.mark.parametrize("seed", range(20))
def test_of_two_annotators_it_is_cohens(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 4, 40)
    second = np.where(rng.random(40) < 0.5, first, rng.integers(0, 4, 40))
    assert of_matrix([first, second]).value == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)


def test_it_takes_out_each_annotators_own_leaning() -> None:
    """Two who never agree but by their leanings: κ is 0 of what they would reach by chance."""
    first, second = [0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 0, 0, 1, 1]
    assert of_matrix([first, second]).value == pytest.approx(0, abs=1e-12)


def test_units_and_annotators_are_interchangeable() -> None:
    rng = np.random.default_rng(2)
    table = rng.integers(0, 3, (5, 30)).astype(float)
    table[rng.random(table.shape) < 0.3] = np.nan
    turned = table[rng.permutation(5)][:, rng.permutation(30)]
    assert of_matrix(turned).value == pytest.approx(of_matrix(table).value, abs=1e-12)


def test_reasons_where_there_is_no_value() -> None:
    assert conger_kappa([0, 1], [0, 1], [2, 3]).reason == "no unit has two ratings"
    assert conger_kappa([0, 0], [0, 1], [2, 2]).reason == "all ratings fall in one category"
    assert conger_kappa([0, 0], [0, 0], [2, 3]).reason == "one annotator alone has rated"
    with pytest.raises(UnusableRatingsError, match="must be as many"):
        conger_kappa([0, 0], [0], [2, 2])
