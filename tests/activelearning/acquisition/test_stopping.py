from __future__ import annotations

import numpy as np
import pytest

from activelearning.acquisition.pool import PoolError
from activelearning.acquisition.stopping import (
    Advice,
    StopConfig,
    advise,
    audit_slope,
    sentence,
    stability,
)

LABELS = np.array([250.0, 500, 750, 1000, 1250, 1500, 1750, 2000])
PLAIN = StopConfig()


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def power(m: np.ndarray | float, a: float = 0.82, b: float = 1.6, c: float = 0.5) -> np.ndarray:
    return np.asarray(a - b * np.asarray(m, dtype=float) ** -c)


def calls(*changed: int, pairs: int = 1000) -> list[np.ndarray]:
    """Predictions of successive models, each of which turns so many calls of the one before."""
    found = [rng(1).standard_normal(pairs)]
    for i, number in enumerate(changed):
        after = found[-1] * 1.1
        after[rng(i).choice(pairs, number, replace=False)] *= -1
        found.append(after)
    return found


def advice(
    accuracy: np.ndarray, predictions: list[np.ndarray], *, error: float = 0.004, **fields: object
) -> Advice:
    n = len(accuracy)
    return advise(LABELS[:n], accuracy, np.full(n, error), predictions, rng=rng(), **fields)  # type: ignore[arg-type]


def test_stability_counts_the_last_comparisons_without_a_change() -> None:
    found = stability(calls(0, 100, 2, 3, 0))
    assert found.agreements == pytest.approx((1.0, 0.9, 0.998, 0.997, 1.0))
    assert found.stable_rounds == 3
    assert found.pairs == 1000
    assert found.kappas[1] == pytest.approx(0.8, abs=0.02)  # two even sides: κ = 2·0.9 − 1
    assert stability(calls(2, 3, 0, 100)).stable_rounds == 0


def test_kappa_is_stricter_than_agreement_where_one_side_nearly_always_wins() -> None:
    before = np.ones(1000)
    before[:20] = -1
    after = before.copy()
    after[:8] = 1
    assert stability([before, after]).agreements == (0.992,)
    assert stability([before, after]).stable_rounds == 0
    same = stability([np.ones(10), np.ones(10)])
    assert same.kappas == (None,)
    assert same.stable_rounds == 1


def test_models_asked_about_other_pairs_are_refused() -> None:
    with pytest.raises(PoolError, match="same pairs"):
        stability([np.ones(3), np.ones(4)])
    with pytest.raises(PoolError, match="same pairs"):
        stability([np.ones(0)])
    assert stability([]).stable_rounds == 0


@pytest.mark.parametrize("c", [0.3, 0.5, 1.0])
def test_slope_recovers_the_power_law_it_was_given(c: float) -> None:
    b = {0.3: 0.5, 0.5: 1.6, 1.0: 40.0}[c]
    found = audit_slope(LABELS, power(LABELS, b=b, c=c), np.full(8, 1e-4), PLAIN, rng())
    expected = 100 * float(power(3000.0, b=b, c=c) - power(2000.0, b=b, c=c))
    assert found.form == "power"
    assert found.gain_points == pytest.approx(expected, rel=0.02)
    assert found.low <= expected <= found.high


def test_slope_recovers_a_logarithm() -> None:
    found = audit_slope(LABELS, 0.4 + 0.04 * np.log(LABELS), np.full(8, 1e-4), PLAIN, rng())
    assert found.form == "log"
    assert found.gain_points == pytest.approx(4 * np.log(1.5), rel=1e-6)


def test_slope_never_falls_nor_passes_one() -> None:
    falling = audit_slope(LABELS, 0.8 - 0.00002 * LABELS, np.full(8, 0.001), PLAIN, rng())
    assert falling.gain_points == 0.0
    assert falling.low == 0.0
    nearly = audit_slope(LABELS, 0.5 + 0.065 * np.log(LABELS), np.full(8, 0.01), PLAIN, rng())
    assert nearly.gain_points + 100 * (0.5 + 0.065 * np.log(2000)) <= 100 + 1e-6


def test_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    truth, held = 100 * float(power(3000.0) - power(2000.0)), 0
    for seed in range(100):
        draw = rng(seed)
        accuracy = power(LABELS) + 0.006 * draw.standard_normal(8)
        config = StopConfig(draws=200)
        found = audit_slope(LABELS, accuracy, np.full(8, 0.006), config, draw)
        held += found.low <= truth <= found.high
    assert 86 <= held <= 100


def test_noise_common_to_all_rounds_narrows_the_interval() -> None:
    accuracy = power(LABELS) + 0.003 * rng(3).standard_normal(8)

    def width(shared: float) -> float:
        config = StopConfig(shared_error=shared)
        found = audit_slope(LABELS, accuracy, np.full(8, 0.01), config, rng())
        return found.high - found.low

    assert width(0.8) < 0.75 * width(0.0)


def test_scatter_beyond_the_errors_widens_the_interval() -> None:
    wild = power(LABELS) + 0.02 * np.array([1, -1, 1, -1, 1, -1, 1, -1])
    calm = audit_slope(LABELS, power(LABELS), np.full(8, 0.002), PLAIN, rng())
    found = audit_slope(LABELS, wild, np.full(8, 0.002), PLAIN, rng())
    assert found.high - found.low > 2 * (calm.high - calm.low)


def test_precise_rounds_weigh_more() -> None:
    accuracy = power(LABELS)
    accuracy[-1] += 0.05
    error = np.full(8, 0.001)
    loose = error.copy()
    loose[-1] = 0.5
    expected = 100 * float(power(3000.0) - power(2000.0))
    assert audit_slope(LABELS, accuracy, loose, PLAIN, rng()).gain_points == pytest.approx(expected, rel=0.05)
    assert audit_slope(LABELS, accuracy, error, PLAIN, rng()).gain_points > 1.5 * expected


def test_rising_accuracy_is_told_with_its_price() -> None:
    found = advice(power(LABELS, b=2.5), calls(2, 2, 2), error=0.002, cost_per_label=0.4)
    assert (found.stop, found.reason_key) == (False, "rising")
    assert found.gain_points == pytest.approx(
        100 * float(power(3000.0, b=2.5) - power(2000.0, b=2.5)), rel=0.05
    )
    assert found.cost == pytest.approx(400.0)
    assert found.figures["cost_per_point"] == pytest.approx(400.0 / found.gain_points)  # type: ignore[operator]
    assert found.figures["beyond"] == 0.5
    told = f"{found.gain_points:+.1f} points ({found.low:.1f} to {found.high:.1f})"
    assert sentence(found) == f"1,000 more labels ≈ {told} ≈ $400."
    assert sentence(found, "€").endswith("≈ €400.")


def test_stops_where_models_are_stable_and_accuracy_is_level() -> None:
    found = advice(np.full(8, 0.78), calls(100, 4, 2, 3), error=0.002)
    assert (found.stop, found.reason_key, found.stable_rounds) == (True, "done", 3)
    assert found.cost is None
    assert sentence(found) == (
        "The last 4 models, each compared with the one before, agree on at least 99.6% of 1,000 unlabelled "
        "pairs; more labels of this kind will hardly help."
    )


def test_does_not_stop_while_models_change_or_much_is_possible() -> None:
    changing = advice(np.full(8, 0.78), calls(2, 100, 2), error=0.002)
    assert (changing.stop, changing.reason_key) == (False, "changing")
    assert "still change" in sentence(changing)
    unclear = advice(np.full(8, 0.78), calls(2, 2, 2), error=0.05)
    assert (unclear.stop, unclear.reason_key) == (False, "unclear")
    assert unclear.high > 0.5  # type: ignore[operator]
    demanding = advice(np.full(8, 0.78), calls(2, 2, 2), error=0.05, config=StopConfig(worthwhile=50.0))
    assert demanding.stop
    short = advice(np.full(8, 0.78), calls(2, 2), error=0.002)
    assert (short.stop, short.stable_rounds) == (False, 2)


def test_what_is_worthwhile_is_per_thousand_labels() -> None:
    accuracy = power(LABELS, b=1.6)
    half = advice(accuracy, calls(2, 2, 2), error=1e-4, config=StopConfig(more=500, worthwhile=0.5))
    assert half.gain_points is not None
    assert half.figures["gain_per_thousand"] == pytest.approx(2 * half.gain_points)
    assert half.reason_key == "rising"
    above = StopConfig(more=500, worthwhile=2.2 * half.gain_points)
    assert advice(accuracy, calls(2, 2, 2), error=1e-4, config=above).stop


def test_too_early_to_tell() -> None:
    found = advice(power(LABELS[:3]), calls(0, 0), cost_per_label=0.5)
    assert (found.stop, found.reason_key) == (False, "too_early")
    assert found.gain_points is found.low is found.high is None
    assert sentence(found) == (
        "Too early to tell: accuracy was measured at 3 numbers of labels, 4 are needed."
    )
    again = advise(np.full(6, 500.0), np.full(6, 0.7), np.full(6, 0.01), calls(0, 0, 0), rng=rng())
    assert again.reason_key == "too_early"  # six rounds, but no new labels in them
    none = advise(np.zeros(0), np.zeros(0), np.zeros(0), [], rng=rng())
    assert none.reason_key == "too_early"


def test_columns_must_agree() -> None:
    with pytest.raises(PoolError, match="give one"):
        advise(LABELS, np.zeros(3), np.zeros(3), [], rng=rng())
    with pytest.raises(PoolError, match="not fall"):
        advise(LABELS[::-1], np.zeros(8), np.zeros(8), [], rng=rng())
    with pytest.raises(PoolError, match="shared_error"):
        StopConfig(shared_error=1.0)
