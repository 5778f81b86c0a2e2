"""python -m activelearning.acquisition.comparing FOLDER: recipes side by side on labels that are there.

FOLDER holds `world.npz` (features, prompt, first, second, counts: see replay.World) and `plan.json` (recipes,
seeds, batch). Each seed splits the prompts anew: three tenths measure, from the others labels are bought, as
many as the smallest of the pools allows without running it dry. All arms of a seed begin with the same
random batch. `traces.jsonl` gets a line for every arm and seed as it is done: started again, the program goes
on there. At the end it writes `result.json`; why it cannot, `failure.json`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from activelearning.acquisition.curves import area_gain, label_ratio, paired_gain
from activelearning.acquisition.pool import Floats, Positions
from activelearning.acquisition.posterior import choose_prior_precision
from activelearning.acquisition.projection import Singles, fit_projection
from activelearning.acquisition.quotas import RECIPES
from activelearning.acquisition.replay import Arm, Trace, World, replay

TEST_SHARE = 0.3
POOL_SHARE = 0.6  # a pool bought empty is the same whatever the recipe
MOST_LABELS, MOST_BATCHES = 3_000, 40
FEWEST_DECIDED, FEWEST_PROMPTS, FEWEST_BATCHES = 20, 10, 3
MOST_TUNED = 5_000
REFERENCE = "random"


class CannotCompare(ValueError):
    """The labels do not suffice; the message says of what there is too little."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """As replay.World, without a split."""

    z: Singles
    prompt: Positions
    first: Positions
    second: Positions
    counts: Floats


@dataclass(frozen=True)
class Plan:
    """recipes: names, the reference among them. batch: labels bought before the model is fitted again."""

    recipes: tuple[str, ...]
    seeds: int
    batch: int


def split(labelled: Labelled, seed: int) -> World:
    """Three tenths of the prompts to measure on, drawn by the seed."""
    of_pair = labelled.prompt[labelled.first]
    prompts = np.unique(of_pair)
    if len(prompts) < FEWEST_PROMPTS:
        raise CannotCompare(f"{len(prompts)} prompts have labelled pairs; {FEWEST_PROMPTS} are needed.")
    rng = np.random.default_rng([seed, 3])
    drawn = rng.permutation(prompts)[: max(1, round(TEST_SHARE * len(prompts)))]
    test = np.isin(of_pair, drawn)
    decided = int((test & (labelled.counts[:, 0] != labelled.counts[:, 2])).sum())
    if decided < FEWEST_DECIDED:
        raise CannotCompare(
            f"Only {decided} of the pairs that would measure have a winner; {FEWEST_DECIDED} are needed."
        )
    return World(
        labelled.z,
        labelled.prompt,
        labelled.first,
        labelled.second,
        labelled.counts,
        np.flatnonzero(~test),
        np.flatnonzero(test),
    )


def labels_bought(worlds: Iterable[World], batch: int) -> int:
    """How many labels every arm may buy in every world. Raises CannotCompare under three batches."""
    pool = min(len(world.pool) for world in worlds)
    found = min(int(POOL_SHARE * pool) // batch, MOST_LABELS // batch, MOST_BATCHES) * batch
    if found < FEWEST_BATCHES * batch:
        raise CannotCompare(
            f"{pool} pairs to buy from are too few for batches of {batch}: choose batches of "
            f"{max(1, int(POOL_SHARE * pool) // FEWEST_BATCHES)} or fewer."
        )
    return found


def compare(
    labelled: Labelled,
    plan: Plan,
    known: Mapping[tuple[str, int], Trace],
    tell: Callable[[str, int, Trace], None],
) -> dict[str, Any]:
    """Replay what is not `known` yet, tell of each trace, and sum up. Raises CannotCompare."""
    worlds = [split(labelled, seed) for seed in range(plan.seeds)]
    labels = labels_bought(worlds, plan.batch)
    precision = _precision(labelled)
    traces = dict(known)
    for seed, world in enumerate(worlds):
        for name in plan.recipes:
            if (name, seed) in traces:
                continue
            arm = Arm(RECIPES[name], cold=False)
            made = replay(world, arm, seed=seed, batch=plan.batch, labels=labels, prior_precision=precision)
            traces[name, seed] = made
            tell(name, seed, made)
    return {
        "pairs": len(labelled.first),
        "prompts": len(np.unique(labelled.prompt[labelled.first])),
        "labels": labels,
        **summary({name: [traces[name, seed] for seed in range(plan.seeds)] for name in plan.recipes}),
    }


def summary(traces: Mapping[str, Sequence[Trace]]) -> dict[str, Any]:
    """Curves with intervals over seeds, and labels needed for what random reaches with half and with all."""
    labels = traces[REFERENCE][0].labels
    curves = {name: np.stack([one.accuracy for one in many]) for name, many in traces.items()}
    reference = curves[REFERENCE]
    places = sorted({int(labels[(len(labels) - 1) // 2]), int(labels[-1])})
    level = np.maximum.accumulate(reference.mean(axis=0))
    return {
        "levels": [{"at": at, "accuracy": float(level[int(np.searchsorted(labels, at))])} for at in places],
        "recipes": [
            {
                "name": name,
                "labels": labels.tolist(),
                "curve": [_interval(column) for column in curve.T],
                "gain": asdict(area_gain(curve, reference)) if name != REFERENCE else None,
                "needed": [asdict(label_ratio(curve, labels, reference, labels, at=at)) for at in places],
            }
            for name, curve in curves.items()
        ],
    }


def _interval(values: Floats) -> dict[str, float]:
    found = paired_gain(values)
    return {"value": found.value, "low": max(found.low, 0.0), "high": min(found.high, 1.0)}


def _precision(labelled: Labelled) -> float:
    """λ by cross-validation on all votes: the same for every arm, so it favours none."""
    rng = np.random.default_rng(0)
    rows = np.arange(len(labelled.first))
    if len(rows) > MOST_TUNED:
        rows = np.sort(rng.choice(rows, MOST_TUNED, replace=False))
    a, b, counts = labelled.first[rows], labelled.second[rows], labelled.counts[rows]
    votes = counts.sum(axis=1)
    share = (counts[:, 0] + counts[:, 1] / 2) / votes
    x = (labelled.z[a] - labelled.z[b]).astype(np.float64)
    return choose_prior_precision(x, share, np.ones(len(rows)), labelled.prompt[a], rng)


# --- as a program ---------------------------------------------------------------------------------


def main(folder: Path) -> int:
    try:
        result = _compare_in(folder)
    except CannotCompare as error:
        write_json(folder / "failure.json", {"reason": str(error)})
        return 1
    write_json(folder / "result.json", result)
    return 0


def _compare_in(folder: Path) -> dict[str, Any]:
    asked = json.loads((folder / "plan.json").read_text())
    plan = Plan(tuple(asked["recipes"]), asked["seeds"], asked["batch"])
    with np.load(folder / "world.npz", allow_pickle=False) as file:
        first, second = file["first"], file["second"]
        z = fit_projection(file["features"], first, second, np.random.default_rng(0)).apply(file["features"])
        labelled = Labelled(z, file["prompt"], first, second, file["counts"])
    known = read_traces(folder / "traces.jsonl")
    total = len(plan.recipes) * plan.seeds
    write_json(folder / "progress.json", {"done": len(known), "total": total})
    with (folder / "traces.jsonl").open("a", encoding="utf-8") as file:

        def tell(name: str, seed: int, trace: Trace) -> None:
            columns = {key: value.tolist() for key, value in vars(trace).items()}
            file.write(json.dumps({"recipe": name, "seed": seed, **columns}) + "\n")
            file.flush()
            told.append(name)
            write_json(folder / "progress.json", {"done": len(known) + len(told), "total": total})

        told: list[str] = []
        return compare(labelled, plan, known, tell)


def read_traces(path: Path) -> dict[tuple[str, int], Trace]:
    """What was done before. A line that was cut off in the middle is taken out of the file and done again."""
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    found = {}
    for line in whole.splitlines():
        row = json.loads(line)
        columns = {key: np.array(row[key]) for key in Trace.__dataclass_fields__}
        found[row["recipe"], row["seed"]] = Trace(**columns)
    return found


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Whole or not at all."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(value), encoding="utf-8")
    os.replace(beside, path)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
