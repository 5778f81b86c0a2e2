"""How the prompts of the pool differ from those the policy will meet, and what each pool prompt is worth.

A probabilistic classifier tells deployment prompts from pool prompts by their embeddings e. By Bayes' rule
its odds are the density ratio up to the class sizes (Bickel et al. 2009; Sugiyama et al. 2012, ch. 4):

    w(e) = p_deployment(e) / p_pool(e) = P(deployment | e) / P(pool | e) · n_pool / n_deployment

so that the pool, weighted by w, stands for the deployment. Predictions are out of fold, or a classifier with
room to learn its points by heart would call every prompt unlike every other; the strength of the penalty is
chosen by the log-loss of the same folds. The measure of shift is the chance that a classifier ranks a
deployment prompt it has not seen above one of the pool (two-sample test: Lopez-Paz & Oquab 2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression

from activelearning.acquisition.pool import Floats, Positions, Reals

FOLDS = 5
FEWEST = 10  # of either kind, two in each fold
MOST_FITTED = 4_000  # of either kind: more make the classifier slow, not better
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)  # C, the inverse of the penalty, on features of variance 1
TEST_STRENGTH = 1e-1  # for the measure of shift: one that nothing of the measured half has chosen
LARGEST = 20.0  # of a weight: a few prompts must not stand for all
NORMAL_95 = 1.959964


class ShiftError(ValueError):
    """The embeddings do not describe two sets of prompts."""


@dataclass(frozen=True, eq=False)
class Shift:
    """weight: (n,) of the pool's prompts, mean 1. effective: (Σw)²/Σw², how many prompts of the pool are as
    good as drawn from the deployment. auc: .5 where nothing tells the two apart, 1 where everything does,
    with its 95 % interval; None with too few prompts to say, and then every weight is 1.
    """

    weight: Floats
    effective: float
    auc: float | None
    interval: tuple[float, float] | None
    pool: int
    deployment: int


def density_ratio(pool: Reals, deployment: Reals, *, rng: np.random.Generator) -> Shift:
    """Weights of the pool's prompts (n, d) against deployment prompts (m, d).

    Weights are cut at 20 and then scaled to mean 1. Where the classifier predicts no better than the class
    sizes do, there is nothing to weigh by and all are 1. Raises ShiftError.
    """
    if pool.ndim != 2 or deployment.ndim != 2 or pool.shape[1] != deployment.shape[1]:
        raise ShiftError(
            f"Embeddings have the shapes {pool.shape} and {deployment.shape}; give (n, d) twice."
        )
    if not (np.isfinite(pool).all() and np.isfinite(deployment).all()):
        raise ShiftError("Embeddings contain NaN or infinity; embed the prompts again.")
    sizes = (len(pool), len(deployment))
    if min(sizes) < FEWEST:
        return Shift(np.ones(len(pool)), float(len(pool)), None, None, *sizes)
    few = [_few(size, rng) for size in sizes]
    rows = np.concatenate([pool[few[0]], deployment[few[1]]]).astype(np.float64)
    label = np.repeat([0, 1], [len(few[0]), len(few[1])])
    centre = rows.mean(axis=0)
    scale = float(np.sqrt(((rows - centre) ** 2).mean())) or 1.0
    rows = (rows - centre) / scale
    odds, models = _best(rows, label, _parts(label, FOLDS, rng))
    auc, interval = _auc(rows, label, rng)
    if models is None:
        return Shift(np.ones(len(pool)), float(len(pool)), auc, interval, *sizes)
    others = np.mean([model.decision_function((pool - centre) / scale) for model in models], axis=0)
    others[few[0]] = odds[label == 0]  # of those that were fitted, the model that had not seen them
    weight = np.clip(np.exp(np.minimum(others, 50.0)) * (len(few[0]) / len(few[1])), 0.0, LARGEST)
    weight = weight / weight.mean()
    effective = float(weight.sum() ** 2 / (weight**2).sum())
    return Shift(np.asarray(weight), effective, auc, interval, *sizes)


def _few(size: int, rng: np.random.Generator) -> Positions:
    if size <= MOST_FITTED:
        return np.arange(size)
    return np.sort(rng.choice(size, MOST_FITTED, replace=False))


def _parts(label: Positions, parts: int, rng: np.random.Generator) -> Positions:
    """Which of so many parts each row is in, both kinds evenly over them."""
    part = np.empty(len(label), dtype=np.int64)
    for kind in (0, 1):
        rows = rng.permutation(np.flatnonzero(label == kind))
        part[rows] = np.arange(len(rows)) % parts
    return part


def _best(rows: Floats, label: Positions, fold: Positions) -> tuple[Floats, list[LogisticRegression] | None]:
    """Out-of-fold log-odds (N,) under the best strength, and its models; None where the class sizes alone
    predict as well, by one standard error of the difference."""
    chance = float(label.mean())
    alone = np.where(label == 1, -np.log(chance), -np.log(1 - chance))
    found = []
    for strength in STRENGTHS:
        odds = np.empty(len(label))
        models = []
        for f in range(FOLDS):
            model = LogisticRegression(C=strength, max_iter=1_000)
            models.append(model.fit(rows[fold != f], label[fold != f]))
            odds[fold == f] = model.decision_function(rows[fold == f])
        loss = np.logaddexp(0.0, np.where(label == 1, -odds, odds))
        found.append((float(loss.mean()), odds, models, loss))
    best, odds, models, loss = min(found, key=lambda entry: entry[0])
    spared = alone - loss
    better = float(alone.mean()) - best > float(spared.std(ddof=1)) / np.sqrt(len(label))
    return odds, models if better else None


def _auc(rows: Floats, label: Positions, rng: np.random.Generator) -> tuple[float, tuple[float, float]]:
    """Fitted on one half and measured on the other: areas of folds that learn from one another vary by more
    than any one of them tells."""
    half = _parts(label, 2, rng) == 0
    model = LogisticRegression(C=TEST_STRENGTH, max_iter=1_000).fit(rows[half], label[half])
    odds = model.decision_function(rows[~half])
    auc, deviation = area(odds[label[~half] == 0], odds[label[~half] == 1])
    return auc, (max(0.0, auc - NORMAL_95 * deviation), min(1.0, auc + NORMAL_95 * deviation))


def area(low: Floats, high: Floats) -> tuple[float, float]:
    """P(a high score > a low one) + ½ P(equal), and its standard error (DeLong et al. 1988)."""
    every = rankdata(np.concatenate([low, high]))
    above = 1 - (every[: len(low)] - rankdata(low)) / len(high)  # for each low one the share of high above it
    below = (every[len(low) :] - rankdata(high)) / len(low)
    variance = above.var(ddof=1) / len(low) + below.var(ddof=1) / len(high)
    return float(below.mean()), float(np.sqrt(variance))
