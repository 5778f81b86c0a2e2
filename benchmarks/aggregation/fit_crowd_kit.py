"""crowd-kit's methods as `fitting` runs them, with its own defaults; nothing of Laurel is needed.

crowd-kit 1.4.2's MACE counts by the sorted names of people and labels and reads these counts by the order in
which they first appear: with names that sort otherwise it gives people one another's habits. "lined up" hands
it the same votes with both numbered by their first appearance.
"""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from crowdkit.aggregation import MACE, DawidSkene, MajorityVote

from benchmarks.aggregation import fitting


def run(
    make: Any, arrays: dict[str, np.ndarray], *, lined_up: bool = False
) -> tuple[np.ndarray, dict[str, Any]]:
    """Under the names the file brings, if it does."""
    people, labels = arrays["people"][arrays["annotator"]], arrays["labels"][arrays["outcome"]]
    named = arrays["labels"]
    if lined_up:
        people, (labels, seen) = pd.factorize(people)[0], pd.factorize(labels)
        named = pd.Index(seen).get_indexer(named)
    model = make()
    votes = pd.DataFrame({"task": arrays["pair"], "worker": people, "label": labels})
    found = model.fit_predict_proba(votes).reindex(index=range(int(arrays["pairs"])))
    return found[named].to_numpy(dtype=np.float64), {"steps": steps(model)}


def steps(model: Any) -> int:
    if isinstance(model, MACE):
        return model.n_restarts * model.n_iter
    return len(getattr(model, "loss_history_", []))


METHODS: dict[str, fitting.Method] = {
    "majority vote": partial(run, MajorityVote),
    "Dawid-Skene": partial(run, DawidSkene),
    "MACE": partial(run, MACE),
    "MACE, lined up": partial(run, MACE, lined_up=True),
    "MACE, lined up, one start": partial(run, partial(MACE, n_restarts=1), lined_up=True),
}

if __name__ == "__main__":
    fitting.main(METHODS)
