"""Every coefficient gives what was printed for the classic matrices."""

import numpy as np
import pytest

from annotation.agreement.cohen import cohen_kappa
from annotation.agreement.fleiss import UnequalRatersError, classic_fleiss, fleiss_kappa
from annotation.agreement.gwet import brennan_prediger, gwet_ac1
from annotation.agreement.krippendorff import Level, krippendorff_alpha
from annotation.agreement.percent import percent_agreement
from annotation.agreement.units import from_matrix
from tests.annotation.agreement import published
from tests.annotation.agreement.published import from_contingency, from_reliability


@pytest.mark.parametrize(
    ("level", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
)
def test_alpha_of_krippendorff_2011_section_e(level: Level, value: float) -> None:
    estimate = krippendorff_alpha(from_reliability(published.KRIPPENDORFF_2011_E), level)
    assert estimate.value == pytest.approx(value, abs=5e-4)
    assert (estimate.units, estimate.ratings, estimate.dropped_units) == (11, 40, 1)


@pytest.mark.parametrize(("level", "value"), [("nominal", 0.691), ("interval", 0.811)])
def test_alpha_of_the_wikipedia_example(level: Level, value: float) -> None:
    estimate = krippendorff_alpha(from_reliability(published.KRIPPENDORFF_WIKIPEDIA), level)
    assert estimate.value == pytest.approx(value, abs=5e-4)
    assert (estimate.units, estimate.ratings) == (12, 26)


def test_alpha_of_two_observers() -> None:
    binary = krippendorff_alpha(from_reliability(published.KRIPPENDORFF_2011_A))
    names = krippendorff_alpha(from_reliability(published.KRIPPENDORFF_2011_B))
    assert binary.value == pytest.approx(0.095, abs=5e-4)
    assert names.value == pytest.approx(0.692, abs=5e-4)


def test_classic_fleiss_of_1971() -> None:
    classic = classic_fleiss(from_matrix(published.FLEISS_1971))
    assert classic.kappa == pytest.approx(0.430, abs=5e-4)
    assert classic.per_category == pytest.approx((0.245, 0.245, 0.520, 0.471, 0.566), abs=5e-4)
    assert classic.kappa / classic.null_error == pytest.approx(17.65, abs=5e-3)


def test_fleiss_formula_is_exactly_the_classic_one_with_equal_raters() -> None:
    table = np.array(published.FLEISS_WIKIPEDIA, dtype=float)
    units, raters = len(table), table[0].sum()
    shares = table.sum(axis=0) / (units * raters)
    observed = ((table**2).sum() - units * raters) / (units * raters * (raters - 1))
    classic = (observed - (shares**2).sum()) / (1 - (shares**2).sum())
    assert fleiss_kappa(from_matrix(table)).value == pytest.approx(classic, abs=1e-14)
    assert classic == pytest.approx(0.210, abs=5e-4)


def test_unequal_raters_as_irrcac_has_them() -> None:
    counts = from_reliability(published.KRIPPENDORFF_2011_E)
    assert percent_agreement(counts).value == pytest.approx(0.8181818, abs=1e-7)
    assert fleiss_kappa(counts).value == pytest.approx(0.76117, abs=5e-6)
    assert gwet_ac1(counts).value == pytest.approx(0.77544, abs=5e-6)
    assert brennan_prediger(counts).value == pytest.approx(0.77273, abs=5e-6)
    with pytest.raises(UnequalRatersError, match="use fleiss_kappa"):
        classic_fleiss(counts)


def test_first_15_patients_as_irrcac_has_them() -> None:
    counts = from_matrix(published.FLEISS_1971[:15])
    assert fleiss_kappa(counts).value == pytest.approx(0.4139265, abs=1e-7)
    assert gwet_ac1(counts).value == pytest.approx(0.4448007, abs=1e-7)
    assert krippendorff_alpha(counts).value == pytest.approx(0.4204384, abs=1e-7)
    assert brennan_prediger(counts).value == pytest.approx(0.4388889, abs=1e-7)


def test_two_rater_table_of_irrcac() -> None:
    counts = from_contingency(published.ABSTRACTORS_3X3)
    assert fleiss_kappa(counts).value == pytest.approx(0.7962397, abs=1e-7)  # Scott's π
    assert gwet_ac1(counts).value == pytest.approx(0.8493305, abs=1e-7)
    assert krippendorff_alpha(counts).value == pytest.approx(0.7972585, abs=1e-7)
    assert cohen_kappa(published.ABSTRACTORS_3X3).value == pytest.approx(0.7964094, abs=1e-7)


def test_cohen_with_its_interval() -> None:
    kappa = cohen_kappa(published.COHEN_2X2)
    assert kappa.value == pytest.approx(0.4, abs=1e-12)
    assert kappa.standard_error == pytest.approx(0.127, abs=5e-4)
    assert (kappa.low, kappa.high) == pytest.approx((0.1511, 0.6489), abs=5e-5)
