"""What a model is not good at, read off its own figures; each a sentence for its model card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

FEW_PAIRS, FEW_PROMPTS = 200, 50  # below, an interval is so wide that little can be said
MISCALIBRATED = 0.05  # expected calibration error from which probabilities mislead
LONGER = 0.05  # share by which it may prefer the longer response more often than the voters
MANY_TIES = 1 / 3
FEW_IN_STRATUM = 10  # pairs below which a stratum says nothing

Metrics = Mapping[str, Any]


def limits(metrics: Metrics) -> list[str]:
    """The worst first. Keys that are missing are passed over."""
    of_parts = [
        f"On the criterion “{plain(name)}”: {one[0].lower()}{one[1:]}"
        for name, part in (metrics.get("criteria") or {}).items()
        for one in (*_against_baselines(part), *_in_strata(part))
    ]
    return [
        *_against_baselines(metrics),
        *_in_strata(metrics),
        *of_parts,
        *_how_sure(metrics),
        *_biases(metrics),
    ]


def _against_baselines(metrics: Metrics) -> Iterator[str]:
    mine = number(metrics, "accuracy", "value")
    if mine is None:
        yield "No held-out pair has a winner, so nobody knows how accurate it is."
        return
    for name, words in (("length", "length alone"), ("majority", "always choosing the same side")):
        other = number(metrics, "baselines", name, "value")
        if other is not None and mine < other:
            yield f"It is **below {words}** on held-out pairs ({mine:.3f} against {other:.3f})."
    low, high = (number(metrics, "lift_over_length", end) for end in ("low", "high"))
    if low is not None and high is not None and low <= 0 <= high:
        yield (
            "It is not better than length alone beyond chance: the difference lies between "
            f"{100 * low:+.1f} and {100 * high:+.1f} points."
        )


def _in_strata(metrics: Metrics) -> Iterator[str]:
    for kind, found in (metrics.get("strata") or {}).items():
        for row in found.get("rows", []) if isinstance(found, Mapping) else []:
            mine, high, n = row.get("value"), row.get("high"), row.get("n", 0)
            # of pairs whose longer response won, length is right about all
            length = None if kind == "longer_won" else number(row, "length", "value")
            if mine is None or n < FEW_IN_STRATUM:
                continue
            where = f"{plain(kind.replace('_', ' '))} “{plain(row.get('name', ''))}”"
            if length is not None and mine < length:
                yield f"Below length alone on {where}: {mine:.3f} against {length:.3f} ({n:,} pairs)."
            elif high is not None and high < 0.5:
                yield f"Worse than tossing a coin on {where}: {mine:.3f} ({n:,} pairs)."


def _how_sure(metrics: Metrics) -> Iterator[str]:
    n, prompts = number(metrics, "accuracy", "n"), number(metrics, "evaluated", "prompts")
    if n is not None and n < FEW_PAIRS:
        yield f"Its accuracy rests on {n:,.0f} decided pairs only."
    if prompts is not None and prompts < FEW_PROMPTS:
        yield f"It was tested on {prompts:,.0f} prompts only."
    ece, chance = number(metrics, "ece"), number(metrics, "ece_by_chance", "high") or 0.0
    if ece is not None and ece > MISCALIBRATED and not may_be_chance(ece, chance):
        yield f"Its probabilities are off by {100 * ece:.1f} points on average."
    elif ece is not None and ece > MISCALIBRATED:
        yield (
            f"Its probabilities are off by {100 * ece:.1f} points on average, which as few pairs make of a "
            f"calibrated model too (up to {100 * chance:.1f}): whether it is calibrated cannot be told."
        )


def _biases(metrics: Metrics) -> Iterator[str]:
    model, votes = (
        number(metrics, "length_bias", name) for name in ("longer_wins_model", "longer_wins_votes")
    )
    if model is not None and votes is not None and model - votes > LONGER:
        yield (
            f"It prefers the longer response in {100 * model:.0f} % of pairs, the voters in "
            f"{100 * votes:.0f} %: a policy trained against it may learn to be wordy."
        )
    ties = number(metrics, "ties", "share")
    if ties is not None and ties > MANY_TIES:
        yield f"{100 * ties:.0f} % of the pairs have no winner: differences in reward often mean nothing."


def may_be_chance(ece: float, high: float) -> bool:
    """Whether chance alone may make so large an error. With a pair to a bin it always makes just that one."""
    return ece <= high * (1 + 1e-9)


def number(found: Any, *path: str) -> float | None:
    """The number at the end of these keys; None where one is missing."""
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def plain(text: object) -> str:
    """Somebody's words on one line of Markdown, with nothing that means something there."""
    line = " ".join(str(text).split())
    return "".join(f"\\{one}" if one in "\\`*_[]<>|#~$" else one for one in line)
