"""Aggregation beside crowd-kit: labels, foresight, speed, and what is recovered of simulated people.

    python -m benchmarks.aggregation.run --crowd-kit PYTHON [--data DIR] [--only PART …]

writes the CSV files of this folder. PYTHON belongs to an environment with crowd-kit (README.md says how to
make one); DIR holds ukpconvarg1 and defaults to ../shared/data.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.aggregation import labels, recovery, speed

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / ".." / "shared" / "data"
PARTS = ("labels", "foresight", "speed", "recovery")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--crowd-kit", metavar="PYTHON", required=True)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    options = parser.parse_args()
    if "labels" in options.only:
        rows, same = labels.agreement(options.data, options.crowd_kit)
        write("labels.csv", rows)
        write("same-debates.csv", same)
    if "foresight" in options.only:
        write("foresight.csv", labels.foresight(options.data))
    if "speed" in options.only:
        rows, same = speed.measured(options.crowd_kit)
        write("speed.csv", rows)
        write("same-simulated.csv", same)
    if "recovery" in options.only:
        write("recovery.csv", recovery.correlations())
        write("flags.csv", recovery.flags())


def write(name: str, rows: Sequence[dict[str, Any]]) -> None:
    """The rows as a CSV file beside this one, and on the screen."""
    tables.write(HERE / name, rows)
    for row in rows:
        print(name, *row.values())


if __name__ == "__main__":
    main()
