"""Everything a run says about itself, with sample sizes, intervals and baselines."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rewardmodel.evaluation import accuracy, calibration, ceiling, clustered, length_bias


@dataclass(frozen=True)
class Prediction:
    """What one predictor says about m pairs it has not learned from."""

    d: np.ndarray  # (m,) reward differences A - B
    log_p: np.ndarray  # (m, 3) over (A, B, tie)


@dataclass(frozen=True)
class HeldOut:
    """m pairs over P prompts and n responses, and what was predicted of them."""

    model: Prediction
    length: Prediction
    majority: Prediction
    shares: np.ndarray  # (m, 3)
    votes: np.ndarray  # (m,) raw counts
    prompt: np.ndarray  # (m,) in 0…P-1, every prompt occurring
    left: np.ndarray  # (m,) rows of the responses
    right: np.ndarray  # (m,)
    reward: np.ndarray  # (n,) of models which did not see the response's prompt
    log_length: np.ndarray  # (n,) log(1 + characters)
    prompt_of_response: np.ndarray  # (n,)


def report(held: HeldOut, *, resamples: int, rng: np.random.Generator) -> dict[str, Any]:
    """Metrics as plain JSON values. Intervals are 95 %, from `resamples` bootstrap draws of whole prompts."""
    prompts = int(held.prompt.max()) + 1
    draws = clustered.resamples(prompts, resamples, rng)
    accurate = accuracy.pairwise(held.model.d, held.shares, held.prompt, draws)
    calibrated = calibration.calibration(held.model.log_p, held.shares, held.prompt, draws)
    voter = ceiling.one_voter_against_the_others(held.shares, held.votes, held.prompt, draws)
    lift = accuracy.lift(held.model.d, held.length.d, held.shares, held.prompt, draws)
    return {
        "accuracy": accurate.decided.as_dict(),
        "nll": calibrated.nll.value,
        "brier": calibrated.brier.value,
        "ece": calibrated.ece.value,
        "ece_by_chance": asdict(calibrated.ece_by_chance),
        "baselines": {
            "length": _baseline(held.length, held, draws),
            "majority": _baseline(held.majority, held, draws),
        },
        "first_side_wins": accuracy.first_side(held.shares, held.prompt, draws).as_dict(),
        "lift_over_length": lift.as_dict(),
        "accuracy_leaning": accurate.leaning.as_dict(),
        "ties": {
            "n": accurate.ties,
            "share": accurate.ties / accurate.pairs,
            "mean_margin": accurate.margin_of_ties,
            "mean_margin_of_decided": accurate.margin_of_decided,
        },
        "intervals": {
            "nll": calibrated.nll.as_dict(),
            "brier": calibrated.brier.as_dict(),
            "ece": calibrated.ece.as_dict(),
            "ece_tie": calibrated.ece_tie.as_dict(),
            "method": f"percentile bootstrap, {resamples} resamples of {prompts} prompts",
        },
        "reliability": [
            {"predicted": predicted, "observed": observed, "n": n}
            for predicted, observed, n in calibrated.bins
        ],
        "ceiling": {"one_voter_against_the_others": voter.as_dict()},
        "length_bias": length_bias.length_bias(
            held.reward, held.log_length, held.prompt_of_response, held.left, held.right, held.shares
        ).as_dict(),
        "evaluated": {"pairs": accurate.pairs, "prompts": prompts, "votes": int(held.votes.sum())},
    }


def _baseline(prediction: Prediction, held: HeldOut, draws: np.ndarray) -> dict[str, Any]:
    """Accuracy on the same decided pairs, and proper scores on the same pairs."""
    right = accuracy.pairwise(prediction.d, held.shares, held.prompt, draws).decided
    scores = calibration.calibration(prediction.log_p, held.shares, held.prompt, draws)
    return {**asdict(right), "nll": scores.nll.value, "brier": scores.brier.value, "ece": scores.ece.value}
