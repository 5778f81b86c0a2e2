"""What a selection hands back: the chosen pairs, why each was chosen, and what could not be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from activelearning.acquisition.quotas import Rule
from activelearning.acquisition.wording import Said

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
