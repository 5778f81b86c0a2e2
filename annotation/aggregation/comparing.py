"""Which way of turning votes into labels fits a project: the one that foresees votes it has not seen.

Votes are dealt into folds; each method learns from all folds but one and gives, for every vote of that one,
the chances of what its annotator says of its pair. The score is the mean of the log chance of what they did
say, in nats: higher is better, 0 is perfect. Differences to vote shares come with an interval from a
bootstrap of whole pairs, because the votes on one pair are no independent evidence.

Shares foresee a vote by the shares of the others on the pair, drawn towards the shares of the project by `s`
votes; s maximises the likelihood of the training votes (a Dirichlet-multinomial), so that shares compete at
their best.

Sources: A. Gelman, J. Hwang, A. Vehtari (2014), Understanding predictive information criteria for Bayesian
models, Statistics and Computing 24; T. Minka (2000), Estimating a Dirichlet distribution.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma

from annotation.aggregation import competence as knowing
from annotation.aggregation import dawid_skene as confusing
from annotation.aggregation.shares import FloatArray, UnusableVotesError
from annotation.aggregation.votes import BoolArray, Votes

FOLDS = 5
SMALLEST = 1e-12  # of a chance: what was thought impossible and happened costs 28 nats
BLOCK = 4_000_000  # cells of one block of resampled pairs
MOST_GROUPS = 20_000  # of pairs that are drawn

Foresee = Callable[[Votes, Votes], FloatArray]
"""(votes to learn from, votes to foresee) to chances (V, outcomes) of each of the latter."""


@dataclass(frozen=True, slots=True)
class Score:
    """Held-out log-likelihood of one method: nats a vote, over so many votes.

    gain: what it has more than the first method; low, high: its interval, None for the first itself.
    """

    log_likelihood: float
    votes: int
    gain: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The score of each method, and the one that fits best: the first that no other surely surpasses."""

    scores: dict[str, Score]
    best: str


def shares(learn: Votes, ahead: Votes) -> FloatArray:
    """Chances from the other votes on the pair, whoever gave them."""
    counts = learn.counts
    even = counts.sum(axis=0) + 0.5 * learn.possible
    even = even / even.sum()
    drawn = counts + shrinkage(counts, even) * even
    return np.asarray((drawn / drawn.sum(axis=1, keepdims=True))[ahead.pair])


def by_competence(learn: Votes, ahead: Votes) -> FloatArray:
    found = knowing.competence(learn)
    return knowing.predicted(found.truth, found.learned, ahead)


def by_confusion(learn: Votes, ahead: Votes) -> FloatArray:
    found = confusing.dawid_skene(learn)
    return confusing.predicted(found.truth, found.learned, ahead)


METHODS: dict[str, Foresee] = {
    "vote-shares": shares,
    "competence": by_competence,
    "dawid-skene": by_confusion,
}
"""The simplest first: where two are level, the simpler one is taken."""


def compared(
    votes: Votes,
    *,
    rng: np.random.Generator,
    methods: Mapping[str, Foresee] = METHODS,
    folds: int = FOLDS,
    draws: int = 1000,
    confidence: float = 0.95,
) -> Comparison:
    """Each method on the same folds; votes of weight 0 are neither learned from nor foreseen.

    methods: the simplest first; that one the others are held against. Raises `UnusableVotesError` with fewer
    votes than folds.
    """
    votes = votes.taken(votes.weight > 0)
    if len(votes) < folds:
        raise UnusableVotesError(f"{len(votes)} votes cannot be dealt into {folds} folds: collect more first")
    fold = rng.permutation(np.arange(len(votes)) % folds)
    logs = {name: np.zeros(len(votes)) for name in methods}
    for number in range(folds):
        held: BoolArray = fold == number
        learn, ahead = votes.taken(~held), votes.taken(held)
        for name, foresee in methods.items():
            chances = foresee(learn, ahead)[np.arange(len(ahead)), ahead.outcome]
            logs[name][held] = np.log(np.maximum(chances, SMALLEST))
    first = next(iter(methods))
    gains = {name: one - logs[first] for name, one in logs.items()}
    drawn = _resampled_pairs(votes, gains, rng, draws)
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    scores = {}
    for name, gain in gains.items():
        low, high = (None, None) if name == first else (float(end) for end in np.quantile(drawn[name], ends))
        scores[name] = Score(float(logs[name].mean()), len(votes), float(gain.mean()), low, high)
    top = max(scores, key=lambda name: scores[name].log_likelihood)
    level = [name for name in scores if name == top or np.quantile(drawn[top] - drawn[name], ends[0]) <= 0]
    return Comparison(scores, level[0])


def shrinkage(counts: FloatArray, even: FloatArray, *, steps: int = 200) -> float:
    """s of the Dirichlet(s · even) under which the counts (N, K) are likeliest: Minka's fixed point.

    At most 1e4: counts that vary no more than chance would have it want s = ∞.
    """
    rows, times = np.unique(counts[counts.sum(axis=1) > 0], axis=0, return_counts=True)
    if not len(rows):
        return 1.0
    n, real = rows.sum(axis=1), even > 0
    s = 2.0
    for _ in range(steps):
        up = times @ (digamma(rows[:, real] + s * even[real]) - digamma(s * even[real])) @ even[real]
        down = times @ (digamma(n + s) - digamma(s))
        if down <= 0 or up <= 0:
            break
        before, s = s, float(np.clip(s * up / down, 1e-3, 1e4))
        if abs(s - before) < 1e-4 * before:
            break
    return s


def _resampled_pairs(
    votes: Votes, values: Mapping[str, FloatArray], rng: np.random.Generator, draws: int
) -> dict[str, FloatArray]:
    """(draws,) means over the votes of pairs drawn with replacement, as Poisson(1) weights of the pairs.

    Beyond `MOST_GROUPS` pairs it is groups of them that are drawn, dealt by chance and all of one size but
    for one pair: sums of independent pairs vary as these do, and a draw costs no more.
    """
    judged, pair = np.unique(votes.pair, return_inverse=True)
    groups = min(len(judged), MOST_GROUPS)
    if groups < len(judged):
        pair = rng.permutation(np.arange(len(judged)) % groups)[pair]
    sums = {name: np.bincount(pair, weights=one, minlength=groups) for name, one in values.items()}
    sizes = np.bincount(pair, minlength=groups).astype(np.float64)
    found: dict[str, list[FloatArray]] = {name: [] for name in values}
    step = max(1, BLOCK // max(groups, 1))
    for start in range(0, draws, step):
        weights = rng.poisson(1.0, size=(min(step, draws - start), groups)).astype(np.float64)
        total = np.maximum(weights @ sizes, 1)
        for name, one in sums.items():
            found[name].append(weights @ one / total)
    return {name: np.concatenate(parts) for name, parts in found.items()}
