"""Turn the public vote files into snapshot folders, without the database.

python -m benchmarks.reward.snapshots ukpconvarg1 OUT [--data DIR] [--debates N]
python -m benchmarks.reward.snapshots pandalm OUT [--data DIR]
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
SEED = "laurel"
FRACTIONS = {"train": 0.8, "calibration": 0.1, "test": 0.1}


@dataclass(frozen=True)
class Comparison:
    pair_id: str
    prompt_id: str
    prompt: str
    responses: tuple[tuple[str, str], tuple[str, str]]  # (id, text) of A and of B
    a: int
    tie: int
    b: int


def ukpconvarg1(data: Path, debates: int | None = None) -> list[Comparison]:
    """Every judged pair of the first N debates; a debate with its stance is a prompt."""
    found: list[Comparison] = []
    with gzip.open(data / "ukpconvarg1" / "pairs.jsonl.gz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            votes = [vote["value"] for vote in row["votes"]]
            debate = row["debate"]
            found.append(
                Comparison(
                    f"{debate}/{row['pair_id']}",
                    debate,
                    f"{row['title']}\nStance: {row['stance']}\nWhich argument is more convincing?",
                    (
                        (f"{debate}/{row['arg1_id']}", row["arg1"]),
                        (f"{debate}/{row['arg2_id']}", row["arg2"]),
                    ),
                    votes.count("a1"),
                    votes.count("equal"),
                    votes.count("a2"),
                )
            )
    keep = list(dict.fromkeys(pair.prompt_id for pair in found))[:debates]
    return [pair for pair in found if pair.prompt_id in keep]


def pandalm(data: Path) -> list[Comparison]:
    """999 pairs of answers of language models; equal instructions with equal inputs are one prompt."""
    found: list[Comparison] = []
    for row in json.loads((data / "pandalm" / "testset-v1.json").read_text(encoding="utf-8")):
        votes = [row[f"annotator{i}"] for i in (1, 2, 3)]
        prompt = f"{row['instruction']}\n{row['input']}".strip()
        name = str(row["idx"])
        answers = ((f"{name}/1", str(row["response1"])), (f"{name}/2", str(row["response2"])))
        prompt_id = hashlib.sha256(prompt.encode()).hexdigest()[:16]
        found.append(
            Comparison(name, prompt_id, prompt, answers, votes.count(1), votes.count(0), votes.count(2))
        )
    return found


def splits(prompts: Iterable[str]) -> dict[str, str]:
    """80/10/10 of the prompts by rank of a hash; each split gets at least one."""
    order = sorted(set(prompts), key=lambda prompt: hashlib.sha256(f"{SEED}\0{prompt}".encode()).digest())
    tenth = max(1, round(len(order) / 10))
    return {
        prompt: "test" if i < tenth else "calibration" if i < 2 * tenth else "train"
        for i, prompt in enumerate(order)
    }


def write(comparisons: list[Comparison], folder: Path) -> None:
    """Write responses.parquet, preferences.parquet and manifest.json."""
    folder.mkdir(parents=True, exist_ok=True)
    split = splits(pair.prompt_id for pair in comparisons)
    responses = {
        response_id: {
            "prompt_id": pair.prompt_id,
            "response_id": response_id,
            "prompt": json.dumps([{"role": "user", "content": pair.prompt}]),
            "text": text,
            "model": None,
        }
        for pair in comparisons
        for response_id, text in pair.responses
    }
    preferences = [
        {
            "pair_id": pair.pair_id,
            "prompt_id": pair.prompt_id,
            "response_a": pair.responses[0][0],
            "response_b": pair.responses[1][0],
            "criterion": "overall",
            "p_a": pair.a / (pair.a + pair.tie + pair.b),
            "p_tie": pair.tie / (pair.a + pair.tie + pair.b),
            "p_b": pair.b / (pair.a + pair.tie + pair.b),
            "votes": pair.a + pair.tie + pair.b,
            "effective_votes": float(pair.a + pair.tie + pair.b),
            "method": "vote_shares",
            "origin": "imported",
            "split": split[pair.prompt_id],
        }
        for pair in sorted(comparisons, key=lambda pair: (pair.prompt_id, pair.pair_id))
    ]
    contents = {"responses.parquet": [responses[name] for name in sorted(responses)]}
    contents["preferences.parquet"] = preferences
    described = {}
    for name, rows in contents.items():
        table = pa.Table.from_pylist(rows)
        if name == "responses.parquet":
            table = table.set_column(4, "model", pa.nulls(len(rows), pa.string()))
        pq.write_table(table, folder / name)
        content = (folder / name).read_bytes()
        described[name] = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "rows": len(rows),
        }
    manifest = {
        "format": "laurel-snapshot/1",
        "project": folder.name,
        "created_at": "2026-01-01T00:00:00Z",
        "kind": "pairwise",
        "criteria": ["overall"],
        "split": {"seed": SEED, "fractions": FRACTIONS},
        "files": described,
        "counts": {"responses": len(responses), "pairs": len(preferences), "prompts": len(split)},
        "left_out": [],
        "guideline_version": None,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


def replace_table(folder: Path, name: str, table: pa.Table) -> None:
    """Put another table into a snapshot, with a manifest that fits it."""
    pq.write_table(table, folder / name)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name]["sha256"] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", choices=["ukpconvarg1", "pandalm"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--debates", type=int)
    given = parser.parse_args()
    source = ukpconvarg1(given.data, given.debates) if given.source == "ukpconvarg1" else pandalm(given.data)
    write(source, given.out)


if __name__ == "__main__":
    main()
