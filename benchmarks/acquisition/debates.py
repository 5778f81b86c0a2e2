"""Does the recipe beat random on real votes? UKPConvArg1: 11,747 pairs of arguments, five votes each.

OMP_NUM_THREADS=1 python -m benchmarks.acquisition.debates PAIRS.jsonl.gz [--seeds 20]

Six of the 22 debates, others for each seed, are kept for measuring. Features: what the product's reward
heads see (surface features, bundled encoder), the embedding part reduced to 40 dimensions. Model: eight
ridge-penalised logistic regressions under Poisson(1) bootstrap weights.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit
from sklearn.decomposition import PCA

from activelearning.acquisition.pool import CandidatePairs, LabelledPairs, find_positions
from activelearning.acquisition.quotas import RecipeConfig
from activelearning.acquisition.simulation import LearningCurves, Scores, World, gap, simulate
from rewardmodel.training import encoder, features

MEMBERS, PENALTY, START, BATCH, ROUNDS, TEST_DEBATES = 8, 3.0, 100, 100, 8, 6
ARMS = {
    "recipe": RecipeConfig(),
    "uncertainty only": RecipeConfig(uncertainty=1.0, diversity=0.0, error=0.0),
    "diversity only": RecipeConfig(uncertainty=0.0, diversity=1.0, error=0.0),
    "error only": RecipeConfig(uncertainty=0.0, diversity=0.0, error=1.0),
    "random (control)": RecipeConfig(audit=1.0),
}


@dataclass(frozen=True, eq=False)
class Debates:
    response_id: np.ndarray
    debate: np.ndarray
    features: np.ndarray
    pairs: CandidatePairs
    shares: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    debates = read(options.pairs)
    rows: list[list[object]] = []
    for arm, config in ARMS.items():
        curves = [one_seed(debates, seed, config) for seed in range(options.seeds)]
        rows += table(arm, curves)
        print(*rows[-1])
    with Path(__file__).with_name("debates.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            [
                "arm",
                "labels",
                "accuracy",
                "random_accuracy",
                "gain",
                "gain_se",
                "nll_gain",
                "nll_gain_se",
                "seeds",
            ]
        )
        writer.writerows(rows)


def read(path: Path) -> Debates:
    texts: dict[str, tuple[str, str]] = {}
    titles: dict[str, str] = {}
    votes: dict[tuple[str, str], np.ndarray] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            a, b = (f"{row['debate']}/{row[key]}" for key in ("arg1_id", "arg2_id"))
            texts[a], texts[b] = (row["debate"], row["arg1"]), (row["debate"], row["arg2"])
            titles[a] = titles[b] = f"{row['title']}\nStance: {row['stance']}"
            cast = [vote["value"] for vote in row["votes"]]
            count = np.array([cast.count(value) for value in ("a1", "equal", "a2")], dtype=float)
            turned = a > b
            key = (b, a) if turned else (a, b)
            votes[key] = votes.get(key, np.zeros(3)) + (count[::-1] if turned else count)
    names = np.array(list(texts))
    debate = np.array([texts[name][0] for name in texts])
    seen = embed([texts[name][1] for name in texts], [titles[name] for name in texts])
    keys = list(votes)
    pairs = CandidatePairs.from_ids(names, debate, [a for a, _ in keys], [b for _, b in keys])
    counts = np.array([votes[key] for key in keys])
    return Debates(names, debate, seen, pairs, counts / counts.sum(axis=1, keepdims=True))


def embed(texts: list[str], prompts: list[str]) -> np.ndarray:
    """(n, 61): surface features and the match with the prompt, and 40 directions of the rest."""
    with tempfile.TemporaryDirectory() as cache:
        found = encoder.locate(encoder.DEFAULT_ENCODER, None, 4)
        vectors = encoder.embed(found, [*texts, *prompts], Path(cache))
    raw = features.raw(texts, vectors[: len(texts)], vectors[len(texts) :])
    scaled = features.standardisation(raw).apply(raw)
    plain = len(features.SURFACE) + 1
    return np.hstack([scaled[:, :plain], PCA(40, random_state=0).fit_transform(scaled[:, plain:])])


def one_seed(data: Debates, seed: int, config: RecipeConfig) -> LearningCurves:
    rng = np.random.default_rng([seed, 7])
    kept = rng.choice(np.unique(data.debate), TEST_DEBATES, replace=False)
    test = np.isin(data.pairs.prompts, kept)

    def part(rows: np.ndarray) -> CandidatePairs:
        a, b = data.pairs.response_a[rows], data.pairs.response_b[rows]
        return CandidatePairs.from_ids(data.response_id, data.debate, a, b)

    world = World(
        data.response_id,
        data.debate,
        data.features,
        part(~test),
        data.shares[~test],
        part(test),
        data.shares[test],
        votes=None,
    )

    def train(labelled: LabelledPairs, rng: np.random.Generator) -> Scores:
        return bootstrap_ridge(data, labelled, rng)

    return simulate(world, train, rounds=ROUNDS, batch=BATCH, start=START, seeds=[seed], config=config)


def bootstrap_ridge(data: Debates, labelled: LabelledPairs, rng: np.random.Generator) -> Scores:
    rows = np.flatnonzero(~labelled.held_out)
    a = find_positions(data.response_id, labelled.response_a[rows])
    b = find_positions(data.response_id, labelled.response_b[rows])
    x = data.features[a] - data.features[b]
    y = labelled.shares[rows, 0] + labelled.shares[rows, 1] / 2
    weights = np.zeros((x.shape[1], MEMBERS))
    for k in range(MEMBERS):
        times, w = rng.poisson(1.0, len(x)), np.zeros(x.shape[1])
        for _ in range(5):
            p = expit(x @ w)
            hessian = (x.T * (times * p * (1 - p))) @ x + PENALTY * np.eye(len(w))
            w = w + np.linalg.solve(hessian, x.T @ (times * (y - p)) - PENALTY * w)
        weights[:, k] = w
    return Scores(data.features @ weights)


def table(arm: str, curves: list[LearningCurves]) -> list[list[object]]:
    """One row per label count, and one ("mean") over the rounds after the start."""
    recipe, random = (np.vstack([getattr(c, side).accuracy for c in curves]) for side in ("recipe", "random"))
    nll, random_nll = (np.vstack([getattr(c, side).nll for c in curves]) for side in ("recipe", "random"))
    found: list[list[object]] = []
    for column, labels in enumerate(curves[0].labels.tolist()):
        found.append(
            [arm, labels, *row(*(m[:, [column, column]] for m in (recipe, random, nll, random_nll)))]
        )
    return [*found, [arm, "mean", *row(recipe, random, nll, random_nll)]]


def row(recipe: np.ndarray, random: np.ndarray, nll: np.ndarray, random_nll: np.ndarray) -> list[object]:
    accuracy, loss = gap(recipe, random), gap(nll, random_nll)
    figures = (
        recipe[:, 1:].mean(),
        random[:, 1:].mean(),
        accuracy.mean,
        accuracy.standard_error,
        loss.mean,
        loss.standard_error,
    )
    return [*(f"{value:.4f}" for value in figures), accuracy.seeds]


if __name__ == "__main__":
    main()
