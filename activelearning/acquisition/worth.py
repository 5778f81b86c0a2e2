"""Is it worth it? Accuracy of a model from actively chosen labels minus that of one from random labels.

Both arms give equally many labels, m = min(m_active, m_random). From the longer arm R subsamples of m are
drawn, one label out of each of m equal blocks in the order of labelling, so that early and late choices are
there alike; each is fitted (`fit_posterior`) and measured on the same audit pairs, where an exactly even
prediction is half right. The gain is the mean over subsamples of accuracy(active) − accuracy(random), paired
by audit pair; so is that of the loss (nats a vote).

The interval (95 %) joins two variances: of the audit, by resampling its prompts with the models held fixed
(Cameron, Gelbach and Miller 2008; few prompts are resampled too much alike, so the resamples are spread by
√(P/(P − 1)) and by how much wider Student's t with P − 1 degrees of freedom is than the normal), and of the
training labels, by the delete-half jackknife: R half samples (one label of every two neighbours, among m) of
an arm of M labels have accuracies of variance V, and then, with f = m/M, the mean over subsamples has about
V f/(2 − f): V itself where m = M (Shao and Wu 1989 for d = m/2; accuracy counted as a smooth statistic).

A thinned arm has lost some of what its pairs were chosen for, to complement each other: where the active arm
is much longer the estimate errs against it.

How often `should_fall_back` says yes, in 200 simulated projects of 10 rounds of 40 labels an arm with 400
audit pairs (python -m benchmarks.active.falling_back): after a round from the third, after the tenth,
ever; and the gain after the tenth in points, mean and standard deviation over projects:

    equal to random   28 %    31 %    57 %      +.2   1.6
    good              10 %    19 %    29 %      +.9   1.5
    harmful           99 %   100 %   100 %    −15.7   6.2

Rounds share their labels and the audit set: three in a row are far from three independent tests, so the rule
is quick rather than sure. An equal strategy loses nothing by falling back; a good one is taken up again by
`should_return`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy.special import log_expit, ndtri, stdtrit

from activelearning.acquisition.pool import Floats, Ids, PoolError, Positions, as_ids
from activelearning.acquisition.posterior import fit_posterior
from rewardmodel.evaluation import clustered
from rewardmodel.evaluation.accuracy import decisions, hits

FEWEST_DECIDED = 30
FEWEST_LABELS = 20
FEWEST_PROMPTS = 5
SIZES = 4  # points of the learning curve

Missing = Literal["audit", "prompts", "active", "random"]


@dataclass(frozen=True, eq=False)
class Arm:
    """Labels of one arm in the order in which they came. x: (m, q) differences z(a) − z(b); shares: (m, 3) of
    (a, tie, b); votes: (m,). item: (m,) of which item each pair is one, those of an item side by side: they
    are one label, taken or left together. None: each pair is a label.
    """

    x: Floats
    shares: Floats
    votes: Floats
    item: Positions | None = None

    def __post_init__(self) -> None:
        _check(self.x, self.shares, self.votes)

    def __len__(self) -> int:
        """How many labels."""
        return len(self._starts)

    def rows(self, labels: Positions) -> Positions:
        """The pairs of these labels."""
        ends = np.append(self._starts, len(self.votes))
        spans = [np.arange(ends[one], ends[one + 1]) for one in labels]
        return np.concatenate([np.zeros(0, dtype=np.int64), *spans])

    @cached_property
    def _starts(self) -> Positions:
        if self.item is None or not len(self.item):
            return np.arange(len(self.votes))
        return np.flatnonzero(np.append(True, self.item[1:] != self.item[:-1])).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Audit:
    """Pairs drawn at random and kept from both arms; as `Arm`, with the prompt of each, (T,)."""

    x: Floats
    shares: Floats
    votes: Floats
    prompts: Ids

    def __post_init__(self) -> None:
        _check(self.x, self.shares, self.votes)
        object.__setattr__(self, "prompts", as_ids(self.prompts))
        if len(self.prompts) != len(self.votes):
            raise PoolError(f"{len(self.votes)} audit pairs but {len(self.prompts)} prompts; give one each.")


@dataclass(frozen=True)
class WorthConfig:
    """repeats: R subsamples, and R half samples; draws: bootstrap resamples of the prompts."""

    repeats: int = 20
    draws: int = 1000


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class CurvePoint:
    """labels: of each arm. Accuracies as shares; gain: active − random, paired."""

    labels: int
    active: Estimate
    random: Estimate
    gain: Estimate


@dataclass(frozen=True)
class Worth:
    """gain, low, high: accuracy(active) − accuracy(random) at m labels each, as a share; loss_gain: by how
    many nats a vote the active arm's loss is lower. None where there is too little; `missing` says of what
    and `reason` how much. n_audit: audit pairs with a winner; ties: those without; prompts: of the decided.
    """

    gain: float | None
    low: float | None
    high: float | None
    loss_gain: Estimate | None
    m: int
    n_audit: int
    ties: int
    prompts: int
    curve: tuple[CurvePoint, ...] = ()
    missing: Missing | None = None
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class _Fitted:
    """Of one arm at one size: right (T,) and loss (T,) nats, means over subsamples; variances that the
    training labels cause in their means over the audit.
    """

    right: Floats
    loss: Floats
    right_variance: float
    loss_variance: float


def worth(
    active: Arm,
    random: Arm,
    audit: Audit,
    *,
    prior_precision: float,
    rng: np.random.Generator,
    config: WorthConfig | None = None,
) -> Worth:
    """Active minus random at equally many labels, with a learning curve of both."""
    config = config or WorthConfig()
    decided = decisions(audit.shares[:, [0, 2, 1]])
    winner = decided != 0
    names, prompt = np.unique(audit.prompts, return_inverse=True)
    prompts = len(np.unique(prompt[winner]))
    m, n_audit = min(len(active), len(random)), int(winner.sum())
    ties = len(decided) - n_audit
    missing = _missing(n_audit, prompts, len(active), len(random))
    if missing:
        return Worth(None, None, None, None, m, n_audit, ties, prompts, (), *missing)
    draws = clustered.resamples(len(names), config.draws, rng)
    curve = []
    for size in sorted({max(FEWEST_LABELS, m * part // SIZES) for part in range(1, SIZES + 1)}):
        one, other = (
            _fit(arm, size, audit, decided, prior_precision, rng, config.repeats) for arm in (active, random)
        )
        summary = _Summary(prompt, winner.astype(np.float64), draws, rng)
        curve.append(
            CurvePoint(
                size,
                summary.of(one.right, one.right_variance),
                summary.of(other.right, other.right_variance),
                summary.of(one.right - other.right, one.right_variance + other.right_variance),
            )
        )
    by_vote = _Summary(prompt, np.asarray(audit.votes, dtype=np.float64), draws, rng)
    lower = by_vote.of(other.loss - one.loss, one.loss_variance + other.loss_variance)
    gain = curve[-1].gain
    return Worth(gain.value, gain.low, gain.high, lower, m, n_audit, ties, prompts, tuple(curve))


def should_fall_back(history: Sequence[Worth], rounds: int = 3) -> bool:
    """Whether active minus random was not positive in each of the last `rounds` rounds with enough data.

    history: oldest first; rounds without an estimate do not count.
    """
    gains = [each.gain for each in history if each.gain is not None][-rounds:]
    return len(gains) == rounds and all(gain <= 0 for gain in gains)


def should_return(history: Sequence[Worth]) -> bool:
    """Whether to choose actively again: the last interval is above 0, or the last two gains are.

    history: of the rounds since the fall-back, oldest first; a small active share must go on in them, else
    there is nothing new to tell. Asking for more than one lucky round keeps the loop from going to and fro.
    """
    known = [each for each in history if each.gain is not None]
    if not known:
        return False
    certain = known[-1].low is not None and known[-1].low > 0
    return certain or (len(known) > 1 and all((each.gain or 0) > 0 for each in known[-2:]))


def thinned(total: int, size: int, rng: np.random.Generator) -> Positions:
    """One position out of each of `size` equal consecutive blocks of 0 … total − 1, (size,), increasing."""
    edges = np.arange(size + 1) * total // size
    return np.asarray(rng.integers(edges[:-1], edges[1:]), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class _Summary:
    """Weighted means over the audit pairs, their interval from resampled prompts and a training variance."""

    prompt: Positions
    weight: Floats
    draws: Floats
    rng: np.random.Generator

    def of(self, values: Floats, variance: float) -> Estimate:
        prompts = self.draws.shape[1]
        total = self.draws @ clustered.sums_by_prompt(values * self.weight, self.prompt, prompts)
        count = self.draws @ clustered.sums_by_prompt(self.weight, self.prompt, prompts)
        means = total[count > 0] / count[count > 0]
        measured = len(np.unique(self.prompt[self.weight > 0]))
        means = means.mean() + few_prompts(measured) * (means - means.mean())
        means = means + self.rng.normal(scale=np.sqrt(variance), size=len(means))
        low, high = np.quantile(means, [0.025, 0.975])
        return Estimate(float(np.average(values, weights=self.weight)), float(low), float(high))


def few_prompts(prompts: int) -> float:
    """By how much an interval from so few prompts must be wider than their spread says: 1.6 for five, 1.02
    for a hundred.
    """
    freedom = max(prompts - 1, 1)
    return float(np.sqrt(1 + 1 / freedom) * stdtrit(freedom, 0.975) / ndtri(0.975))


def _fit(
    arm: Arm,
    size: int,
    audit: Audit,
    decided: Positions,
    prior_precision: float,
    rng: np.random.Generator,
    repeats: int,
) -> _Fitted:
    target = _for_a(audit.shares)

    def measure(labels: Positions) -> tuple[Floats, Floats]:
        rows = arm.rows(labels)
        share = _for_a(arm.shares[rows])
        theta = fit_posterior(arm.x[rows], share, arm.votes[rows], prior_precision=prior_precision).mean
        mean = audit.x @ theta
        return hits(mean, decided), -(target * log_expit(mean) + (1 - target) * log_expit(-mean))

    # An arm of just this size has a single subsample: itself.
    times = repeats if size < len(arm) else 1
    right, loss = (
        np.mean(each, axis=0)
        for each in zip(*(measure(thinned(len(arm), size, rng)) for _ in range(times)), strict=True)
    )
    winner = decided != 0
    halves = [measure(thinned(len(arm), size // 2, rng)) for _ in range(repeats)]
    part = size / len(arm)
    factor = part / (2 - part)
    return _Fitted(
        right,
        loss,
        factor * float(np.var([each[winner].mean() for each, _ in halves], ddof=1)),
        factor * float(np.var([np.average(each, weights=audit.votes) for _, each in halves], ddof=1)),
    )


def _missing(n_audit: int, prompts: int, active: int, random: int) -> tuple[Missing, str] | None:
    if n_audit < FEWEST_DECIDED:
        return "audit", f"{n_audit} audit pairs have a winner; {FEWEST_DECIDED} are needed."
    if prompts < FEWEST_PROMPTS:
        return "prompts", f"The audit pairs are from {prompts} prompts; {FEWEST_PROMPTS} are needed."
    if active < FEWEST_LABELS:
        return "active", f"{active} pairs were chosen actively and labelled; {FEWEST_LABELS} are needed."
    if random < FEWEST_LABELS:
        return "random", f"{random} pairs were drawn at random and labelled; {FEWEST_LABELS} are needed."
    return None


def _for_a(shares: Floats) -> Floats:
    return np.asarray(shares[:, 0] + shares[:, 1] / 2)


def _check(x: Floats, shares: Floats, votes: Floats) -> None:
    if x.ndim != 2 or len(x) != len(votes) or shares.shape != (len(votes), 3):
        raise PoolError(
            f"x {x.shape}, shares {shares.shape} and votes {votes.shape}; expected (m, q), (m, 3) and (m,)."
        )
