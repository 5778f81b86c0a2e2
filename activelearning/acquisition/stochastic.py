"""Drawing a batch by score instead of taking the top: power and softmax sampling, with known chances.

The best M by score are often M times the same thing, and their scores change with every label. Kirsch et al.
(TMLR 2023) draw without replacement with a chance ∝ w:

* power: w = s^β, for scores s ≥ 0 that mean something at 0 (BALD);
* softmax: w = exp(β s).

Adding Gumbel noise to log w and taking the top is the same draw (Gumbel 1954, Yellott 1977). Because the
chance q of every draw is known, what is measured on the batch can be put right for how it was chosen: with
the weights of Farquhar, Gal & Rainforth (ICLR 2021, LURE)

    v_m = 1 + (N − M)/(N − m) · (1/((N − m + 1) q_m) − 1),    m = 1…M,

(1/M) Σ v_m f(x_m) is without bias for the mean of f over the N candidates.
"""

from __future__ import annotations

import numpy as np

from activelearning.acquisition.picking import draw, open_rows
from activelearning.acquisition.pool import Floats, Mask, Positions

SMALLEST_SCORE = 1e-6  # of the largest: a chance of 0 could never be put right by a weight


class WeightError(ValueError):
    """Scores, weights or chances from which no draw can be made or put right."""


def power_weights(scores: Floats, beta: float) -> Floats:
    """log w = β log s, (N,), of scores (N,) ≥ 0, each taken as at least a millionth of the largest.

    All 0, or β = 0, is uniform. Raises WeightError for a negative score or β.
    """
    scores = _checked(scores, beta)
    if len(scores) and scores.min() < 0:
        raise WeightError(f"A score is {scores.min()}; powers need scores of at least 0, or use softmax.")
    top = float(scores.max(initial=0.0))
    if top == 0:
        return np.zeros(len(scores))
    return beta * np.log(np.maximum(scores, SMALLEST_SCORE * top))


def softmax_weights(scores: Floats, beta: float) -> Floats:
    """log w = β s, (N,). Raises WeightError for a negative β."""
    return beta * _checked(scores, beta)


def gumbel_top_k(log_weight: Floats, n: int, rng: np.random.Generator) -> tuple[Positions, Floats]:
    """n draws without replacement with a chance ∝ weight, in order, and the chance of each at its turn.

    log_weight: (N,), −∞ for what may not be drawn. chances[m] = w_m/Σ w of what was left before draw m.
    Gives fewer than n where fewer may be drawn; raises WeightError for NaN or +∞.
    """
    log_weight = np.asarray(log_weight, dtype=np.float64)
    if np.isnan(log_weight).any() or np.isposinf(log_weight).any():
        raise WeightError("A log weight is NaN or infinite; give finite ones, or −∞ for never.")
    rows = np.flatnonzero(np.isfinite(log_weight))
    n = max(0, min(n, len(rows)))
    order = rows[np.argsort(-(log_weight[rows] + rng.gumbel(size=len(rows))), kind="stable")]
    # Σ over what was left, summed from the last to the first: a difference of sums would cancel.
    left = np.logaddexp.accumulate(log_weight[order][::-1])[::-1]
    return order[:n], np.exp(log_weight[order[:n]] - left[:n])


def lure_weights(chances: Floats, candidates: int) -> Floats:
    """v (M,) from the chances q (M,), in the order of the draws, among N candidates to begin with.

    Valid where each draw could take any candidate that was left, and none before was left out for another
    reason. Raises WeightError for chances outside (0, 1] or more draws than candidates.
    """
    q = np.asarray(chances, dtype=np.float64)
    drawn = len(q)
    if drawn > candidates:
        raise WeightError(f"{drawn} draws from {candidates} candidates; each can be drawn once.")
    if drawn and not ((q > 0).all() and (q <= 1 + 1e-9).all()):
        raise WeightError("A chance lies outside (0, 1]; give the chance of every draw at its turn.")
    m = np.arange(1, drawn + 1)
    part = (candidates - drawn) / np.maximum(candidates - m, 1)
    return np.asarray(1 + part * (1 / ((candidates - m + 1) * q) - 1))


class Weighted:
    """Draws with a chance ∝ exp(log_weight), (N,). last_chance: of the last draw among what was open."""

    def __init__(self, log_weight: Floats, rng: np.random.Generator) -> None:
        self._log_weight = np.array(log_weight, dtype=np.float64)
        self._rng = rng
        self.last_chance = 0.0

    def next(self, open: Mask) -> int:
        """Draws anew at each call."""
        top = float(self._log_weight[open_rows(open)].max())
        if not np.isfinite(top):
            raise WeightError(
                f"The largest open log weight is {top}; give a finite one to at least one open candidate."
            )
        weight = np.exp(np.where(open, self._log_weight - top, -np.inf))
        index, self.last_chance = draw(weight, open, self._rng)
        return index

    def observe(self, index: int) -> None:
        """Nothing changes: weights are fixed, and who picks closes the candidate."""


class Power(Weighted):
    """Chance ∝ s^β; β = 1 follows the scores, a large β takes the top."""

    def __init__(self, scores: Floats, beta: float, rng: np.random.Generator) -> None:
        super().__init__(power_weights(scores, beta), rng)


class Softmax(Weighted):
    """Chance ∝ exp(β s)."""

    def __init__(self, scores: Floats, beta: float, rng: np.random.Generator) -> None:
        super().__init__(softmax_weights(scores, beta), rng)


def _checked(scores: Floats, beta: float) -> Floats:
    scores = np.asarray(scores, dtype=np.float64)
    if not (np.isfinite(beta) and beta >= 0):
        raise WeightError(f"β is {beta}; it must be a finite number of at least 0.")
    if not np.isfinite(scores).all():
        raise WeightError("A score is NaN or infinite; leave the candidate out.")
    return scores
