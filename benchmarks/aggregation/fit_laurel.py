"""Laurel's methods as `fitting` runs them."""

from typing import Any

import numpy as np

from annotation.aggregation import competence, dawid_skene
from annotation.aggregation.votes import Votes, votes_of
from benchmarks.aggregation import fitting


def read(arrays: dict[str, np.ndarray]) -> Votes:
    return votes_of(
        arrays["pair"],
        arrays["annotator"],
        arrays["outcome"],
        pairs=int(arrays["pairs"]),
        annotators=int(arrays["annotators"]),
        swapped=arrays["swapped"],
    )


def shares(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, Any]]:
    counts = read(arrays).counts
    return counts / counts.sum(axis=1, keepdims=True), {"steps": 0}


def by_competence(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, Any]]:
    found = competence.competence(read(arrays))
    return found.truth, {"steps": found.steps}


def by_confusion(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, Any]]:
    found = dawid_skene.dawid_skene(read(arrays))
    return found.truth, {"steps": found.steps}


METHODS: dict[str, fitting.Method] = {
    "vote shares": shares,
    "competence": by_competence,
    "Dawid-Skene": by_confusion,
}

if __name__ == "__main__":
    fitting.main(METHODS)
