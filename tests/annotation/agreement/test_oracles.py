"""Every other coefficient against something that shares no code with it, on random data with missing ratings.

α has the krippendorff library (test_krippendorff), W and ρ have scipy (test_kendall), Cohen's κ has
scikit-learn. The tests' dependencies hold no library for Fleiss' κ, AC1, Brennan-Prediger and Conger's κ, so
these are held against

- krippendorff's nominal α where all units have m ratings: 1 − α = (1 − κ) (N m − 1) / (N m), Fleiss' κ;
- formulas on scikit-learn's confusion matrix of two annotators, some of whose units only one rated;
- the definition, pair by pair in plain Python, for several annotators with ratings missing anywhere;
- Conger's own definition for complete data: means over all pairs of annotators of scikit-learn's matrices.
"""

import itertools
from collections import Counter
from collections.abc import Callable

import krippendorff
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from annotation.agreement.cohen import cohen_kappa, contingency
from annotation.agreement.conger import conger_kappa
from annotation.agreement.estimate import Estimate
from annotation.agreement.fleiss import fleiss_kappa
from annotation.agreement.gwet import brennan_prediger, gwet_ac1
from annotation.agreement.percent import percent_agreement
from annotation.agreement.units import UnitCounts
from tests.annotation.agreement.published import from_reliability

pytestmark = pytest.mark.slow

CODES = [0.0, 1.0, 2.0, 3.0]
RATINGS = st.sampled_from([np.nan, np.nan, *CODES])
TWO = hnp.arrays(np.float64, st.tuples(st.just(2), st.integers(2, 25)), elements=RATINGS)
SEVERAL = hnp.arrays(np.float64, st.tuples(st.integers(2, 6), st.integers(1, 9)), elements=RATINGS)
COMPLETE = hnp.arrays(
    np.float64, st.tuples(st.integers(2, 5), st.integers(2, 12)), elements=st.sampled_from(CODES)
)

Coefficient = Callable[[UnitCounts], Estimate]
CHANCE: dict[str, tuple[Coefficient, Callable[[np.ndarray], float]]] = {
    "percent": (percent_agreement, lambda shares: 0.0),
    "fleiss": (fleiss_kappa, lambda shares: sum(share * share for share in shares)),
    "ac1": (gwet_ac1, lambda shares: sum(share * (1 - share) for share in shares) / (len(shares) - 1)),
    "brennan-prediger": (brennan_prediger, lambda shares: 1 / len(shares)),
}
"""Each coefficient, and its agreement by chance from the shares of the categories."""


def check(name: str, matrix: np.ndarray, agreed: float, shares: np.ndarray) -> None:
    coefficient, chance = CHANCE[name]
    found, expected = coefficient(from_reliability(matrix, categories=CODES)), chance(shares)
    if expected >= 1:
        assert found.reason == "all ratings fall in one category"
        return
    assert found.value == pytest.approx((agreed - expected) / (1 - expected), abs=1e-10)


@settings(max_examples=80, deadline=None)
@given(matrix=TWO)
def test_cohen_equals_scikit_learn(matrix: np.ndarray) -> None:
    both = ~np.isnan(matrix).any(axis=0)
    codes = np.where(np.isnan(matrix), -1, matrix).astype(int)
    found = cohen_kappa(contingency(codes[0], codes[1], len(CODES)))
    if not both.any():
        assert found.reason == "the two raters share no unit"
    elif len(np.unique(matrix[:, both])) < 2:
        assert found.reason == "all ratings fall in one category"
    else:
        assert found.value == pytest.approx(cohen_kappa_score(*codes[:, both], labels=range(4)), abs=1e-10)
    assert found.units == both.sum()


@pytest.mark.parametrize("name", CHANCE)
@settings(max_examples=60, deadline=None)
@given(matrix=TWO)
def test_two_annotators_from_their_confusion_matrix(name: str, matrix: np.ndarray) -> None:
    missing = np.isnan(matrix)
    both, alone = ~missing.any(axis=0), missing.sum(axis=0) == 1
    assume(both.any())
    table = confusion_matrix(*matrix[:, both].astype(int), labels=range(4))
    single = np.bincount(np.nansum(matrix[:, alone], axis=0).astype(int), minlength=4)
    shares = ((table.sum(axis=0) + table.sum(axis=1)) / 2 + single) / (both.sum() + alone.sum())
    check(name, matrix, np.trace(table) / table.sum(), shares)


@pytest.mark.parametrize("name", CHANCE)
@settings(max_examples=60, deadline=None)
@given(matrix=SEVERAL)
def test_several_annotators_pair_by_pair(name: str, matrix: np.ndarray) -> None:
    units = [[value for value in column if value == value] for column in matrix.T.tolist()]
    pairs = [list(itertools.combinations(unit, 2)) for unit in units if len(unit) > 1]
    assume(pairs)
    agreed = [sum(one == other for one, other in unit) / len(unit) for unit in pairs]
    rated = [unit for unit in units if unit]
    shares = [sum(Counter(unit)[code] / len(unit) for unit in rated) / len(rated) for code in CODES]
    check(name, matrix, sum(agreed) / len(agreed), np.array(shares))


@settings(max_examples=80, deadline=None)
@given(raters=st.integers(2, 6), seed=st.integers(0, 10_000), units=st.integers(2, 12))
def test_fleiss_from_the_krippendorff_library(raters: int, seed: int, units: int) -> None:
    """Each unit rated by as many of eight people, whoever they are: the others' ratings are missing."""
    rng = np.random.default_rng(seed)
    matrix = np.full((8, units), np.nan)
    for unit in range(units):
        matrix[rng.permutation(8)[:raters], unit] = rng.integers(0, 3, raters)
    assume(len(np.unique(matrix[~np.isnan(matrix)])) > 1)
    alpha = krippendorff.alpha(reliability_data=matrix, level_of_measurement="nominal")
    n = units * raters
    found = fleiss_kappa(from_reliability(matrix)).value
    assert found == pytest.approx(1 - (1 - alpha) * n / (n - 1), abs=1e-10)


@settings(max_examples=60, deadline=None)
@given(matrix=COMPLETE)
def test_conger_from_all_pairs_of_annotators(matrix: np.ndarray) -> None:
    tables = [
        confusion_matrix(one, other, labels=CODES) / len(one)
        for one, other in itertools.combinations(matrix.astype(int), 2)
    ]
    agreed = np.mean([np.trace(table) for table in tables])
    chance = np.mean([table.sum(axis=1) @ table.sum(axis=0) for table in tables])
    who, unit = np.indices(matrix.shape)
    found = conger_kappa(unit.ravel(), who.ravel(), matrix.ravel())
    if chance > 1 - 1e-12:
        assert found.reason == "all ratings fall in one category"
        return
    assert found.value == pytest.approx((agreed - chance) / (1 - chance), abs=1e-10)
