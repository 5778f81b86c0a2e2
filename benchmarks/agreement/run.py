"""Time and peak memory of agreement on many ratings, Laurel beside the `krippendorff` library, in one run.

    python -m benchmarks.agreement.run            writes benchmarks/agreement/results.csv

Every line is measured in a process of its own, starting from the same simulated long arrays: unit, annotator,
choice. Time is processor time on one thread. Peak memory is what was allocated beyond those arrays
(tracemalloc, in a pass of its own). Ratios are to Laurel's line of the same task and size.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from annotation.agreement.annotators import estimates_over_people, ratings_of
from annotation.agreement.bootstrap import estimates
from annotation.agreement.krippendorff import LEVELS, Level, alpha, krippendorff_alpha
from annotation.agreement.report import agreement
from annotation.agreement.units import from_ratings

HERE = Path(__file__).parent
SIZES = (60_000, 800_000, 1_000_000)
VOTES, ANNOTATORS, CROWD, DRAWS, NAIVE_DRAWS = 5, 100, 1000, 1000, 5


def simulate(
    ratings: int, categories: int, annotators: int = ANNOTATORS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Five distinct annotators a unit; each gives the unit's truth with chance ½, else any category."""
    rng = np.random.default_rng(20)
    units = ratings // VOTES
    unit = np.repeat(np.arange(units), VOTES)
    first, step = rng.integers(0, annotators, units), rng.integers(1, annotators // VOTES, units)
    annotator = (first[:, None] + step[:, None] * np.arange(VOTES)).ravel() % annotators
    truth = rng.integers(0, categories, units)[unit]
    choice = np.where(rng.random(len(unit)) < 0.5, truth, rng.integers(0, categories, len(unit))) + 1
    order = rng.permutation(len(unit))
    return unit[order], annotator[order], choice[order]


def laurel(unit: np.ndarray, annotator: np.ndarray, choice: np.ndarray) -> list[float | None]:
    counts = from_ratings(unit, choice)
    return [krippendorff_alpha(counts, level).value for level in LEVELS]


def library_matrix(unit: np.ndarray, annotator: np.ndarray, choice: np.ndarray) -> list[float]:
    import krippendorff

    dense = np.full((ANNOTATORS, unit.max() + 1), np.nan)
    dense[annotator, unit] = choice
    return [krippendorff.alpha(reliability_data=dense, level_of_measurement=level) for level in LEVELS]


def library_counts(unit: np.ndarray, annotator: np.ndarray, choice: np.ndarray) -> list[float]:
    import krippendorff

    counts, values = count_matrix(unit, choice)
    return [
        krippendorff.alpha(value_counts=counts, value_domain=values, level_of_measurement=level)
        for level in LEVELS
    ]


def count_matrix(unit: np.ndarray, choice: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    width = int(choice.max())
    cells = np.bincount(unit * width + choice - 1, minlength=(unit.max() + 1) * width)
    return cells.reshape(-1, width), np.arange(1, width + 1)


def laurel_bootstrap(unit: np.ndarray, annotator: np.ndarray, choice: np.ndarray) -> list[float | None]:
    counts = from_ratings(unit, choice)
    found = estimates(counts, {"ordinal": alpha("ordinal")}, rng=np.random.default_rng(0), draws=DRAWS)[
        "ordinal"
    ]
    return [found.low, found.high]


def laurel_report(unit: np.ndarray, annotator: np.ndarray, choice: np.ndarray) -> list[float | None]:
    report = agreement(from_ratings(unit, choice), rng=np.random.default_rng(0), draws=DRAWS)
    return [report.krippendorff["ordinal"].low, report.krippendorff["ordinal"].high]


def library_bootstrap(unit: np.ndarray, annotator: np.ndarray, choice: np.ndarray) -> list[float]:
    """A few draws of the plain way, rows picked with replacement; the time is scaled to 1,000 draws."""
    import krippendorff

    counts, values = count_matrix(unit, choice)
    rng = np.random.default_rng(0)
    for _ in range(NAIVE_DRAWS):
        picked = counts[rng.integers(0, len(counts), len(counts))]
        krippendorff.alpha(value_counts=picked, value_domain=values, level_of_measurement="ordinal")
    return []


def laurel_people(unit: np.ndarray, annotator: np.ndarray, choice: np.ndarray) -> list[float | None]:
    ratings = ratings_of(unit, annotator, choice - 1, annotators=CROWD, categories=int(choice.max()))
    levels: list[Level] = ["nominal", "ordinal"]
    found = estimates_over_people(ratings, levels=levels, rng=np.random.default_rng(0), draws=DRAWS)
    return [value for level in levels for value in (found[level].low, found[level].high)]


def laurel_people_and_items(
    unit: np.ndarray, annotator: np.ndarray, choice: np.ndarray
) -> list[float | None]:
    """Everything the page about agreement says of a criterion, from the long arrays on."""
    laurel_report(unit, annotator, choice)
    return laurel_people(unit, annotator, choice)


def library_people(unit: np.ndarray, annotator: np.ndarray, choice: np.ndarray) -> list[float]:
    """A few draws of the plain way, counts of the people drawn; the time is scaled to 1,000 draws.

    It compares people with their own copies, so its interval lies higher: there is nothing to be equal.
    """
    import krippendorff

    width = int(choice.max())
    cell, length = unit * width + choice - 1, (unit.max() + 1) * width
    rng = np.random.default_rng(0)
    for _ in range(NAIVE_DRAWS):
        times = rng.multinomial(CROWD, np.full(CROWD, 1 / CROWD))
        counts = np.bincount(cell, weights=times[annotator], minlength=length).reshape(-1, width)
        for level in ("nominal", "ordinal"):
            krippendorff.alpha(
                value_counts=counts, value_domain=np.arange(1, width + 1), level_of_measurement=level
            )
    return []


Method = Callable[[np.ndarray, np.ndarray, np.ndarray], list[Any]]
TASKS: dict[str, dict[str, Method]] = {
    "alpha at four levels": {
        "laurel": laurel,
        "krippendorff from counts": library_counts,
        "krippendorff from a matrix": library_matrix,
    },
    "ordinal alpha, 1000 bootstrap draws": {
        "laurel": laurel_bootstrap,
        "laurel, all eight coefficients": laurel_report,
        "krippendorff from counts, resampled": library_bootstrap,
    },
    "nominal and ordinal alpha, 1000 draws of 1000 annotators": {
        "laurel": laurel_people,
        "laurel, and all eight coefficients with 1000 draws of units": laurel_people_and_items,
        "krippendorff from counts, resampled": library_people,
    },
    "slider 0 to 100": {
        "laurel": laurel,
        "laurel, all eight coefficients, 1000 bootstrap draws": laurel_report,
    },
}
ALPHA, BOOTSTRAP, PEOPLE, SLIDER = TASKS
CASES = [(task, size, width) for task in (ALPHA, BOOTSTRAP, PEOPLE) for width in (3, 7) for size in SIZES]
CASES.append((SLIDER, 800_000, 101))


def measure(task: str, method: str, ratings: int, categories: int) -> dict[str, Any]:
    """In this process: warm up on little data, once for memory alone, then for time alone, best of three."""
    run = TASKS[task][method]
    people = CROWD if task == PEOPLE else ANNOTATORS
    run(*simulate(1000, categories, people))
    data = simulate(ratings, categories, people)
    tracemalloc.start()
    result = run(*data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    seconds = []
    for _ in range(1 if "resampled" in method else 3):
        start = time.process_time()
        run(*data)
        seconds.append(time.process_time() - start)
    scale = DRAWS / NAIVE_DRAWS if "resampled" in method else 1
    return {"cpu_seconds": min(seconds) * scale, "peak_mb": peak / 1e6, "result": result}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(**json.loads(arguments.one))))
        return
    rows = [row for case in CASES for row in compare(*case)]
    with arguments.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def compare(task: str, ratings: int, categories: int) -> list[dict[str, Any]]:
    """One row a method; asserts that all methods give the same coefficients."""
    found = {}
    for method in TASKS[task]:
        one = json.dumps({"task": task, "method": method, "ratings": ratings, "categories": categories})
        command = [sys.executable, "-m", "benchmarks.agreement.run", "--one", one]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        found[method] = json.loads(done.stdout)
        print(task, ratings, categories, method, found[method])
    base = found["laurel"]
    for other in found.values():
        alike = len(other["result"]) == len(base["result"])
        assert not alike or np.allclose(other["result"], base["result"], atol=1e-9)
    return [
        {
            "task": task,
            "ratings": ratings,
            "categories": categories,
            "method": method,
            "cpu_seconds": f"{one['cpu_seconds']:.4f}",
            "peak_mb": f"{one['peak_mb']:.0f}",
            "time_ratio": f"{one['cpu_seconds'] / base['cpu_seconds']:.1f}",
            "memory_ratio": f"{one['peak_mb'] / max(base['peak_mb'], 1):.1f}",
        }
        for method, one in found.items()
    ]


if __name__ == "__main__":
    main()
