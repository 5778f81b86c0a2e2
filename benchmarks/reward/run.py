"""Train on real votes and write results.csv.

    python -m benchmarks.reward.run [--data DIR] [--subsets N]

Every row is a whole `python -m rewardmodel.training`: the 22 debates, N random sets of ten debates,
PandaLM, and the 22 debates again with one choice changed. "strict" counts only the pairs of the published
strict subset, against their released label, so that it can be compared with the literature.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks import tables
from benchmarks.reward import snapshots

HERE = Path(__file__).resolve().parent
SIDE = {"a1": 1, "a2": -1}
ABLATIONS: dict[str, dict[str, Any]] = {
    "weight decay 10": {"weight_decay": 10.0},
    "weight decay 200": {"weight_decay": 200.0},
    "one hidden layer of 32": {"hidden": 32},
}


def strict_labels(data: Path) -> dict[str, int]:
    """Pair id to +1 or -1, for the pairs of the strict subset."""
    with gzip.open(data / "ukpconvarg1" / "pairs.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = map(json.loads, lines)
        return {
            f"{r['debate']}/{r['pair_id']}": SIDE[r["gold"]]
            for r in rows
            if r["strict"] and r["gold"] in SIDE
        }


def train(snapshot: Path, out: Path, cache: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Run the command as a user would; returns its metrics and the seconds it took in all."""
    config = out.with_suffix(".json")
    config.write_text(json.dumps(settings))
    began = time.monotonic()
    command = [sys.executable, "-m", "rewardmodel.training", str(snapshot), str(out)]
    subprocess.run([*command, "--config", str(config), "--cache", str(cache)], check=True)
    metrics: dict[str, Any] = json.loads((out / "metrics.json").read_text())
    return metrics | {"wall": time.monotonic() - began}


def row(name: str, metrics: dict[str, Any], out: Path, strict: dict[str, int]) -> dict[str, Any]:
    predictions = pq.read_table(out / "predictions.parquet", columns=["pair_id", "d", "d_length"]).to_pydict()
    label = np.array([strict.get(pair, 0) for pair in predictions["pair_id"]])
    rows = label != 0

    def right(column: str) -> float | str:
        return round(float((np.sign(predictions[column]) == label)[rows].mean()), 4) if rows.any() else ""

    lift = metrics["lift_over_length"]
    return {
        "run": name,
        "prompts": metrics["evaluated"]["prompts"],
        "decided_pairs": metrics["accuracy"]["n"],
        "accuracy": round(metrics["accuracy"]["value"], 4),
        "low": round(metrics["accuracy"]["low"], 4),
        "high": round(metrics["accuracy"]["high"], 4),
        "length": round(metrics["baselines"]["length"]["value"], 4),
        "lift": round(lift["value"], 4),
        "lift_low": round(lift["low"], 4),
        "lift_high": round(lift["high"], 4),
        "strict_pairs": int(rows.sum()),
        "strict": right("d"),
        "strict_length": right("d_length"),
        "nll": round(metrics["nll"], 4),
        "nll_length": round(metrics["baselines"]["length"]["nll"], 4),
        "ece": round(metrics["ece"], 4),
        "ece_high": round(metrics["intervals"]["ece"]["high"], 4),
        "one_voter": round(metrics["ceiling"]["one_voter_against_the_others"]["value"], 4),
        "temperature": round(metrics["temperature"]["value"], 3),
        "of_length": round(metrics["temperature"]["length"], 3),
        "seconds": round(metrics["wall"], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=snapshots.DATA)
    parser.add_argument("--subsets", type=int, default=6)
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    given = parser.parse_args()
    strict = strict_labels(given.data)
    debates = snapshots.ukpconvarg1(given.data)
    names = sorted({pair.prompt_id for pair in debates})
    rng = np.random.default_rng(1)
    found = []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        snapshots.write(debates, work / "debates")
        snapshots.write(snapshots.pandalm(given.data), work / "pandalm")
        plans: list[tuple[str, str, dict[str, Any]]] = [
            ("22 debates, first time", "debates", {}),
            ("22 debates, embeddings cached", "debates", {}),
            *((f"22 debates, {change}", "debates", settings) for change, settings in ABLATIONS.items()),
        ]
        for i in range(given.subsets):
            chosen = set(rng.choice(names, 10, replace=False))
            snapshots.write([pair for pair in debates if pair.prompt_id in chosen], work / f"ten{i}")
            plans.append((f"ten random debates, set {i + 1}", f"ten{i}", {}))
        plans += [(f"PandaLM, seed {seed}", "pandalm", {"seed": seed}) for seed in range(3)]
        for i, (title, snapshot, settings) in enumerate(plans):
            out = work / f"run{i}"
            metrics = train(work / snapshot, out, work / "cache", settings)
            found.append(row(title, metrics, out, strict))
            print(found[-1], flush=True)
    tables.write(given.out, found)


if __name__ == "__main__":
    main()
