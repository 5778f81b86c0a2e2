"""One method on one file of votes, in a process of its own: its chances, its time, its memory.

    PYTHON -m benchmarks.aggregation.fit_laurel METHOD VOTES.npz CHANCES.npy

Both sides are measured by this, each in its own environment: from the long arrays (pair, annotator, outcome,
swapped) to the chances (pairs, 3), turning the arrays into whatever the method reads included. Peak memory is
the most the process ever held resident; `before_mb` of it were libraries and arrays before the method began.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Method = Callable[[dict[str, np.ndarray]], tuple[np.ndarray, dict[str, Any]]]
"""Arrays of votes to chances (pairs, 3) of a, tie, b, and what else is to be told: the steps of EM."""


def main(methods: Mapping[str, Method]) -> None:
    name, votes, chances = sys.argv[1:]
    with np.load(votes) as file:
        arrays = dict(file)
    before = resident_peak()
    wall, processor = time.perf_counter(), time.process_time()
    found, told = methods[name](arrays)
    told |= {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - processor,
        "before_mb": before,
        "peak_mb": resident_peak(),
    }
    np.save(chances, found)
    print(json.dumps(told))


def resident_peak() -> float:
    """MB. Of this program alone: the kernel's ru_maxrss also remembers who started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(kilobytes) * 1024 / 1e6
