"""Cohen's κ: who did not rate, where it is undefined, and whether its error is one."""

import numpy as np
import pytest

from annotation.agreement.cohen import cohen_kappa, contingency
from annotation.agreement.units import UnusableRatingsError


def test_table_counts_only_units_both_rated() -> None:
    table = contingency([0, 1, 1, -1, 2], [0, 1, 0, 1, -1], 3)
    assert table.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]


def test_swapping_the_raters_changes_nothing() -> None:
    table = np.array([[13, 2, 1], [4, 20, 7], [0, 4, 56]])
    assert cohen_kappa(table).value == pytest.approx(cohen_kappa(table.T).value, abs=1e-14)
    assert cohen_kappa(table).standard_error == pytest.approx(cohen_kappa(table.T).standard_error, abs=1e-14)


def test_standard_error_is_the_spread_of_repeated_samples() -> None:
    share = np.array([[0.3, 0.08, 0.02], [0.05, 0.25, 0.03], [0.02, 0.05, 0.2]])
    samples = np.random.default_rng(0).multinomial(400, share.ravel(), size=3000).reshape(-1, 3, 3)
    values = [cohen_kappa(sample).value for sample in samples]
    assert cohen_kappa(share * 400).standard_error == pytest.approx(np.std(values), rel=0.05)


def test_undefined_and_unusable_tables() -> None:
    assert cohen_kappa([[0, 0], [0, 0]]).reason == "the two raters share no unit"
    assert cohen_kappa([[5, 0], [0, 0]]).reason == "all ratings fall in one category"
    assert cohen_kappa([[0, 5], [0, 0]]).value == 0.0
    with pytest.raises(UnusableRatingsError, match="square"):
        cohen_kappa([[1, 2]])
    with pytest.raises(UnusableRatingsError, match="below 2, found 3"):
        contingency([0, 3], [1, 1], 2)
    with pytest.raises(UnusableRatingsError, match="of one length"):
        contingency([0], [1, 1], 2)
