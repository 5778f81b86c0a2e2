"""A fall of agreement is told from chance: few false alarms, a clear fall found, and when it says nothing."""

import numpy as np
import pytest

from annotation.aggregation.wilson import wilson
from annotation.agreement.drift import FEWEST_UNITS, drift
from annotation.agreement.krippendorff import krippendorff_alpha
from annotation.agreement.units import UnitCounts, from_matrix


def window(units: int, skill: float, rng: np.random.Generator, votes: int = 3) -> UnitCounts:
    """Votes on pairs: the truth with probability `skill`, else one of a, tie, b at random."""
    truth = rng.integers(0, 3, (units, 1))
    given = np.where(rng.random((units, votes)) < skill, truth, rng.integers(0, 3, (units, votes)))
    return from_matrix((given[:, :, None] == np.arange(3)).sum(axis=1), categories=(1.0, 2.0, 3.0))


def alarms(worlds: int, units: int, before: float, after: float, seed: int) -> int:
    rng = np.random.default_rng(seed)
    return sum(
        drift(window(units, before, rng), window(units, after, rng), rng=rng, draws=300).fallen
        for _ in range(worlds)
    )


@pytest.mark.slow
@pytest.mark.parametrize(("units", "seed"), [(30, 1), (60, 2), (300, 3)])
def test_without_a_fall_the_alarm_is_seldom(units: int, seed: int) -> None:
    """At most 5 % in 400 comparisons of equal windows, and with its interval below 7.5 %."""
    raised = alarms(400, units, 0.6, 0.6, seed)
    low, high = wilson(raised, 400)
    assert raised / 400 <= 0.05, (raised, low, high)
    assert high <= 0.075


@pytest.mark.slow
def test_a_clear_fall_is_found() -> None:
    """From α ≈ .56 to ≈ .16 over 150 units: found in at least 95 % of 200 worlds."""
    found = alarms(200, 150, 0.75, 0.4, seed=4)
    assert found >= 190


@pytest.mark.slow
def test_a_rise_is_no_fall_and_a_small_fall_does_not_matter() -> None:
    assert alarms(40, 200, 0.4, 0.8, seed=5) == 0
    rng = np.random.default_rng(6)
    small = drift(window(40_000, 0.62, rng), window(40_000, 0.6, rng), rng=rng, draws=300)
    assert small.high is not None
    assert small.high < 0, "beyond chance"
    assert not small.fallen, "but no more than .1"


def test_the_difference_is_that_of_the_two_alphas_and_inside_its_interval() -> None:
    rng = np.random.default_rng(7)
    earlier, later = window(100, 0.8, rng), window(120, 0.5, rng)
    found = drift(earlier, later, rng=rng)
    assert found.before == pytest.approx(krippendorff_alpha(earlier, "ordinal").value, abs=1e-12)
    assert found.now == pytest.approx(krippendorff_alpha(later, "ordinal").value, abs=1e-12)
    assert found.difference == pytest.approx(found.now - found.before)
    assert found.low < found.difference < found.high
    assert found.units == (100, 120)
    assert found.fallen


@pytest.mark.slow
def test_the_interval_covers_the_true_difference() -> None:
    """α of votes right with skill s and else at random over three values is s² at the nominal level."""
    rng, inside, worlds = np.random.default_rng(8), 0, 300
    for _ in range(worlds):
        found = drift(window(80, 0.7, rng), window(80, 0.5, rng), rng=rng, level="nominal", draws=300)
        inside += found.low <= 0.5**2 - 0.7**2 <= found.high
    assert 0.90 <= inside / worlds <= 0.985


def test_too_few_units_or_only_one_answer_say_nothing() -> None:
    rng = np.random.default_rng(9)
    few = drift(window(FEWEST_UNITS - 1, 1.0, rng), window(500, 0.0, rng), rng=rng)
    assert (few.fallen, few.difference) == (False, None)
    assert few.reason == "29 units with two ratings in a window; it takes 30"
    same = from_matrix([[3, 0, 0]] * 50, categories=(1.0, 2.0, 3.0))
    silent = drift(window(50, 0.9, rng), same, rng=rng)
    assert (silent.fallen, silent.reason) == (False, "all ratings fall in one category")
