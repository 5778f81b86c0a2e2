"""Time of choosing 500 pairs among 10⁶, against drawing them at random and against the naive greedy.

OMP_NUM_THREADS=1 python -m benchmarks.acquisition.timing [--candidates 1000000] [--repeats 5]
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from activelearning.acquisition.candidates import candidate_pairs
from activelearning.acquisition.diversity import greedy_d_optimal
from activelearning.acquisition.pool import CandidatePairs, LabelledPairs, ResponsePool
from activelearning.acquisition.recipe import select_batch
from activelearning.acquisition.uncertainty import combined_uncertainty, pair_differences

RESPONSES, MEMBERS, DIMENSIONS, LABELLED, BATCH = 20, 8, 384, 2_000, 500
KEPT, REDUCED = 50_000, 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    pool = make_pool(options.candidates)
    candidates = open_pairs(pool)
    labelled = make_labels(candidates)
    rng = np.random.default_rng(2)
    x = rng.standard_normal((KEPT, REDUCED)).astype(np.float32) * np.linspace(
        1.0, 0.1, REDUCED, dtype=np.float32
    )
    x /= np.sqrt((x**2).sum(axis=1).mean())
    v = rng.uniform(0.05, 0.25, KEPT)

    def uniform() -> None:
        rows = np.random.default_rng(0).choice(len(candidates), BATCH, replace=False)
        assert len(candidates.response_id[candidates.first[rows]]) == BATCH

    picks: dict[str, list[int]] = {}
    steps: dict[str, Callable[[], object]] = {
        "list all open pairs": lambda: open_pairs(pool),
        "score all pairs (disagreement, margin, BALD, ranks)": lambda: score(pool, candidates),
        "whole recipe: score, thin to 50,000, pick 500": lambda: select_batch(
            pool, candidates, labelled, n=BATCH, rng=np.random.default_rng(0)
        ),
        "uniform random 500": uniform,
        "greedy 500 of 50,000, rank-one update": lambda: picks.update(
            fast=greedy_d_optimal(x, v, BATCH, np.eye(REDUCED))[0].tolist()
        ),
        "greedy 500 of 50,000, inverse recomputed": lambda: picks.update(naive=naive_greedy(x, v, BATCH)),
    }
    seconds = best_of(steps, options.repeats)
    same = sum(a == b for a, b in zip(picks["fast"], picks["naive"], strict=True))
    write(seconds, len(candidates), same)


def make_pool(pairs: int) -> ResponsePool:
    prompts = -(-pairs // (RESPONSES * (RESPONSES - 1) // 2))
    rng = np.random.default_rng(0)
    n = prompts * RESPONSES
    prompt = np.repeat([f"p{i:06d}" for i in range(prompts)], RESPONSES)
    response = np.array([f"r{i:07d}" for i in range(n)])
    features = rng.standard_normal((n, DIMENSIONS), dtype=np.float32)
    features *= np.linspace(1.0, 0.1, DIMENSIONS, dtype=np.float32)
    rewards = features @ rng.standard_normal((DIMENSIONS, MEMBERS), dtype=np.float32) * 0.1
    return ResponsePool(response, prompt, features, rewards)


def open_pairs(pool: ResponsePool) -> CandidatePairs:
    return candidate_pairs(pool.response_id, pool.prompt_id, rng=np.random.default_rng(0))


def make_labels(candidates: CandidatePairs) -> LabelledPairs:
    rng = np.random.default_rng(1)
    rows = rng.choice(len(candidates), LABELLED, replace=False)
    shares = rng.multinomial(5, [0.4, 0.2, 0.4], size=LABELLED) / 5
    votes, held_out = np.full(LABELLED, 5.0), rng.random(LABELLED) < 0.2
    return LabelledPairs(candidates.response_a[rows], candidates.response_b[rows], shares, votes, held_out)


def score(pool: ResponsePool, candidates: CandidatePairs) -> np.ndarray:
    assert pool.rewards is not None
    found = pair_differences(pool.rewards, candidates.first, candidates.second)
    return combined_uncertainty(found.disagreement, found.mean)


def naive_greedy(x: np.ndarray, v: np.ndarray, n: int) -> list[int]:
    """What greedy_d_optimal does, with the inverse and every quadratic form computed anew for each pick."""
    precision = np.eye(x.shape[1])
    picks: list[int] = []
    for _ in range(n):
        covariance = np.linalg.inv(precision).astype(np.float32)
        gain = v * np.einsum("ij,ij->i", x @ covariance, x)
        gain[picks] = -np.inf
        best = int(np.argmax(gain))
        picks.append(best)
        precision += v[best] * np.outer(x[best], x[best])
    return picks


def best_of(steps: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """The shortest of several turns, all steps in each, so that a busy minute does not fall on one step."""
    best = dict.fromkeys(steps, float("inf"))
    for _ in range(repeats):
        for name, step in steps.items():
            begin = time.perf_counter()
            step()
            best[name] = min(best[name], time.perf_counter() - begin)
    return best


def write(seconds: dict[str, float], candidates: int, same: int) -> None:
    whole = seconds["whole recipe: score, thin to 50,000, pick 500"]
    path = Path(__file__).with_name("timing.csv")
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["step", "candidates", "seconds", "ratio_to_whole_recipe"])
        for name, value in seconds.items():
            size = KEPT if name.startswith("greedy") else candidates
            table.writerow([name, size, f"{value:.3g}", f"{value / whole:.3g}"])
    print(path.read_text())
    fast = seconds["greedy 500 of 50,000, rank-one update"]
    naive = seconds["greedy 500 of 50,000, inverse recomputed"]
    print(f"naive / rank-one: {naive / fast:.1f}; the same pick at {same} of {BATCH} turns")


if __name__ == "__main__":
    main()
