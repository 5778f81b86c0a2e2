"""Simulated annotators, for demonstrations and for testing what finds the careless ones.

An annotator sees two responses left and right and answers by a Davidson model with ties on latent quality:
with d = s·(q_left − q_right) + β the logits of (left, tie, right) are (d/2, τ, −d/2), where s is sensitivity
(logits per unit of quality), β the pull to the left (logits) and τ the inclination to tie. With probability
`lapse` they do not look at all and press one of the three keys with the chances in `blind`. Seconds are
log-normal around `median_seconds`; whoever looks takes up to half as long again on a close pair.

Source of the choice model: Davidson (1970); of lapses: Wichmann & Hill (2001).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["careful", "noisy", "left_biased", "spammer", "too_fast", "stated"]
Choice = Literal["a", "b", "tie", "both_bad"]
Side = Literal["a", "b"]

MIXTURE: dict[Kind, float] = {
    "careful": 0.62,
    "noisy": 0.18,
    "left_biased": 0.08,
    "spammer": 0.06,
    "too_fast": 0.06,
}
KINDS: tuple[Kind, ...] = tuple(MIXTURE)
NEVER = -60.0  # logits of what does not happen


class ProfileError(ValueError):
    """A profile or a quality is out of range."""


@dataclass(frozen=True)
class AnnotatorProfile:
    """One annotator.

    sensitivity s ≥ 0: logits per unit of quality. tie: τ, logits. left_bias: β, logits. lapse: share of
    answers given blindly, with the chances `blind` of (left, tie, right). median_seconds: of an easy pair;
    spread: standard deviation of log seconds. bad_below: a tie of two qualities both under it becomes "both
    bad". reasons: share of seen answers for which they write a reason.
    """

    kind: Kind
    sensitivity: float
    tie: float
    left_bias: float
    lapse: float
    median_seconds: float
    spread: float
    blind: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)
    bad_below: float = -1.0
    reasons: float = 0.0

    def __post_init__(self) -> None:
        if self.sensitivity < 0 or self.median_seconds <= 0 or self.spread < 0:
            raise ProfileError("sensitivity and spread must be ≥ 0 and median_seconds > 0.")
        if not (0 <= self.lapse <= 1 and 0 <= self.reasons <= 1):
            raise ProfileError(f"lapse {self.lapse} and reasons {self.reasons} are shares between 0 and 1.")
        if min(self.blind) < 0 or abs(sum(self.blind) - 1) > 1e-9:
            raise ProfileError(f"blind is {self.blind}; three chances which sum to 1 are needed.")


@dataclass(frozen=True)
class SimulatedAnswer:
    """choice in canonical terms (not display terms), seconds spent, and a reason if they wrote one."""

    choice: Choice
    seconds: float
    reason: str | None = None


def answer(
    profile: AnnotatorProfile,
    quality_a: float,
    quality_b: float,
    side_shown_left: Side,
    rng: np.random.Generator,
) -> SimulatedAnswer:
    """One judgment. Qualities are latent, on a scale where the responses of a project have a spread of
    about 1.
    """
    if not (np.isfinite(quality_a) and np.isfinite(quality_b)):
        raise ProfileError(f"qualities are {quality_a} and {quality_b}; give finite numbers.")
    left, right = (quality_a, quality_b) if side_shown_left == "a" else (quality_b, quality_a)
    looks = bool(rng.random() >= profile.lapse)
    felt = profile.sensitivity * (left - right)
    chances = np.asarray(profile.blind)
    if looks:
        chances = choice_probabilities(felt + profile.left_bias, profile.tie)
    pressed = int(rng.choice(3, p=chances))
    closeness = float(np.exp(-abs(felt))) if looks else 0.0
    typical = profile.median_seconds * (1.0 + 0.5 * closeness)
    seconds = float(typical * np.exp(profile.spread * rng.standard_normal()))
    choice = _canonical(pressed, side_shown_left)
    if choice == "tie" and looks and max(quality_a, quality_b) < profile.bad_below:
        choice = "both_bad"
    reason = _reason(choice, abs(felt)) if looks and rng.random() < profile.reasons else None
    return SimulatedAnswer(choice, seconds, reason)


def choice_probabilities(difference: float, tie: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Davidson: softmax of (d/2, τ, −d/2), chances of (left, tie, right), shape (3,)."""
    logits = np.array([difference / 2, tie, -difference / 2], dtype=np.float64)
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def draw_profiles(n: int, rng: np.random.Generator) -> tuple[AnnotatorProfile, ...]:
    """n annotators in random order, mostly careful; from n = 6 on every kind is there.

    How many of each kind follows from n alone (the mixture, rounded, at least one of each, the rest careful);
    what each is like is drawn. Below 6 the kinds are drawn from the mixture too.
    """
    if n < 0:
        raise ProfileError(f"n is {n}; ask for zero or more annotators.")
    kinds: list[Kind] = []
    if n >= 6:
        for kind in KINDS[1:]:
            kinds += [kind] * max(1, round(MIXTURE[kind] * n))
        kinds += ["careful"] * (n - len(kinds))
    else:
        kinds = [KINDS[i] for i in rng.choice(len(KINDS), n, p=list(MIXTURE.values()))]
    return tuple(draw_profile(kinds[i], rng) for i in rng.permutation(n))


@dataclass(frozen=True)
class Noise:
    """Stated noise: Bradley-Terry, P(A) = 1 / (1 + exp(−s·(q_A − q_B))) with s the sensitivity, never a tie;
    and a share `slips` of answers in which A or B is pressed blindly, either with chance ½.
    """

    sensitivity: float
    slips: float = 0.0

    def profile(self) -> AnnotatorProfile:
        """An annotator with just this noise. Raises ProfileError."""
        if not (math.isfinite(self.sensitivity) and self.sensitivity >= 0):
            raise ProfileError(f"sensitivity is {self.sensitivity}; it must be a number ≥ 0.")
        if not 0 <= self.slips <= 1:
            raise ProfileError(f"slips are {self.slips}; a share between 0 and 1 is needed.")
        return AnnotatorProfile(
            "stated", self.sensitivity, NEVER, 0.0, self.slips, 25.0, 0.5, blind=(0.5, 0.0, 0.5)
        )

    def share_right(self, differences: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        """How often one answer names the better of two, on average over pairs with these differences."""
        sure = 1 / (1 + np.exp(-self.sensitivity * np.abs(differences)))
        return float(np.mean((1 - self.slips) * sure + self.slips / 2))


def draw_profile(kind: Kind, rng: np.random.Generator) -> AnnotatorProfile:
    """One annotator of the given kind; no two are quite alike (log-normal and uniform jitter)."""
    taste = float(np.exp(rng.normal(0.0, 0.15)))
    pace = float(np.exp(rng.normal(0.0, 0.25)))
    if kind == "careful":
        return AnnotatorProfile(
            kind,
            3.2 * taste,
            rng.uniform(-0.8, 0.0),
            0.0,
            0.01,
            32 * pace,
            0.45,
            reasons=rng.uniform(0.1, 0.5),
        )
    if kind == "noisy":
        return AnnotatorProfile(
            kind, 1.2 * taste, rng.uniform(-0.8, 0.3), 0.0, 0.08, 24 * pace, 0.6, reasons=0.08
        )
    if kind == "left_biased":
        return AnnotatorProfile(
            kind,
            1.8 * taste,
            rng.uniform(-1.2, -0.4),
            rng.uniform(1.6, 2.6),
            0.03,
            22 * pace,
            0.5,
            reasons=0.05,
        )
    if kind == "spammer":
        habit = rng.dirichlet((6.0, 2.0, 6.0))
        blind = (float(habit[0]), float(habit[1]), 1.0 - float(habit[0]) - float(habit[1]))
        return AnnotatorProfile(kind, 0.0, 0.0, 0.0, 1.0, 7 * pace, 0.5, blind=blind)
    if kind == "too_fast":
        return AnnotatorProfile(
            kind, 1.4 * taste, rng.uniform(-1.0, -0.2), 0.0, rng.uniform(0.3, 0.5), 2.2 * pace, 0.35
        )
    raise ProfileError("Stated noise is not drawn: see Noise.")


def _canonical(pressed: int, side_shown_left: Side) -> Choice:
    if pressed == 1:
        return "tie"
    return "a" if (pressed == 0) == (side_shown_left == "a") else "b"


def _reason(choice: Choice, felt: float) -> str:
    if choice == "tie":
        return "Both do the job about equally well."
    if choice == "both_bad":
        return "Neither answers the question properly."
    return "Clearly more correct and complete." if felt > 2.0 else "Slightly clearer, but both would do."
