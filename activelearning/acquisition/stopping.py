"""When to stop asking: do the models still change, and does the measured accuracy still rise?

Two questions, and only if both are answered "no" is the advice to stop.

* **Stability** (Bloodgood and Vijay-Shanker 2009): Cohen's κ between the winners that successive models call
  on a fixed set of unlabelled pairs. κ ≥ .99 in three comparisons running, hence four models, is stable. It
  needs no labels, but a model may stand still because it is asked the wrong pairs: hence
* **the slope of the audit**: accuracy(m) = a − b m^(−c), b ≥ 0, a ≤ 1, 0.1 ≤ c ≤ 1.5 (Cortes et al. 1993;
  Viering and Loog 2022) or a + b log m, b ≥ 0, by least squares weighted with the standard errors; the one
  with the smaller χ² + 2·parameters (Akaike). Both are monotone. What `more` labels would bring, in
  percentage points, has its 95 % interval by a parametric bootstrap: noise of the standard errors on the
  fitted accuracies, form and parameters fitted anew. Where the points scatter more than their errors say
  (χ² over its degrees of freedom above 1) the errors are scaled up.

Accuracies of all rounds are measured on the same audit pairs, so a part of their errors is common to all and
moves no slope: `shared_error` is that part of the variance. At 0 the interval is too wide rather than too
narrow, and the advice to stop comes late rather than early.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from activelearning.acquisition.pool import Floats, Mask, PoolError
from annotation.agreement.cohen import cohen_kappa, contingency

EXPONENTS = np.linspace(0.1, 1.5, 29)
FEWEST_ROUNDS = 4
NOTHING = 0.01  # points: below it a price of a point is no figure

Reason = Literal["too_early", "changing", "rising", "unclear", "done"]


@dataclass(frozen=True)
class StopConfig:
    """kappa and rounds: what is stable. worthwhile: points per 1,000 labels. more: labels asked about.
    shared_error: see the module. draws: of the bootstrap.
    """

    kappa: float = 0.99
    rounds: int = 3
    worthwhile: float = 0.5
    more: int = 1000
    shared_error: float = 0.0
    draws: int = 500

    def __post_init__(self) -> None:
        if self.more < 1 or self.rounds < 1 or self.worthwhile <= 0 or self.draws < 1:
            raise PoolError("more, rounds, worthwhile and draws must be positive.")
        if not 0.0 <= self.shared_error < 1.0:
            raise PoolError(f"shared_error is {self.shared_error}; it is a share of the variance below 1.")


@dataclass(frozen=True)
class Stability:
    """kappas and agreements (shares of the pairs) of successive models, oldest first; κ is None where both
    call every pair alike. stable_rounds: comparisons at the end without one below the threshold.
    """

    kappas: tuple[float | None, ...]
    agreements: tuple[float, ...]
    stable_rounds: int
    pairs: int


@dataclass(frozen=True)
class Slope:
    """What `more` labels are expected to bring, points with the 95 % interval. form: "power" or "log"."""

    gain_points: float
    low: float
    high: float
    form: Literal["power", "log"]


@dataclass(frozen=True)
class Advice:
    """gain_points, low, high: percentage points that more_labels would bring, None when it is too early to
    tell; cost: of more_labels, None without a price. reason_key: "too_early", "changing" (no
    worthwhile gain, but the models are not stable), "rising" (the gain is expected to be worth while),
    "unclear" (it may be), "done". figures: sizes (different numbers of labels), models and pairs compared,
    agreement (the least of successive models), gain_per_thousand, cost_per_point, beyond (more_labels as a
    share of the labels there are: above 1 it is a far cry).
    """

    stop: bool
    more_labels: int
    gain_points: float | None
    low: float | None
    high: float | None
    cost: float | None
    stable_rounds: int
    reason_key: Reason
    figures: Mapping[str, float | None]


def stability(predictions: Sequence[Floats], kappa: float = 0.99) -> Stability:
    """predictions: one (U,) per model, oldest first; the sign is the winner that it calls, 0 an even call.

    Raises PoolError where the models were not asked about the same number of pairs.
    """
    calls = [np.sign(each).astype(np.int64) + 1 for each in predictions]
    sizes = {len(each) for each in calls}
    if len(sizes) > 1 or 0 in sizes:
        raise PoolError(f"Models were asked about {sorted(sizes)} pairs; ask all about the same pairs.")
    kappas, agreements = [], []
    for before, after in pairwise(calls):
        kappas.append(cohen_kappa(contingency(before, after, 3)).value)
        agreements.append(float((before == after).mean()))
    stable = 0
    for value in reversed(kappas):
        # Undefined only where both call one and the same side throughout: then nothing has changed.
        if value is not None and value < kappa:
            break
        stable += 1
    return Stability(tuple(kappas), tuple(agreements), stable, sizes.pop() if sizes else 0)


def audit_slope(
    labels: Floats, accuracy: Floats, standard_error: Floats, config: StopConfig, rng: np.random.Generator
) -> Slope:
    """labels: (S,) at each round, S ≥ 4; accuracy, standard_error: (S,) shares on the audit set."""
    m, y = np.asarray(labels, dtype=np.float64), np.asarray(accuracy, dtype=np.float64)
    # An accuracy of 0 or 1 has an estimated error of 0, which would count as certain.
    error = np.maximum(np.asarray(standard_error, dtype=np.float64), 1e-4)
    error = error * np.sqrt(1 - config.shared_error)
    now, then = float(m[-1]), float(m[-1]) + config.more
    gain, fitted, chi, power = _fit(m, y[None], error, now, then)
    freedom = max(len(m) - (3 if power[0] else 2), 1)
    error = error * max(1.0, float(np.sqrt(chi[0] / freedom)))
    drawn = fitted + rng.standard_normal((config.draws, len(m))) * error
    low, high = np.quantile(_fit(m, drawn, error, now, then)[0], [0.025, 0.975]) * 100
    form: Literal["power", "log"] = "power" if power[0] else "log"
    return Slope(float(gain[0]) * 100, float(low), float(high), form)


def advise(
    labels: Floats,
    accuracy: Floats,
    standard_error: Floats,
    predictions: Sequence[Floats],
    *,
    rng: np.random.Generator,
    cost_per_label: float | None = None,
    config: StopConfig | None = None,
) -> Advice:
    """labels, accuracy (shares), standard_error: (S,) of each round's model, oldest first; predictions: the
    calls of these models, or the later of them, on the fixed unlabelled pairs, see `stability`.
    """
    config = config or StopConfig()
    labels = np.asarray(labels, dtype=np.float64)
    _check(labels, accuracy, standard_error)
    same = stability(predictions, config.kappa)
    last = same.agreements[-config.rounds :]
    sizes = len(np.unique(labels))
    figures: dict[str, float | None] = {
        "sizes": sizes,
        "models": len(last) + 1 if last else len(predictions),
        "pairs": same.pairs,
        "agreement": min(last, default=None),
    }
    more, cost = config.more, None if cost_per_label is None else cost_per_label * config.more
    if sizes < FEWEST_ROUNDS:
        return Advice(False, more, None, None, None, cost, same.stable_rounds, "too_early", figures)
    slope = audit_slope(labels, accuracy, standard_error, config, rng)
    gain = slope.gain_points
    figures["gain_per_thousand"] = gain * 1000 / more
    figures["cost_per_point"] = None if cost is None or gain < NOTHING else cost / gain
    figures["beyond"] = more / float(labels[-1])
    reason = _reason(slope, same.stable_rounds >= config.rounds, config.worthwhile * more / 1000)
    return Advice(
        reason == "done", more, gain, slope.low, slope.high, cost, same.stable_rounds, reason, figures
    )


def _check(labels: Floats, accuracy: Floats, standard_error: Floats) -> None:
    if not len(labels) == len(accuracy) == len(standard_error):
        raise PoolError(
            f"{len(labels)} rounds but {len(accuracy)} accuracies and {len(standard_error)} errors; give one "
            "each."
        )
    if len(labels) and (labels[0] <= 0 or (np.diff(labels) < 0).any()):
        raise PoolError("The numbers of labels must be positive and not fall from round to round.")


def _reason(slope: Slope, stable: bool, enough: float) -> Reason:
    if slope.high < enough:
        return "done" if stable else "changing"
    return "rising" if slope.gain_points >= enough else "unclear"


def sentence(advice: Advice, currency: str = "$") -> str:
    """The advice in English."""
    figures = advice.figures
    if advice.gain_points is None or advice.low is None or advice.high is None:
        return (
            f"Too early to tell: accuracy was measured at {figures['sizes']:.0f} numbers of labels, "
            f"{FEWEST_ROUNDS} are needed."
        )
    if advice.stop:
        agreement = figures["agreement"] or 0.0
        return (
            f"The last {figures['models']:.0f} models, each compared with the one before, agree on at least "
            f"{agreement:.1%} of {figures['pairs']:,.0f} unlabelled pairs; more labels of this kind will "
            "hardly help."
        )
    price = "" if advice.cost is None else f" ≈ {currency}{advice.cost:,.0f}"
    words = (
        f"{advice.more_labels:,} more labels ≈ {advice.gain_points:+.1f} points "
        f"({advice.low:.1f} to {advice.high:.1f}){price}."
    )
    if advice.reason_key == "changing":
        words += " Accuracy hardly rises, but the models still change from round to round."
    return words


def _fit(
    m: Floats, rows: Floats, error: Floats, now: float, then: float
) -> tuple[Floats, Floats, Floats, Mask]:
    """Of each row (R, S) of accuracies: the gain from `now` to `then` labels (R,), the fitted accuracies
    (R, S), χ² (R,) and whether the power law was taken (R,).
    """
    weight = 1 / error**2
    best = np.full(len(rows), np.inf)
    gain, chi, power = np.zeros(len(rows)), np.zeros(len(rows)), np.zeros(len(rows), dtype=np.bool_)
    fitted = np.zeros(rows.shape)
    shapes = [(np.log(m), np.log(then), np.log(now), 2)]
    shapes += [(-(m**-c), -(then**-c), -(now**-c), 3) for c in EXPONENTS]
    for x, later, current, parameters in shapes:
        level, slope = _line(x, rows, weight, bounded=parameters == 3)
        line = level[:, None] + slope[:, None] * x
        squares = np.square(rows - line) @ weight
        better = squares + 2 * parameters < best - 1e-9
        best[better] = squares[better] + 2 * parameters
        chi[better], fitted[better], power[better] = squares[better], line[better], parameters == 3
        # No accuracy above 1; the power law keeps to it by its bound, the logarithm does not.
        rise = np.minimum(level + slope * later, 1.0) - np.minimum(level + slope * current, 1.0)
        gain[better] = np.maximum(rise, 0.0)[better]
    return gain, fitted, chi, power


def _line(x: Floats, rows: Floats, weight: Floats, *, bounded: bool) -> tuple[Floats, Floats]:
    """a and b ≥ 0 of rows ≈ a + b x by weighted least squares; bounded: a ≤ 1, the limit of the power law."""
    share = weight / weight.sum()
    middle = float(share @ x)
    off = x - middle
    slope = np.maximum(rows @ (share * off) / max(float(share @ off**2), 1e-300), 0.0)
    level = rows @ share - slope * middle
    if bounded:
        above = level > 1
        steep = np.maximum((rows - 1) @ (share * x) / float(share @ x**2), 0.0)
        slope, level = np.where(above, steep, slope), np.where(above, 1.0, level)
    return np.asarray(level), np.asarray(slope)
