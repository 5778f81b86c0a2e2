"""How long a run takes when its embeddings are cached, and how much memory.

    python -m benchmarks.reward.speed     # writes speed.csv

Votes and embeddings are made up (the numbers do not depend on what they say); everything else is the real
command: `python -m rewardmodel.training` on a snapshot, start-up, features, every fold, metrics and all.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import tables
from benchmarks.reward import snapshots
from rewardmodel.training import encoder
from rewardmodel.training.config import DEFAULT_ENCODER
from rewardmodel.training.embedding_cache import EmbeddingCache, text_hash

HERE = Path(__file__).resolve().parent
WIDTH, SHARD = 384, 64
SHAPES = {  # prompts, responses of each, pairs in all
    "2,000 prompts, the snapshot's splits": (2000, 20, 100_000),
    "20,000 prompts, the snapshot's splits": (20_000, 4, 100_000),
    "400 prompts, ten folds": (400, 40, 100_000),
    "25 prompts, one left out at a time": (25, 120, 100_000),
}


def comparisons(prompts: int, responses: int, pairs: int) -> list[snapshots.Comparison]:
    """Votes on random pairs of texts of 20 to 200 words."""
    rng = np.random.default_rng(0)
    words = np.array(["tree", "because", "walk", "therefore", "stone", "river", "light", "maybe", "green"])
    texts = [
        [" ".join([str(p), str(r), *rng.choice(words, rng.integers(20, 200))]) for r in range(responses)]
        for p in range(prompts)
    ]
    first, second = np.triu_indices(responses, 1)
    found = []
    for p in range(prompts):
        share = (p + 1) * pairs // prompts - p * pairs // prompts
        for k in rng.choice(len(first), min(share, len(first)), replace=False):
            i, j = int(first[k]), int(second[k])
            d = np.log(len(texts[p][i]) / len(texts[p][j])) + rng.normal()
            a = int(rng.binomial(3, 1 / (1 + np.exp(-d))))
            sides = ((f"p{p}r{i}", texts[p][i]), (f"p{p}r{j}", texts[p][j]))
            name = f"p{p}/{i}/{j}"
            found.append(snapshots.Comparison(name, f"p{p:05}", f"Question {p}", sides, a, 0, 3 - a))
    return found


def fill_cache(pairs: list[snapshots.Comparison], folder: Path) -> None:
    """A random vector for every text, in shards of the size that the encoder writes."""
    model = encoder.locate(DEFAULT_ENCODER, None, 4)
    cache = EmbeddingCache(folder, model.revision, model.template)
    texts = {text for pair in pairs for _, text in pair.responses} | {pair.prompt for pair in pairs}
    rng, keys = np.random.default_rng(1), [text_hash(text) for text in sorted(texts)]
    vectors = rng.normal(size=(len(keys), WIDTH)).astype(np.float32)
    for start in range(0, len(keys), SHARD):
        part = slice(start, start + SHARD)
        cache.add(dict(zip(keys[part], vectors[part], strict=True)))


def measured(command: list[str]) -> tuple[float, float, int]:
    """Seconds, those of the processor, and the peak resident memory in MB."""
    began = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed.")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=HERE / "speed.csv")
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for title, shape in SHAPES.items():
        with tempfile.TemporaryDirectory() as name:
            work = Path(name)
            pairs = comparisons(*shape)
            snapshots.write(pairs, work / "snapshot")
            fill_cache(pairs, work / "cache")
            command = [
                sys.executable,
                "-m",
                "rewardmodel.training",
                str(work / "snapshot"),
                str(work / "run"),
            ]
            seconds, processor, memory = measured([*command, "--cache", str(work / "cache")])
            metrics = json.loads((work / "run" / "metrics.json").read_text())
            row = {"shape": title, "pairs": len(pairs), "steps": metrics["training"]["steps"]}
            row |= {"seconds": round(seconds, 1), "cpu_seconds": round(processor, 1)}
            rows.append(row | {"peak_mb": memory})
            print(rows[-1], flush=True)
    tables.write(given.out, rows)


if __name__ == "__main__":
    main()
