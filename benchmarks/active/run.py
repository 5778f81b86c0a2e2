"""Fewer labels than random? Replay of real votes, every recipe against random selection.

OMP_NUM_THREADS=1 python -m benchmarks.active.run [--file VOTES] [--seeds 50] [--features encoder lexical]

Writes ratios.csv (labels needed for the accuracy that random selection reaches with 500, 1,000 and 2,000),
areas.csv (mean difference in accuracy, NLL and ECE over the curve) and curves.csv beside this file, or with
--file into --out.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from activelearning.acquisition import curves
from activelearning.acquisition.posterior import PRECISIONS
from activelearning.acquisition.quotas import PROMPT_EFFECT, RECIPES, Part, Recipe, Rule
from activelearning.acquisition.replay import Arm, Trace, World, replay
from benchmarks.active import data, worlds
from benchmarks.active.worlds import SPLITS, Corpus

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / ".." / "shared" / "data"
TUNING = range(90_000, 90_004)
POINTS = (500, 1_000, 2_000)
BATCH, DOUBLE_AFTER = 100, 1_000
DRAWS = 4  # orders in which chance takes the pairs of a seed: its curve is their mean
ABLATIONS = ("regret, no random share", "regret, random start")  # where they are told apart best


def plain(name: str, rule: Rule) -> Recipe:
    """The rule alone, as it is published: no random share, no caps, no redundancy check."""
    return Recipe(
        name,
        (Part(rule),),
        random_share=0.0,
        redundancy=None,
        near_duplicate=None,
        prompt_cap=10**9,
        cold_start="random",
    )


def arms(prompt_effect: float = PROMPT_EFFECT) -> dict[str, Arm]:
    """Laurel's recipes as the product runs them; the baselines start from the same random batch."""
    found = {"random": Arm(RECIPES["random"], cold=False)}
    regret = dataclasses.replace(RECIPES["regret"], prompt_effect=prompt_effect or None)
    found["Laurel: regret"] = Arm(regret)
    found["Laurel: regret, deployment known"] = Arm(regret, aim="test")
    found["regret, no random share"] = Arm(dataclasses.replace(RECIPES["regret"], random_share=0.0))
    found["regret, random start"] = Arm(dataclasses.replace(RECIPES["regret"], random_share=0.0), cold=False)
    for name, rule in (
        ("margin", "margin"),
        ("ensemble variance", "disagreement"),
        ("BADGE", "badge"),
        ("k-centre", "k_centre"),
        ("D-optimal", "d_optimal"),
        ("I-optimal", "i_optimal"),
        ("BAL-PM-like", "bal_pm"),
    ):
        found[name] = Arm(plain(name, rule), cold=False)  # type: ignore[arg-type]
    found["textbook 50/30/20"] = Arm(
        dataclasses.replace(RECIPES["textbook"], random_share=0.0, cold_start="random"), cold=False
    )
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--file", type=Path, help="votes: .jsonl, .jsonl.gz or .json (default: both data sets)"
    )
    parser.add_argument("--out", type=Path, help="folder of the tables (default: here; with --file: .)")
    parser.add_argument(
        "--seeds", type=int, default=50, help="of random and regret; the others get two fifths, at least 20"
    )
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--half", type=int, choices=(1, 2), help="only every other prompt of the file")
    parser.add_argument("--features", nargs="+", default=["encoder", "lexical"])
    parser.add_argument("--splits", nargs="+", default=list(SPLITS), choices=SPLITS)
    parser.add_argument("--arms", nargs="+", choices=list(arms()), help="only these beside random")
    parser.add_argument(
        "--prompt-effect", type=float, default=PROMPT_EFFECT, help="another variance for Laurel: regret"
    )
    given = parser.parse_args(arguments)
    files = (
        [given.file]
        if given.file
        else [
            DATA / "ukpconvarg1" / "pairs.jsonl.gz",
            DATA / "pandalm" / "testset-v1.json",
        ]
    )
    out = given.out or (Path.cwd() if given.file else HERE)
    out.mkdir(parents=True, exist_ok=True)
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    compared = arms(given.prompt_effect)
    if given.arms:
        compared = {name: arm for name, arm in compared.items() if name in ("random", *given.arms)}
    tables: dict[str, list[dict[str, object]]] = {"ratios": [], "areas": [], "curves": []}
    for file in files:
        try:
            votes = data.read(file)
        except (OSError, ValueError) as error:
            parser.error(f"{file} cannot be read as votes: {error}. Known are {data.KNOWN}.")
        if given.half:
            votes = data.half_of(votes, given.half)
        print(f"\n{file.name}: {len(votes.counts):,} pairs of {len(votes.responses):,} responses", flush=True)
        for kind in given.features:
            made = worlds.encoded(votes) if kind == "encoder" else worlds.lexical(votes)
            corpus = worlds.corpus(file.name.split(".")[0], votes, made)
            for name in given.splits:
                measure(corpus, kind, name, seeds, compared, tables)
    for name, rows in tables.items():
        write(out / f"{name}.csv", rows)


def measure(
    corpus: Corpus,
    features: str,
    split: str,
    seeds: range,
    compared: dict[str, Arm],
    tables: dict[str, list[dict[str, object]]],
) -> None:
    """Every arm on one split of one corpus."""
    sizes = [len(w.pool) for w in (worlds.split(corpus.world, split, s) for s in seeds) if w is not None]
    if len(sizes) < len(seeds):
        print(f"  {split}: too few such pairs here, left out", flush=True)
        return
    labels = min(2_400, min(sizes) * 9 // 10)
    batch = min(BATCH, labels // 8)
    precision = tuned(corpus, split, labels)
    about = {"data": corpus.name, "features": features, "split": split}
    print(f"  {features}, {split}: pool {min(sizes):,}, prior precision {precision}", flush=True)
    traces: dict[str, list[Trace]] = {}
    with ProcessPoolExecutor(os.cpu_count(), initializer=_load, initargs=(corpus.world,)) as workers:
        for name, arm in compared.items():
            if name in ABLATIONS and (features, split) != ("encoder", SPLITS[0]):
                continue
            begin = time.perf_counter()
            own = seeds if name in ("random", "Laurel: regret") else seeds[: max(20, 2 * len(seeds) // 5)]
            draws = DRAWS if name == "random" else 1
            jobs = [
                (arm, split, seed, batch, labels, precision, draw) for seed in own for draw in range(draws)
            ]
            found = list(workers.map(_one, jobs))
            traces[name] = [mean_trace(found[at : at + draws]) for at in range(0, len(found), draws)]
            report(about, name, traces, tables)
            print(f"    ({time.perf_counter() - begin:.0f} s)", flush=True)


def tuned(corpus: Corpus, split: str, labels: int) -> float:
    """λ with the least NLL on the test pairs after random labels, on seeds that are not measured.

    Tuned for random selection: the recipes have to do with what is best for it.
    """
    losses = np.zeros(len(PRECISIONS))
    for seed in TUNING:
        world = worlds.split(corpus.world, split, seed)
        assert world is not None
        for i, precision in enumerate(PRECISIONS):
            size = min(1_000, labels // 2)
            trace = replay(
                world, arms()["random"], seed=seed, batch=size, labels=size, prior_precision=precision
            )
            losses[i] += trace.nll[-1]
    return float(PRECISIONS[int(np.argmin(losses))])


_world: World


def _load(world: World) -> None:
    global _world
    _world = world


def mean_trace(traces: list[Trace]) -> Trace:
    """The mean of replays of one seed."""
    fields = {
        f.name: np.mean([getattr(t, f.name) for t in traces], axis=0) for f in dataclasses.fields(Trace)
    }
    return Trace(**{**fields, "labels": traces[0].labels})


def _one(job: tuple[Arm, str, int, int, int, float, int]) -> Trace:
    arm, split, seed, batch, labels, precision, draw = job
    world = worlds.split(_world, split, seed)
    assert world is not None
    return replay(
        world,
        arm,
        seed=seed,
        batch=batch,
        labels=labels,
        prior_precision=precision,
        double_after=DOUBLE_AFTER,
        draw=draw,
    )


def report(
    about: dict[str, str],
    name: str,
    traces: dict[str, list[Trace]],
    tables: dict[str, list[dict[str, object]]],
) -> None:
    """One arm's rows, and its line on the screen."""
    seeds = len(traces[name])
    random = {key: stacked(traces["random"][:seeds], key) for key in ("accuracy", "nll", "ece", "ties")}
    own = {key: stacked(traces[name], key) for key in random}
    labels = traces[name][0].labels
    seconds = float(np.mean([trace.seconds[1:].mean() for trace in traces[name]]))
    row = {**about, "arm": name, "seeds": seeds}
    for i, count in enumerate(labels):
        figures = {key: f"{values[:, i].mean():.4f}" for key, values in own.items()}
        tables["curves"].append({**row, "labels": int(count), **figures})
    if name == "random":
        at = [int(np.searchsorted(labels, p)) for p in POINTS if p <= labels[-1]]
        print(f"    random: accuracy {[round(float(own['accuracy'][:, i].mean()), 4) for i in at]}", end="")
        return
    points = [p for p in POINTS if p <= labels[-1]] or [int(labels[-1]) // 2]
    said = []
    for point in points:
        for key, sign in (("accuracy", 1), ("nll", -1)):
            found = curves.label_ratio(sign * own[key], labels, sign * random[key], labels, at=point)
            tables["ratios"].append(
                {
                    **row,
                    "measure": key,
                    "at": point,
                    "ratio": f"{found.value:.3f}",
                    "low": f"{found.low:.3f}",
                    "high": f"{found.high:.3f}",
                    "never_reached": f"{found.censored_share:.2f}",
                }
            )
            mark = ">" if found.censored else ""
            said.append(f"{key}@{point} {mark}{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]")
    upto = labels <= 1_000 if labels[-1] >= 1_000 else labels <= labels[-1]
    for key, scale, unit in (("accuracy", 100, "points"), ("nll", 1, "nats"), ("ece", 1, "share")):
        gain = curves.area_gain(scale * own[key][:, upto], scale * random[key][:, upto])
        values = {"gain": gain.value, "low": gain.low, "high": gain.high}
        tables["areas"].append(
            {
                **row,
                "measure": key,
                "unit": unit,
                **{k: f"{v:.4f}" for k, v in values.items()},
                "ties": f"{own['ties'][:, upto].mean():.3f}",
                "seconds_a_round": f"{seconds:.3f}",
            }
        )
        if key == "accuracy":
            said.append(f"ΔAULC {gain.value:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]")
    print(f"    {name}: " + "; ".join(said), end="")


def stacked(traces: list[Trace], key: str) -> np.ndarray:
    return np.stack([getattr(trace, key) for trace in traces])


def write(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]) if rows else [], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main()
