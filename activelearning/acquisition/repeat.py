"""Repeat or new: what one more vote is worth, on a labelled pair and on a new one, in the same currency.

**One vote.** Who answers from the pair with probability ρ and by a coin otherwise says "a" with probability
q = ρp + (1 − ρ)/2, p = σ(η). Its Fisher information about the log-odds η of the pair is

    v(p, ρ) = (dq/dη)²/(q(1 − q)) = ρ² [p(1 − p)]²/(q(1 − q)) ≤ ρ² p(1 − p),   equal at p = ½ and at ρ = 1.

**One pair.** Features do not explain a pair wholly: η = θ·x + u, u ~ N(0, ω²). Votes of information I on one
pair tell η with variance 1/I, hence θ·x with variance ω² + 1/I: together they inform the model by
I/(1 + ω²I), never more than 1/ω². The next vote adds to that

    Δ = v/((1 + ω²I)(1 + ω²(I + v))),   v/(1 + ω²v) on a new pair.

So a repeat is worth less than a new pair the more is known of the pair already, and not where its votes
came from unreliable people (I = n_eff v, n_eff = Σρ²: what an unreliable voter said hardly counts). A gain of
the design G(v) = v xᵀΣMΣx/(1 + v s²) at v = p(1 − p) becomes G(Δ) = G(v) · k(1 + v s²)/(1 + k v s²), k = Δ/v
(exact for the I-optimal gain, to first order for log(1 + v s²)). p of a labelled pair is between the model's
and its voters': the model's counts as 1/(ω²v) votes, so split votes raise v.

**The label itself.** Its share has a Beta(½ + n_eff y, ½ + n_eff(1 − y)) posterior; with mean m and
n₀ = n_eff + 1 the next vote takes m(1 − m)/(n₀ + 1)² off its variance, on average over the answer, times ρ².
Divided by v² of an even pair this is in logits²; the label nobody voted on loses just 1. The labels that
matter are those that are in the data: a new pair has no label yet that could be wrong, so this part is 0 for
it. `label_weight` is the price: how many votes on a typical new pair (median of G(v)) one logits² of a single
label is worth. At its default, ¼, a reliable second vote on an even pair (ω² = 1) is worth .76 of a vote on a
new pair like it: one vote each on more pairs wins unless voters are poor (Sheng, Provost and Ipeirotis, "Get
another label?", KDD 2008; Lin, Mausam and Weld, "To re(label), or not to re(label)", HCOMP 2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import rel_entr

from activelearning.acquisition.pool import Floats, Ids, Mask, PoolError, Positions, as_ids
from activelearning.acquisition.wording import Said, counted, said

EVEN = 0.25  # p(1 − p) of an even pair: the largest information that one vote can have
UNRELIABLE = 0.5  # of a full vote: ρ² below this means that ρ is below .71

RepeatReason = Literal["split", "unreliable", "quality", "gain"]
QUALITY = said("A second opinion kept for quality.")


@dataclass(frozen=True)
class RepeatConfig:
    """pair_effect: ω² in logits², see `pair_effect`. label_weight: see the module. most_votes on one pair.
    share: repeats in a batch, at most. settled: nats; a pair whose last repeat moved its label by less comes
    after all others.
    """

    pair_effect: float = 1.0
    label_weight: float = 0.25
    most_votes: int = 5
    share: float = 0.1
    settled: float = 0.01

    def __post_init__(self) -> None:
        if min(self.pair_effect, self.label_weight, self.settled) < 0:
            raise PoolError("pair_effect, label_weight and settled must not be negative.")
        if self.most_votes < 1 or not 0.0 <= self.share <= 1.0:
            raise PoolError("most_votes must be at least 1 and share between 0 and 1.")


@dataclass(frozen=True, eq=False)
class PairVotes:
    """Candidates for one more vote, new and labelled.

    shares: (N, 3) of the votes for (a, tie, b), zeros for a new pair; votes: (N,) people, 0 for a new pair;
    effective: (N,) Σρ² over them; last_change: (N,) nats by which the last repeat moved the label
    (`label_change`), NaN where there was none.
    """

    pair_id: Ids
    shares: Floats
    votes: Floats
    effective: Floats
    last_change: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "pair_id", as_ids(self.pair_id))
        object.__setattr__(self, "shares", np.asarray(self.shares, dtype=np.float64).reshape(-1, 3))
        for name in ("votes", "effective", "last_change"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        n = len(self.pair_id)
        sizes = (len(self.shares), len(self.votes), len(self.effective), len(self.last_change))
        if any(size != n for size in sizes):
            raise PoolError(f"{n} pairs, but columns of lengths {sizes}; they must agree.")
        if not (np.all(self.effective >= 0) and np.all(self.effective <= self.votes + 1e-9)):
            raise PoolError("Effective votes lie between 0 and the number of votes.")
        if not np.allclose(self.shares.sum(axis=1), self.votes > 0, atol=1e-6):
            raise PoolError("Vote shares must sum to 1 (a, tie, b), or be 0 where nobody has voted.")

    @property
    def new(self) -> Mask:
        return np.asarray(self.votes == 0)

    @property
    def for_a(self) -> Floats:
        """Share of a, a tie as half a vote for each side."""
        return np.asarray(self.shares[:, 0] + self.shares[:, 1] / 2)


@dataclass(frozen=True, eq=False)
class VoteValue:
    """Of one more vote, each (N,), in the units of the gain: value = model + label. typical: median gain of a
    new pair at a vote of full information.
    """

    value: Floats
    model: Floats
    label: Floats
    typical: float


@dataclass(frozen=True)
class Repeat:
    """position: in the candidates. replaced: value of the new pair that gives way."""

    pair_id: str
    position: int
    value: float
    replaced: float
    reason: RepeatReason
    sentence: Said


@dataclass(frozen=True)
class RepeatPlan:
    """most: repeats which the share allows. open: labelled pairs below most_votes. settled: those of them
    which came last because their last repeat told nothing.
    """

    repeats: tuple[Repeat, ...]
    most: int
    open: int
    settled: int


@dataclass(frozen=True, eq=False)
class OverlapSample:
    """positions: of the new picks that get extra votes; propensity: the chance that each pick had."""

    positions: Positions
    propensity: float


def vote_information(probability: Floats, reliability: Floats | float = 1.0) -> Floats:
    """v(p, ρ), (N,): Fisher information of one vote about the log-odds of the pair."""
    v = probability * (1 - probability)
    q = reliability * probability + (1 - reliability) / 2
    # A certain pair (p of 0 or 1) answered by a certain voter: 0/0, and nothing to learn.
    spread = np.maximum(q * (1 - q), 1e-300)
    return np.asarray(np.square(reliability * v) / spread, dtype=np.float64)


def value_of_votes(
    pairs: PairVotes,
    gain: Floats,
    probability: Floats,
    variance: Floats,
    *,
    reliability: Floats | float = 1.0,
    config: RepeatConfig | None = None,
) -> VoteValue:
    """What the next vote on each candidate is worth.

    gain: (N,) the design's gain of a vote of information p(1 − p) on each, from the posterior that holds the
    votes so far; probability: (N,) the model's p; variance: (N,) s², logits²; reliability: ρ of who votes
    next, on average or of each candidate.
    """
    config = config or RepeatConfig()
    full = np.maximum(probability * (1 - probability), 1e-12)
    # p of the pair as its voters and the model see it together; without a pair effect it is the model's.
    own = config.pair_effect * full * pairs.effective
    p = (own * pairs.for_a + probability) / (own + 1)
    known = config.pair_effect * pairs.effective * p * (1 - p)
    v = vote_information(p, reliability)
    added = v / ((1 + known) * (1 + known + config.pair_effect * v))
    k = added / full
    model = gain * k * (1 + full * variance) / (1 + k * full * variance)
    fresh = gain[pairs.new] if pairs.new.any() else gain
    typical = float(np.median(fresh)) if len(fresh) else 0.0
    label = np.where(pairs.new, 0.0, config.label_weight * typical * label_gain(pairs, reliability))
    return VoteValue(model + label, model, label, typical)


def label_gain(pairs: PairVotes, reliability: Floats | float = 1.0) -> Floats:
    """Expected fall of the variance of each pair's own label by one more vote, (N,), logits² at an even pair:
    1 before the first vote of a reliable person.
    """
    total = pairs.effective + 1
    m = (0.5 + pairs.effective * pairs.for_a) / total
    return np.asarray(np.square(reliability) * m * (1 - m) / np.square(total + 1) / EVEN**2)


def label_change(share: Floats, effective: Floats, share_after: Floats, effective_after: Floats) -> Floats:
    """How far a repeat moved the label, (N,): KL(after ‖ before) in nats of the Beta(½, ½) posterior means.

    share: of a, a tie as half; effective: Σρ². Unlike a difference of entropies it also sees a label which
    changed sides.
    """
    before = (0.5 + effective * share) / (1 + effective)
    after = (0.5 + effective_after * share_after) / (1 + effective_after)
    return np.asarray(rel_entr(after, before) + rel_entr(1 - after, 1 - before))


def plan_repeats(
    pairs: PairVotes, values: VoteValue, size: int, config: RepeatConfig | None = None
) -> RepeatPlan:
    """Which of a batch of `size` votes repeat a labelled pair: those worth more than the new pair replaced.

    The r-th best repeat is weighed against the (size − r + 1)-th best new pair; at most `share` of the batch,
    none beyond `most_votes`, each pair once. Where new pairs run out, a repeat replaces nothing.
    """
    config = config or RepeatConfig()
    new = np.sort(values.value[pairs.new])[::-1]
    allowed = ~pairs.new & (pairs.votes < config.most_votes)
    idle = allowed & (pairs.last_change < config.settled)  # NaN compares false
    rows = np.flatnonzero(allowed & (values.value > 0))
    rows = rows[np.lexsort((rows, -values.value[rows], idle[rows]))]
    most = int(config.share * size + 1e-9)
    repeats: list[Repeat] = []
    for row in rows.tolist():
        place = size - len(repeats) - 1
        if len(repeats) >= most:
            break
        replaced = float(new[place]) if place < len(new) else 0.0
        value = float(values.value[row])
        if value > replaced:
            reason = _reason(pairs, values, row)
            words = _sentence(pairs, row, reason)
            repeats.append(Repeat(str(pairs.pair_id[row]), row, value, replaced, reason, words))
    return RepeatPlan(tuple(repeats), most, int(allowed.sum()), int(idle.sum()))


def overlap_sample(n: int, share: float, rng: np.random.Generator) -> OverlapSample:
    """The new picks, out of n, that get extra votes so that quality can be measured: uniformly drawn.

    The number is share·n rounded up or down by chance, so that every pick's propensity is exactly `share`.
    """
    if n < 0 or not 0.0 <= share <= 1.0:
        raise PoolError(f"n is {n} and share {share}; n must not be negative, share between 0 and 1.")
    whole = int(share * n + 1e-9)
    count = whole + int(rng.random() < share * n - whole)
    return OverlapSample(np.sort(rng.choice(n, count, replace=False)).astype(np.int64), share)


def _reason(pairs: PairVotes, values: VoteValue, row: int) -> RepeatReason:
    if pairs.effective[row] < UNRELIABLE * pairs.votes[row]:
        return "unreliable"
    if pairs.shares[row].max() < 1 - 1e-9:
        return "split"
    return "quality" if values.label[row] > values.model[row] else "gain"


def _sentence(pairs: PairVotes, row: int, reason: RepeatReason) -> Said:
    if reason == "unreliable":
        return said("Its voters were often wrong on gold checks.")
    if reason == "quality":
        return QUALITY
    if reason == "gain":
        return said("The model learns more from another vote here than from one more new pair.")
    people = round(float(pairs.votes[row]))
    others = people - round(float(pairs.shares[row].max()) * people)
    if 2 * others >= people:
        return said("The {people} people who voted disagree.", people=people)
    return counted(
        others,
        "{n} of {people} people disagrees with the others.",
        "{n} of {people} people disagree with the others.",
        people=people,
    )
