"""Why a pair, or a group of responses, was chosen, in sentences for the person who is shown it."""

from __future__ import annotations

from dataclasses import dataclass

from activelearning.acquisition.quotas import Rule
from activelearning.acquisition.selection import PairScores, Reason
from activelearning.acquisition.wording import Said, Value, counted, said

_DESIGNS = {  # of groups
    "regret": said("An answer decides winners among the pairs that the model will meet."),
    "i_optimal": said("An answer makes the model surer of the pairs that it will meet."),
}
_UNLIKE = said("An answer tells how responses differ in ways that nothing judged so far covers.")


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
    """Sentences for the person who asks why they are shown this pair."""
    found = _why(reason, scores, propensity, context)
    if scores.stake is None or scores.stake <= 0:
        return found
    return *found, said(
        "An answer settles {times:.1f} times what one on a typical pair would.", times=scores.stake
    )


def _why(reason: Reason, scores: PairScores, propensity: float | None, context: Context) -> tuple[Said, ...]:
    if reason == "random":
        return (_by_chance(propensity),)
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
    return _unlike(reason, scores, context.labelled)


def _by_chance(propensity: float | None) -> Said:
    if propensity is None:
        return said("Drawn at random, all alike, so that the rest can be measured against chance.")
    return said(
        "Drawn at random (chance {chance:.2g}), so that the rest can be measured against chance.",
        chance=propensity,
    )


def _at_stake(reason: Reason, scores: PairScores) -> tuple[Said, ...]:
    alike = said("Like many pairs that the model will meet.")
    if scores.probability is not None and scores.deviation is not None:
        alike = said(
            "Like many pairs that the model will meet, and not settled yet ({chance:.0%} for the first, "
            "± {deviation:.2f} logits).",
            chance=scores.probability,
            deviation=scores.deviation,
        )
    decides = said("An answer decides more of their winners.")
    surer = said("An answer makes the model surer of them.")
    return alike, decides if reason == "regret" else surer


def _unlike(reason: Reason, scores: PairScores, labelled: int) -> tuple[Said, ...]:
    if reason == "cluster":
        return (_of_a_kind(labelled),)
    differs = said("The two differ in a way that nothing in the batch so far covers.")
    if labelled:
        differs = counted(
            labelled,
            "The two differ in a way that neither the judged pair nor the batch so far covers.",
            "The two differ in a way that neither the {n:,} judged pairs nor the batch so far covers.",
        )
    if scores.gain is None:
        return (differs,)
    return differs, said("Information gain: {gain:.3f} nats.", gain=scores.gain)


def _of_a_kind(labelled: int) -> Said:
    if not labelled:
        return said("Of a kind of which nothing in the batch so far has its share.")
    return counted(
        labelled,
        "Of a kind of which neither the judged pair nor the batch so far has its share.",
        "Of a kind of which neither the {n:,} judged pairs nor the batch so far has its share.",
    )


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


def explain_group(reason: Rule, k: int, scores: PairScores, propensity: float | None) -> tuple[Said, ...]:
    """Sentences for the person who asks why they are shown these k responses."""
    if reason == "random":
        return explain("random", scores, propensity, Context())
    found = [_most(k, scores), _DESIGNS.get(reason, _UNLIKE)]
    if scores.stake is not None:
        found.append(
            said("An answer settles {times:.1f} times what one on a typical group would.", times=scores.stake)
        )
    return tuple(found)


def _most(k: int, scores: PairScores) -> Said:
    if scores.probability is None or scores.deviation is None:
        if k == 2:
            return said("The two tell much.")
        return said("Of these {k} responses A against B tells most.", k=k)
    side: dict[str, Value] = {"chance": scores.probability, "deviation": scores.deviation}
    if k == 2:
        return said("The two tell much ({chance:.0%} for A, ± {deviation:.2f} logits).", **side)
    return said(
        "Of these {k} responses A against B tells most ({chance:.0%} for A, ± {deviation:.2f} logits).",
        k=k,
        **side,
    )
