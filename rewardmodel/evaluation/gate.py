"""Is a new model worse than the one in use? Both judged on the same held-out pairs.

For every bootstrap resample of the prompts both models are scored on the very same pairs, so what makes a
prompt hard cancels out of the difference (paired bootstrap: Efron and Tibshirani, "An Introduction to the
Bootstrap", 1993, ch. 16; for comparing systems: Koehn, EMNLP 2004).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rewardmodel.evaluation import clustered
from rewardmodel.evaluation.accuracy import TIE, A, decisions, hits
from rewardmodel.evaluation.calibration import resampled_error
from rewardmodel.evaluation.clustered import Interval

ENOUGH_PAIRS = 20  # with a winner; fewer cannot tell two models apart
ENOUGH_PROMPTS = 5
# A difference beyond chance may still be too small to matter: two models trained on nearly the same votes
# differ on a handful of pairs, and a paired interval sees that.
ACCURACY_SLACK = 0.005  # half a point
LIKELIHOOD_SLACK = 0.005  # nats per vote
CALIBRATION_SLACK = 0.01  # of expected calibration error: not to be seen in a reliability diagram


@dataclass(frozen=True)
class Side:
    """What one model says of m pairs it has not learned from."""

    d: np.ndarray  # (m,) reward differences A - B
    log_p: np.ndarray  # (m, 3) over (A, B, tie)


@dataclass(frozen=True)
class Comparison:
    """New minus old, each with its paired 95 % interval; None where it is undefined."""

    accuracy: Interval  # on pairs with a winner, in shares
    nll: Interval  # nats per vote, mean over pairs: below zero is better
    ece: Interval  # expected calibration error: below zero is better
    pairs: int
    decided: int
    prompts: int  # of the decided pairs

    @property
    def enough(self) -> bool:
        return self.decided >= ENOUGH_PAIRS and self.prompts >= ENOUGH_PROMPTS

    @property
    def less_accurate(self) -> bool:
        """The whole interval of the difference is below zero, and it matters."""
        return _beyond(self.accuracy, -1, ACCURACY_SLACK)

    @property
    def less_likely(self) -> bool:
        """The votes are less likely under the new model, likewise."""
        return _beyond(self.nll, 1, LIKELIHOOD_SLACK)

    @property
    def less_calibrated(self) -> bool:
        """The calibration error is larger, likewise."""
        return _beyond(self.ece, 1, CALIBRATION_SLACK)

    @property
    def worse(self) -> bool:
        return self.less_accurate or self.less_likely or self.less_calibrated


def _beyond(difference: Interval, sign: int, slack: float) -> bool:
    """The interval lies on that side of zero and the value is further from zero than `slack`."""
    if difference.value is None or difference.low is None or difference.high is None:
        return False
    return min(sign * difference.low, sign * difference.high) > 0 and sign * difference.value > slack


def compare(
    new: Side,
    old: Side,
    shares: np.ndarray,
    prompt: np.ndarray,
    *,
    resamples: int = 2000,
    rng: np.random.Generator,
) -> Comparison:
    """Both models on the same m pairs.

    shares: (m, 3) vote shares over (A, B, tie); prompt: (m,) any labels, equal within a prompt.
    """
    m = len(shares)
    numbered = np.unique(prompt, return_inverse=True)[1] if m else np.zeros(0, dtype=np.int64)
    prompts = int(numbered.max()) + 1 if m else 0
    decided = decisions(shares)
    winner = decided != 0
    if m == 0:
        nothing = Interval(None, None, None, 0)
        return Comparison(nothing, nothing, nothing, 0, 0, 0)
    draws = clustered.resamples(prompts, resamples, rng)
    right = hits(new.d, decided) - hits(old.d, decided)
    unlikely = (shares * (old.log_p - new.log_p)).sum(axis=1)
    return Comparison(
        accuracy=clustered.mean(right[winner], numbered[winner], draws),
        nll=clustered.mean(unlikely, numbered, draws),
        ece=_calibration_difference(new.log_p, old.log_p, shares, numbered, draws),
        pairs=m,
        decided=int(winner.sum()),
        prompts=len(np.unique(numbered[winner])),
    )


def _calibration_difference(
    new: np.ndarray, old: np.ndarray, shares: np.ndarray, prompt: np.ndarray, draws: np.ndarray
) -> Interval:
    seen = shares[:, A] + shares[:, TIE] / 2
    value, drawn = 0.0, np.zeros(len(draws))
    for sign, log_p in ((1, new), (-1, old)):
        p = np.exp(log_p)
        at_once, resampled = resampled_error(p[:, A] + p[:, TIE] / 2, seen, prompt, draws)
        value, drawn = value + sign * at_once, drawn + sign * resampled
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(value, float(low), float(high), len(shares))
