"""From fitted heads to held-out predictions, temperature and metrics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rewardmodel.evaluation import baselines
from rewardmodel.evaluation.calibration import Temperature, fit_temperature, log_probabilities
from rewardmodel.evaluation.report import HeldOut, Prediction
from rewardmodel.training.data import Snapshot
from rewardmodel.training.plan import Plan


@dataclass(frozen=True)
class Assessment:
    """`rows` are the pairs which `held` speaks of; `temperature` belongs to the ensemble that is kept."""

    held: HeldOut
    rows: np.ndarray
    temperature: Temperature


def assess(snapshot: Snapshot, plan: Plan, rewards: np.ndarray, tau: np.ndarray) -> Assessment:
    """rewards: (n, G) mean over the heads of each group; tau: (G,) likewise."""
    if plan.fold is not None:
        return _cross_fitted(snapshot, plan, plan.fold, rewards, tau)
    return _held_out(snapshot, plan, rewards[:, 0], float(tau[0]))


def _held_out(snapshot: Snapshot, plan: Plan, reward: np.ndarray, tau: float) -> Assessment:
    pairs = snapshot.pairs
    d = reward[pairs.left] - reward[pairs.right]
    training, calibrating, testing = (
        np.flatnonzero(pairs.split == name) for name in ("train", "calibration", "test")
    )
    fitted = fit_temperature(d[calibrating], pairs.shares[calibrating], pairs.weight[calibrating], tau)
    predicted = _predict(snapshot, d, training, testing, fitted)
    return Assessment(_collect(snapshot, testing, predicted, reward), testing, fitted)


def _cross_fitted(
    snapshot: Snapshot, plan: Plan, fold: np.ndarray, rewards: np.ndarray, tau: np.ndarray
) -> Assessment:
    """Every pair by the heads that did not see its prompt; its temperature and baselines likewise."""
    pairs, responses = snapshot.pairs, snapshot.responses
    fold_of_prompt = np.zeros(
        len(responses.prompt_ids), dtype=np.int64
    )  # prompts without pairs: the kept ensemble
    fold_of_prompt[plan.prompts] = fold
    fold_of_response = fold_of_prompt[responses.prompt]
    reward = rewards[np.arange(len(rewards)), fold_of_response]
    d = reward[pairs.left] - reward[pairs.right]
    fold_of_pair = fold[plan.prompt]
    everything = np.arange(len(d))
    model, length, majority = (Prediction(np.empty(len(d)), np.empty((len(d), 3))) for _ in range(3))
    for f in range(1, int(fold.max()) + 1):
        inside, others = np.flatnonzero(fold_of_pair == f), np.flatnonzero(fold_of_pair != f)
        fitted = fit_temperature(d[others], pairs.shares[others], pairs.weight[others], float(tau[f]))
        predictions = _predict(snapshot, d, others, inside, fitted)
        for whole, part in zip((model, length, majority), predictions, strict=True):
            whole.d[inside], whole.log_p[inside] = part.d, part.log_p
    kept = fit_temperature(d, pairs.shares, pairs.weight, float(tau[0]))
    return Assessment(_collect(snapshot, everything, (model, length, majority), reward), everything, kept)


def _predict(
    snapshot: Snapshot, d: np.ndarray, training: np.ndarray, held: np.ndarray, fitted: Temperature
) -> tuple[Prediction, Prediction, Prediction]:
    """The model and both baselines on the held-out pairs; the baselines are fitted on the training pairs."""
    pairs = snapshot.pairs
    gap = log_lengths(snapshot)[pairs.left] - log_lengths(snapshot)[pairs.right]
    shares, weight = pairs.shares[training], pairs.weight[training]
    length = baselines.fit_length(gap[training], shares, weight)
    majority = baselines.fit_majority(shares, weight)
    by_length = length.predict(gap[held])
    return (
        Prediction(d[held], log_probabilities(d[held], fitted.temperature, fitted.tau)),
        Prediction(by_length, log_probabilities(by_length, 1.0, length.tau)),
        Prediction(majority.predict(len(held)), np.tile(np.log(majority.shares), (len(held), 1))),
    )


def _collect(
    snapshot: Snapshot,
    rows: np.ndarray,
    predicted: tuple[Prediction, Prediction, Prediction],
    reward: np.ndarray,
) -> HeldOut:
    """Renumber prompts and responses to those of the held-out pairs."""
    pairs = snapshot.pairs
    prompt = np.unique(pairs.prompt[rows], return_inverse=True)[1]
    used, sides = np.unique(np.stack([pairs.left[rows], pairs.right[rows]]), return_inverse=True)
    left, right = sides.reshape(2, -1)
    return HeldOut(
        *predicted,
        shares=pairs.shares[rows],
        votes=pairs.votes[rows],
        prompt=prompt,
        left=left,
        right=right,
        reward=reward[used],
        log_length=log_lengths(snapshot)[used],
        prompt_of_response=np.unique(snapshot.responses.prompt[used], return_inverse=True)[1],
    )


def log_lengths(snapshot: Snapshot) -> np.ndarray:
    """(n,) log(1 + characters)."""
    return np.log1p(np.array([len(text) for text in snapshot.responses.texts], dtype=np.float64))


def prediction_columns(
    snapshot: Snapshot, assessment: Assessment
) -> Iterator[tuple[str, list[str] | np.ndarray]]:
    """The columns of predictions.parquet: one held-out pair a row, for paired comparisons of runs."""
    pairs, rows = snapshot.pairs, assessment.rows
    p = np.exp(assessment.held.model.log_p)
    yield "pair_id", [pairs.ids[i] for i in rows]
    yield "prompt_id", [snapshot.responses.prompt_ids[pairs.prompt[i]] for i in rows]
    yield "split", [str(pairs.split[i]) for i in rows]
    yield "d", assessment.held.model.d
    yield "d_length", assessment.held.length.d
    for name, column in (("p_a", 0), ("p_b", 1), ("p_tie", 2)):
        yield name, p[:, column]
    for name, column in (("share_a", 0), ("share_b", 1), ("share_tie", 2)):
        yield name, pairs.shares[rows, column]
