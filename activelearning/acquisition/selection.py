"""What a selection hands back: the chosen pairs, why each was chosen, and what could not be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from activelearning.acquisition.quotas import Rule

Reason = Rule | Literal["audit", "repeat"]
"""Why a pair is queued: by a rule of the recipe, to measure the model, or for one more opinion."""


@dataclass(frozen=True)
class PairScores:
    """What is known of a pair at its turn; None where it was not computed.

    disagreement: Var_k of the difference (logits²); margin: |μ| (logits); probability: P(a ≻ b | no tie);
    deviation: s, the posterior's standard deviation of the difference (logits); gain: log(1 + v s²) (nats);
    stake: gain of what the rule maximises, in multiples of the median candidate's; expected_error: nats.
    """

    disagreement: float | None = None
    margin: float | None = None
    probability: float | None = None
    deviation: float | None = None
    gain: float | None = None
    stake: float | None = None
    expected_error: float | None = None


@dataclass(frozen=True)
class Neighbour:
    """A labelled pair much like the chosen one. similarity: |cosine| of the two differences, 0 to 1; a_share:
    part of its votes for the side that corresponds to the chosen pair's a.
    """

    response_a: str
    response_b: str
    similarity: float
    a_share: float


@dataclass(frozen=True)
class SelectedPair:
    """One pair to judge next. rank counts from 1 in the order of picking.

    propensity: for random pairs, the chance with which the pair was to be drawn (sampling of the candidates
    times random quota / candidates), for inverse-propensity estimates; for rules that draw, the chance of
    the draw among what was open; None for pairs which were picked by a score.
    """

    prompt_id: str
    response_a: str
    response_b: str
    reason: Reason
    rank: int
    scores: PairScores
    propensity: float | None
    explanation: str
    cluster: int | None = None
    neighbours: tuple[Neighbour, ...] = ()


@dataclass(frozen=True)
class Selection:
    """quotas: pairs per rule, met exactly. candidates: open pairs considered; kept: after thinning.
    prior_precision: λ that was used; error_skill: leave-one-out rank correlation of the error estimate, None
    without one. notes: what differed from the recipe, in sentences for people.
    """

    pairs: tuple[SelectedPair, ...]
    quotas: Mapping[Reason, int]
    candidates: int
    kept: int
    prompt_cap: int
    prior_precision: float | None
    error_skill: float | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Context:
    """What a sentence compares a pair with."""

    members: int = 0
    percentile: float = 0.0  # of the candidates with less disagreement
    neighbours: int = 0  # that the error estimate averages over
    mean_error: float = 0.0
    labelled: int = 0


def explain(reason: Reason, scores: PairScores, propensity: float | None, context: Context) -> str:
    """One sentence for the person who asks why they are shown this pair."""
    if reason == "random":
        chance = f"chance {propensity:.2g}" if propensity is not None else "equal chance"
        return f"Drawn at random ({chance}), so that the rest can be measured against chance."
    if context.labelled and reason in ("regret", "i_optimal", "power"):
        return _at_stake(reason, scores)
    if reason in ("uncertainty", "disagreement") and scores.disagreement is not None:
        return _uncertain(scores.disagreement, scores.probability or 0.5, context)
    if reason in ("margin", "bald", "bal_pm", "badge") and scores.probability is not None:
        return f"The model calls it close: {scores.probability:.0%} that the first is better."
    if reason == "error" and scores.expected_error is not None:
        return (
            f"On the {context.neighbours} most similar judged pairs the model was off by about "
            f"{scores.expected_error:.2f} nats, against {context.mean_error:.2f} on average."
        )
    return _unlike(reason, scores, context)


def _at_stake(reason: Reason, scores: PairScores) -> str:
    start = "Like many pairs that the model will meet"
    if scores.probability is not None and scores.deviation is not None:
        side = f"{scores.probability:.0%} for the first, ± {scores.deviation:.2f} logits"
        start = f"{start}, and not settled yet ({side})"
    if reason == "regret":
        start = f"{start}: an answer decides more of their winners"
    else:
        start = f"{start}: an answer makes the model surer of them"
    if scores.stake is not None:
        return f"{start}, {scores.stake:.1f} times what a typical candidate's would."
    return f"{start}."


def _unlike(reason: Reason, scores: PairScores, context: Context) -> str:
    covered = f"neither the {context.labelled:,} judged pairs nor" if context.labelled else "nothing in"
    if reason == "cluster":
        return f"Of a kind of which {covered} the batch so far has its share."
    if scores.gain is None:
        return f"The two differ in a way that {covered} the batch so far covers."
    compared = ""
    if scores.stake is not None and scores.stake > 0:
        compared = f", {scores.stake:.1f} times a typical candidate"
    return (
        f"The two differ in a way that {covered} the batch so far covers "
        f"(information gain {scores.gain:.3f} nats{compared})."
    )


def _uncertain(disagreement: float, probability: float, context: Context) -> str:
    if context.members < 2:
        return f"The model calls it close: {probability:.0%} that the first is better."
    return (
        f"The {context.members} models disagree about the difference (σ {disagreement**0.5:.2f}, more "
        f"than on {min(context.percentile, 0.99):.0%} of the candidates) "
        f"and together give the first a {probability:.0%} chance."
    )
