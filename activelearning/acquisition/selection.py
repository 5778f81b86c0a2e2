"""What a selection hands back: the chosen pairs, why each was chosen, and what could not be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from activelearning.acquisition.quotas import Reason


@dataclass(frozen=True)
class PairScores:
    """disagreement: Var_k of the difference (logits²); margin: |μ| (logits); probability: P(a ≻ b | no tie);
    gain: log(1 + v s²) at its turn (nats); expected_error: nats. None where it was not computed.
    """

    disagreement: float | None
    margin: float | None
    probability: float | None
    gain: float | None
    expected_error: float | None


@dataclass(frozen=True)
class SelectedPair:
    """One pair to judge next. rank counts from 1 in the order of picking.

    propensity: for audit pairs, the chance with which the pair was to be drawn (sampling of the candidates
    times audit quota / candidates), for inverse-propensity estimates; None for pairs which were picked by a
    score.
    """

    prompt_id: str
    response_a: str
    response_b: str
    reason: Reason
    rank: int
    scores: PairScores
    propensity: float | None
    explanation: str


@dataclass(frozen=True)
class Selection:
    """quotas: pairs per reason, met exactly. candidates: open pairs considered; kept: after thinning.
    error_skill: leave-one-out rank correlation of the error estimate, None without one. notes: what
    differed from the recipe, in sentences for people.
    """

    pairs: tuple[SelectedPair, ...]
    quotas: Mapping[Reason, int]
    candidates: int
    kept: int
    prompt_cap: int
    error_skill: float | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Context:
    """What a sentence compares a pair with: members, the pair's percentile of doubt in [0, 1], medians and
    means.
    """

    members: int
    percentile: float
    median_gain: float
    neighbours: int
    mean_error: float
    labelled: int


def explain(reason: Reason, scores: PairScores, propensity: float | None, context: Context) -> str:
    """One sentence for the person who asks why they are shown this pair."""
    if reason == "uncertainty" and scores.disagreement is not None and scores.probability is not None:
        return _uncertain(scores.disagreement, scores.probability, context)
    if reason == "diversity" and scores.gain is not None:
        covered = f"neither the {context.labelled:,} judged pairs nor" if context.labelled else "nothing in"
        compared = ""
        if context.median_gain > 0:
            compared = f", {scores.gain / context.median_gain:.1f} times a typical candidate"
        return (
            f"The two differ in a way that {covered} the batch so far covers "
            f"(information gain {scores.gain:.3f} nats{compared})."
        )
    if reason == "error" and scores.expected_error is not None:
        return (
            f"On the {context.neighbours} most similar judged pairs the model was off by about "
            f"{scores.expected_error:.2f} nats, against {context.mean_error:.2f} on average."
        )
    chance = f"chance {propensity:.2g}" if propensity is not None else "equal chance"
    return f"Drawn at random ({chance}), so that the model can be measured without bias."


def _uncertain(disagreement: float, probability: float, context: Context) -> str:
    if context.members < 2:
        return f"The model calls it close: {probability:.0%} that the first is better."
    return (
        f"The {context.members} models disagree about the difference (σ {disagreement**0.5:.2f}, more "
        f"than on {min(context.percentile, 0.99):.0%} of the candidates) "
        f"and together give the first a {probability:.0%} chance."
    )
