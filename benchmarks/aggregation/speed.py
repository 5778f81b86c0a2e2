"""800,000 votes of 1,000 simulated annotators on 160,000 pairs: how long, and how much memory."""

from __future__ import annotations

import os
from statistics import median
from typing import Any

from benchmarks.aggregation.labels import same
from benchmarks.aggregation.sides import CROWD_KIT, LAUREL, Fitted, staged
from tests.annotation.aggregation.voting import simulated

ANNOTATORS, VOTES, ROUNDS = 1_000, 800, 3
METHODS = {
    (LAUREL, "competence"): ROUNDS,
    (CROWD_KIT, "MACE, lined up, one start"): ROUNDS,
    (LAUREL, "Dawid-Skene"): ROUNDS,
    (CROWD_KIT, "Dawid-Skene"): ROUNDS,
    (LAUREL, "vote shares"): ROUNDS,
    (CROWD_KIT, "majority vote"): ROUNDS,
    (CROWD_KIT, "MACE, lined up"): 1,  # ten starts, alike: minutes
}
"""In how many rounds each is measured; a round goes through all, so that all meet the same machine."""


def measured(crowd_kit: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of speed.csv and of same.csv."""
    one = simulated(0, annotators=ANNOTATORS, votes=VOTES)
    runs: dict[tuple[str, str], list[Fitted]] = {which: [] for which in METHODS}
    with staged(one.votes, crowd_kit) as stage:
        for number in range(ROUNDS):
            load = os.getloadavg()[0]
            print(f"round {number + 1} of {ROUNDS}, load {load:.1f}")
            for which, rounds in METHODS.items():
                if number < rounds:
                    runs[which].append(stage.fit(*which))
    base = runs[LAUREL, "competence"]
    rows = []
    for (side, method), found in runs.items():
        right = (found[0].chances.argmax(axis=1) == one.truth).mean()
        processor, peak = median(run.cpu_seconds for run in found), median(run.peak_mb for run in found)
        rows.append(
            {
                "side": side,
                "method": method,
                "rounds": len(found),
                "steps": found[0].steps,
                "cpu_seconds": f"{processor:.2f}",
                "seconds": f"{median(run.seconds for run in found):.2f}",
                "before_mb": f"{median(run.before_mb for run in found):.0f}",
                "peak_mb": f"{peak:.0f}",
                "time_ratio": f"{processor / median(run.cpu_seconds for run in base):.2f}",
                "memory_ratio": f"{peak / median(run.peak_mb for run in base):.2f}",
                "right": f"{right:.4f}",
            }
        )
    return rows, [same("simulated", one.votes, runs[CROWD_KIT, "Dawid-Skene"][0])]
