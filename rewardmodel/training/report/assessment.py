"""From fitted heads to held-out predictions, blended with length and calibrated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rewardmodel.evaluation import baselines, blend
from rewardmodel.evaluation.blend import Blend
from rewardmodel.evaluation.calibration import log_probabilities
from rewardmodel.evaluation.report import HeldOut, Prediction
from rewardmodel.training.data import Snapshot
from rewardmodel.training.plan import Plan


@dataclass(frozen=True)
class Assessment:
    """`rows` are the pairs which `held` speaks of; `blend` belongs to the ensemble that is kept."""

    held: HeldOut
    rows: np.ndarray  # (m,) of the snapshot's pairs
    used: np.ndarray  # of the snapshot's responses, those that `held` numbers
    group: np.ndarray  # (n,) for every response the group of heads that did not see its prompt
    length: np.ndarray  # (n,) and what its blend adds for every standard deviation of log length
    members: np.ndarray  # (n, K) its rewards under each of those heads, before the blend
    heads: np.ndarray  # (m,) what the heads alone say of the pairs, before the blend
    blend: Blend

    @property
    def member_differences(self) -> np.ndarray:
        """(m, K) reward differences of the held-out pairs under each head; the blend is the same for all."""
        rewards = self.members[self.used]
        return np.asarray(rewards[self.held.left] - rewards[self.held.right])


def assess(
    snapshot: Snapshot, plan: Plan, rewards: np.ndarray, tau: np.ndarray, length: np.ndarray
) -> Assessment:
    """rewards: (n, G, K) under the K heads of each group; tau: (G,) mean over the heads of each group;
    length: (n,) standardised log lengths, the feature."""
    length = length.astype(np.float64)
    if plan.fold is not None:
        return _cross_fitted(snapshot, plan, plan.fold, rewards, tau, length)
    return _held_out(snapshot, rewards[:, 0], float(tau[0]), length)


def _held_out(snapshot: Snapshot, members: np.ndarray, tau: float, length: np.ndarray) -> Assessment:
    reward = members.mean(axis=1)
    training, calibrating, testing = (
        np.flatnonzero(snapshot.pairs.split == name) for name in ("train", "calibration", "test")
    )
    heads, gap = _difference(snapshot, reward), _difference(snapshot, length)
    fitted = _blend(snapshot, heads, gap, calibrating, tau)
    mixed = fitted.mix(reward, length)
    predicted = _predict(snapshot, _difference(snapshot, mixed), training, testing, fitted)
    held, used = _collect(snapshot, testing, predicted, mixed)
    n = len(reward)
    own, weight = np.zeros(n, dtype=np.int64), np.full(n, fitted.length)
    return Assessment(held, testing, used, own, weight, members, heads[testing], fitted)


def _cross_fitted(
    snapshot: Snapshot,
    plan: Plan,
    fold: np.ndarray,
    rewards: np.ndarray,
    tau: np.ndarray,
    length: np.ndarray,
) -> Assessment:
    """Every pair by the heads that did not see its prompt; its blend and baselines are fitted on the other
    folds."""
    responses = snapshot.responses
    fold_of_prompt = np.zeros(
        len(responses.prompt_ids), dtype=np.int64
    )  # prompts without pairs: the kept ensemble
    fold_of_prompt[plan.prompts] = fold
    fold_of_response = fold_of_prompt[responses.prompt]
    members = rewards[np.arange(len(rewards)), fold_of_response]
    reward = members.mean(axis=1)
    heads, gap = _difference(snapshot, reward), _difference(snapshot, length)
    fold_of_pair = fold[plan.prompt]
    m = len(heads)
    kept = _blend(snapshot, heads, gap, np.arange(m), float(tau[0]))
    mixed, weight = kept.mix(reward, length), np.full(len(reward), kept.length)
    model, by_length, majority = (Prediction(np.empty(m), np.empty((m, 3))) for _ in range(3))
    for f in range(1, int(fold.max()) + 1):
        inside, others = np.flatnonzero(fold_of_pair == f), np.flatnonzero(fold_of_pair != f)
        fitted = _blend(snapshot, heads, gap, others, float(tau[f]))
        mine = fold_of_response == f
        mixed[mine], weight[mine] = fitted.mix(reward[mine], length[mine]), fitted.length
        predictions = _predict(snapshot, fitted.mix(heads, gap), others, inside, fitted)
        for whole, part in zip((model, by_length, majority), predictions, strict=True):
            whole.d[inside], whole.log_p[inside] = part.d, part.log_p
    rows = np.arange(m)
    held, used = _collect(snapshot, rows, (model, by_length, majority), mixed)
    return Assessment(held, rows, used, fold_of_response, weight, members, heads, kept)


def _difference(snapshot: Snapshot, value: np.ndarray) -> np.ndarray:
    """(n,) of responses -> (m,) left minus right of every pair."""
    return np.asarray(value[snapshot.pairs.left] - value[snapshot.pairs.right])


def _blend(snapshot: Snapshot, heads: np.ndarray, gap: np.ndarray, rows: np.ndarray, tau: float) -> Blend:
    pairs = snapshot.pairs
    known = blend.Known(heads[rows], gap[rows], pairs.shares[rows], pairs.weight[rows], pairs.prompt[rows])
    return blend.fit(known, tau)


def _predict(
    snapshot: Snapshot, d: np.ndarray, training: np.ndarray, held: np.ndarray, fitted: Blend
) -> tuple[Prediction, Prediction, Prediction]:
    """The model and both baselines on the held-out pairs; the baselines are fitted on the training pairs."""
    pairs = snapshot.pairs
    gap = _difference(snapshot, log_lengths(snapshot.responses.texts))
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
) -> tuple[HeldOut, np.ndarray]:
    """Renumber prompts and responses to those of the held-out pairs; also which responses those are."""
    pairs = snapshot.pairs
    prompt = np.unique(pairs.prompt[rows], return_inverse=True)[1]
    used, sides = np.unique(np.stack([pairs.left[rows], pairs.right[rows]]), return_inverse=True)
    left, right = sides.reshape(2, -1)
    held = HeldOut(
        *predicted,
        shares=pairs.shares[rows],
        votes=pairs.votes[rows],
        prompt=prompt,
        left=left,
        right=right,
        reward=reward[used],
        log_length=log_lengths(snapshot.responses.texts)[used],
        prompt_of_response=np.unique(snapshot.responses.prompt[used], return_inverse=True)[1],
    )
    return held, used


def log_lengths(texts: Sequence[str]) -> np.ndarray:
    """(n,) log(1 + characters)."""
    return np.log1p(np.array([len(text) for text in texts], dtype=np.float64))


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
    yield "d_heads", assessment.heads
    yield "d_length", assessment.held.length.d
    for name, column in (("p_a", 0), ("p_b", 1), ("p_tie", 2)):
        yield name, p[:, column]
    for name, column in (("share_a", 0), ("share_b", 1), ("share_tie", 2)):
        yield name, pairs.shares[rows, column]
