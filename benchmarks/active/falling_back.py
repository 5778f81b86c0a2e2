"""How often does the loop fall back to random, with an equal, a good and a harmful strategy?

OMP_NUM_THREADS=1 python -m benchmarks.active.falling_back [--projects 200]

Simulated projects (tests/activelearning/acquisition/arms.py): 10 rounds of 40 labels an arm, 8 features, 400
audit pairs of 100 prompts. Writes falling_back.csv: the share of projects in which the rule says "fall back"
after a round (from the third), after the tenth, and at least once; mean and standard deviation of the gain
after the tenth round, in points.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from activelearning.acquisition.worth import WorthConfig, should_fall_back
from tests.activelearning.acquisition.arms import Project

ROUNDS = 10
POINTS_ONLY = WorthConfig(repeats=2, draws=2)  # the rule looks at no interval


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, default=200)
    options = parser.parse_args()
    with Path(__file__).with_name("falling_back.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["strategy", "a_round", "last_round", "ever", "gain_points", "gain_sd", "projects"])
        for strategy in ("equal", "good", "harmful"):
            row = [strategy, *measure(strategy, options.projects), options.projects]
            writer.writerow(row)
            print(*row)


def measure(strategy: str, projects: int) -> list[float]:
    said = np.zeros((projects, ROUNDS), dtype=bool)
    gain = np.zeros(projects)
    for seed in range(projects):
        history = Project(seed).rounds(strategy, ROUNDS, config=POINTS_ONLY)
        said[seed] = [should_fall_back(history[: n + 1]) for n in range(ROUNDS)]
        gain[seed] = 100 * (history[-1].gain or 0.0)
    rates = (said[:, 2:].mean(), said[:, -1].mean(), said.any(axis=1).mean())
    return [round(float(value), 3) for value in (*rates, gain.mean(), gain.std(ddof=1))]


if __name__ == "__main__":
    main()
