"""What a selection hands back: the chosen pairs, why each was chosen, and what could not be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from activelearning.acquisition.quotas import Rule
from activelearning.acquisition.wording import Said, Value, counted, said

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
    explanation: tuple[Said, ...]
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
    notes: tuple[Said, ...]


@dataclass(frozen=True)
class Context:
    """What a sentence compares a pair with."""

    members: int = 0
    percentile: float = 0.0  # of the candidates with less disagreement
    neighbours: int = 0  # that the error estimate averages over
    mean_error: float = 0.0
    labelled: int = 0


def explain(
    reason: Reason, scores: PairScores, propensity: float | None, context: Context
) -> tuple[Said, ...]:
    """A sentence or two for the person who asks why they are shown this pair."""
    if reason == "random":
        if propensity is None:
            return (said("Drawn at random, all alike, so that the rest can be measured against chance."),)
        return (
            said(
                "Drawn at random (chance {chance:.2g}), so that the rest can be measured against chance.",
                chance=propensity,
            ),
        )
    if context.labelled and reason in ("regret", "i_optimal", "power"):
        return _at_stake(reason, scores)
    if reason in ("uncertainty", "disagreement") and scores.disagreement is not None:
        return _uncertain(scores.disagreement, scores.probability or 0.5, context)
    if reason in ("margin", "bald", "bal_pm", "badge") and scores.probability is not None:
        return (_close(scores.probability),)
    if reason == "error" and scores.expected_error is not None:
        return (
            counted(
                context.neighbours,
                "On the most similar judged pair the model was off by about {error:.2f} nats, against "
                "{mean:.2f} on average.",
                "On the {n} most similar judged pairs the model was off by about {error:.2f} nats, against "
                "{mean:.2f} on average.",
                error=scores.expected_error,
                mean=context.mean_error,
            ),
        )
    return _unlike(reason, scores, context)


def _at_stake(reason: Reason, scores: PairScores) -> tuple[Said, ...]:
    surer = reason != "regret"
    if scores.probability is not None and scores.deviation is not None:
        side: dict[str, Value] = {"chance": scores.probability, "deviation": scores.deviation}
        first = (
            said(
                "Like many pairs that the model will meet, and not settled yet ({chance:.0%} for the first, "
                "± {deviation:.2f} logits): an answer makes the model surer of them.",
                **side,
            )
            if surer
            else said(
                "Like many pairs that the model will meet, and not settled yet ({chance:.0%} for the first, "
                "± {deviation:.2f} logits): an answer decides more of their winners.",
                **side,
            )
        )
    elif surer:
        first = said("Like many pairs that the model will meet: an answer makes the model surer of them.")
    else:
        first = said("Like many pairs that the model will meet: an answer decides more of their winners.")
    return first, *_compared(scores)


def _unlike(reason: Reason, scores: PairScores, context: Context) -> tuple[Said, ...]:
    n = context.labelled
    if reason == "cluster" and n:
        return (
            counted(
                n,
                "Of a kind of which neither the judged pair nor the batch so far has its share.",
                "Of a kind of which neither the {n:,} judged pairs nor the batch so far has its share.",
            ),
        )
    if reason == "cluster":
        return (said("Of a kind of which nothing in the batch so far has its share."),)
    differs = (
        counted(
            n,
            "The two differ in a way that neither the judged pair nor the batch so far covers.",
            "The two differ in a way that neither the {n:,} judged pairs nor the batch so far covers.",
        )
        if n
        else said("The two differ in a way that nothing in the batch so far covers.")
    )
    if scores.gain is None:
        return (differs,)
    return differs, said("An answer tells {gain:.3f} nats.", gain=scores.gain), *_compared(scores)


def _compared(scores: PairScores) -> tuple[Said, ...]:
    if scores.stake is None or scores.stake <= 0:
        return ()
    return (said("It settles {times:.1f} times what one on a typical pair would.", times=scores.stake),)


def _uncertain(disagreement: float, probability: float, context: Context) -> tuple[Said, ...]:
    if context.members < 2:
        return (_close(probability),)
    return (
        said(
            "The {members} models disagree about the difference (σ {spread:.2f}, more than on {less:.0%} of "
            "the candidates) and together give the first a {chance:.0%} chance.",
            members=context.members,
            spread=disagreement**0.5,
            less=min(context.percentile, 0.99),
            chance=probability,
        ),
    )


def _close(probability: float) -> Said:
    return said("The model calls it close: {chance:.0%} that the first is better.", chance=probability)
