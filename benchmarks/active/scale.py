"""A million pairs, and ten: time and memory of a selection.

python -m benchmarks.active.scale [--pairs 1000000 2000000 5000000 10000000] [--device cuda]

Writes scale.csv. Every line is a process of its own, so that its peak memory is its own. 20 responses a
prompt, 256 features, 2,000 labels, a batch of 500 by the default recipe. In one piece all pairs are scored
and 50,000 kept; by shards of about 1,000,000 pairs the responses are made (in life: read) shard by shard.
With --device the sums of the first are also carried out there by torch, and the 500 must be the same ones.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from activelearning.acquisition.arithmetic import NUMPY, Arithmetic
from activelearning.acquisition.batch import grow, promise
from activelearning.acquisition.design import GreedyDesign, greedy_batch
from activelearning.acquisition.knowledge import Knowledge, Labels, learn, outlook
from activelearning.acquisition.quotas import RECIPES
from activelearning.acquisition.shards import Shard, shortlist
from activelearning.acquisition.target import moment

EACH, Q, LABELS, BATCH, KEEP, SHARD = 20, 256, 2_000, 500, 50_000, 1_000_000
RECIPE = RECIPES["regret"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, nargs="+", default=[1_000_000, 2_000_000, 5_000_000, 10_000_000])
    parser.add_argument("--device", help="cuda, cuda:1, …; cpu: torch, but no GPU")
    parser.add_argument("--one", nargs=2, metavar=("WAY", "PAIRS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        way, pairs = given.one
        ways = {"whole": in_one_piece, "shards": by_shards, "naive": naive}
        found = ways[way](int(pairs)) if way in ways else on_device(int(pairs), way)
        found["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(json.dumps(found))
        return
    rows = [
        run("whole", given.pairs[0]),
        *([run(given.device, given.pairs[0])] if given.device else []),
        *(run("shards", pairs) for pairs in given.pairs),
        run("naive", 5_000),
    ]
    with Path(__file__).with_name("scale.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["way", "pairs", "step", "seconds", "peak_gb"], lineterminator="\n")
        table.writeheader()
        for row in rows:
            for step, seconds in row["seconds"].items():
                line = {"step": step, "seconds": f"{seconds:.2f}", "peak_gb": f"{row['peak_gb']:.2f}"}
                table.writerow({"way": row["way"], "pairs": row["pairs"], **line})


def run(way: str, pairs: int) -> dict:
    words = [sys.executable, "-m", "benchmarks.active.scale", "--one", way, str(pairs)]
    found = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    print(way, f"{found['pairs']:,}", {k: round(v, 2) for k, v in found["seconds"].items()}, end=" ")
    print(f"{found['peak_gb']:.2f} GB", flush=True)
    return {"way": way, **found}


def responses(prompts: range) -> np.ndarray:
    """The same whichever shard asks: a generator for every hundred prompts."""
    scale = np.linspace(1, 0.1, Q, dtype=np.float32)
    scale /= np.sqrt(2 * (scale**2).sum())
    blocks = []
    for start in range(prompts.start, prompts.stop, 100):
        rng = np.random.default_rng([start, 1])
        blocks.append(rng.standard_normal((100 * EACH, Q), dtype=np.float32) * scale)
    return np.concatenate(blocks)[: len(prompts) * EACH]


def pairs_of(prompts: int) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.triu_indices(EACH, k=1)
    base = np.arange(prompts)[:, None] * EACH
    return (base + low).ravel(), (base + high).ravel()


def knowledge(z: np.ndarray, first: np.ndarray, second: np.ndarray) -> Knowledge:
    rng = np.random.default_rng(0)
    rows = rng.choice(len(first), LABELS, replace=False)
    shares = rng.multinomial(1, [0.4, 0.2, 0.4], LABELS).astype(float)
    labels = Labels(first[rows], second[rows], shares, np.ones(LABELS), np.zeros(LABELS, dtype=bool))
    prompt = np.arange(len(z)) // EACH
    return Knowledge(z, prompt, labels, learn(z, prompt, labels, rng, prior_precision=0.3))


def timed(seconds: dict[str, float], step: str, work: Callable[[], object]) -> object:
    begin = time.perf_counter()
    found = work()
    seconds[step] = time.perf_counter() - begin
    return found


def in_one_piece(pairs: int, arithmetic: Arithmetic = NUMPY) -> dict:
    prompts = -(-pairs // (EACH * (EACH - 1) // 2) // 100) * 100 + 100
    z = responses(range(prompts))
    first, second = pairs_of(prompts)
    known = replace(knowledge(z, first, second), arithmetic=arithmetic)
    rng = np.random.default_rng(0)
    seconds: dict[str, float] = {}
    view = timed(seconds, "mean, deviation and information of all", lambda: outlook(known, first, second))
    timed(
        seconds,
        "gain of all for the default recipe",
        lambda: promise(known, first, second, view, RECIPE, rng),  # type: ignore[arg-type]
    )
    grown = timed(
        seconds,
        "score all, keep 50,000, choose 500",
        lambda: grow(known, first, second, n=BATCH, recipe=RECIPE, rng=rng),
    )
    picks = [pick.candidate for pick in grown.picks]  # type: ignore[attr-defined]
    return {"pairs": len(first), "seconds": seconds, "picks": picks}


def on_device(pairs: int, device: str) -> dict:
    """The same by torch on a device, once to wake it up and once for the clock, and the same picks."""
    from activelearning.acquisition.device import DeviceArithmetic

    there = DeviceArithmetic(device)
    in_one_piece(10_000, there)
    found, here = in_one_piece(pairs, there), in_one_piece(pairs)
    assert found["picks"] == here["picks"], "a device must pick the same pairs"
    return found


def by_shards(pairs: int) -> dict:
    prompts = -(-pairs // (EACH * (EACH - 1) // 2))
    step = SHARD // (EACH * (EACH - 1) // 2) // 100 * 100
    sample = responses(range(min(prompts, step)))
    first, second = pairs_of(len(sample) // EACH)
    known = knowledge(sample, first, second)
    target = moment(sample, first, second, posterior=known.posterior, rng=np.random.default_rng(0))
    making = [0.0]

    def shards() -> Iterator[Shard]:
        for start in range(0, prompts, step):
            begin = time.perf_counter()
            here = range(start, min(start + step, prompts))
            z = responses(here)
            a, b = pairs_of(len(here))
            making[0] += time.perf_counter() - begin
            yield Shard(
                z, start * EACH + np.arange(len(z)), a, b, start * EACH * (EACH - 1) // 2 + np.arange(len(a))
            )

    seconds: dict[str, float] = {}
    found = timed(
        seconds,
        "shortlist of 50,000",
        lambda: shortlist(shards(), known.posterior, target, keep=KEEP, seed=0),
    )
    seconds["shortlist of 50,000"] -= making[0]  # making up responses is no part of choosing
    short = Knowledge(found.z, found.response // EACH, Labels.none(), known.posterior)  # type: ignore[attr-defined]
    timed(
        seconds,
        "choose 500",
        lambda: grow(
            short,
            found.first,
            found.second,
            n=BATCH,
            recipe=RECIPE,
            rng=np.random.default_rng(0),  # type: ignore[attr-defined]
        ),
    )
    return {"pairs": found.pairs, "seconds": seconds}  # type: ignore[attr-defined]


def naive(pairs: int) -> dict:
    """What the rank-one update saves: the same 20 picks with every quadratic form computed anew for each."""
    prompts = pairs // (EACH * (EACH - 1) // 2)
    z = responses(range(prompts))
    first, second = pairs_of(prompts)
    known = knowledge(z, first, second)
    v = outlook(known, first, second).information
    target = moment(z, first, second, posterior=known.posterior)
    seconds: dict[str, float] = {}

    def fast() -> list[int]:
        design = GreedyDesign(z, first, second, v, known.posterior.covariance, target)
        return greedy_batch(design, 20)[0].tolist()

    def slow() -> list[int]:
        x = (z[first] - z[second]).astype(float)
        precision, picks = np.linalg.inv(known.posterior.covariance), []
        for _ in range(20):
            sigma = np.linalg.inv(precision)
            reach = np.einsum("ij,jk,ik->i", x, sigma @ target @ sigma, x, optimize=True)
            gain = v * reach / (1 + v * np.einsum("ij,jk,ik->i", x, sigma, x, optimize=True))
            gain[picks] = -np.inf
            picks.append(int(np.argmax(gain)))
            precision += v[picks[-1]] * np.outer(x[picks[-1]], x[picks[-1]])
        return picks

    one = timed(seconds, "20 picks, rank-one updates", fast)
    two = timed(seconds, "20 picks, everything computed anew", slow)
    assert one == two, "the fast way must pick the same pairs"
    return {"pairs": len(first), "seconds": seconds}


if __name__ == "__main__":
    main()
