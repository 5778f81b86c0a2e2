"""python -m rewardmodel.training.scoring.score_many ENSEMBLE INPUT OUT [--shard i/N] [--device cuda]

Scores files of any length in constant memory. OUT gets one Parquet file for each run of ROWS rows of the
input, named by its number, written whole or not at all. Part p belongs to shard p mod N, and nothing in it
depends on other parts, so: killed and called again it goes on at the first part missing; several workers or
GPUs take a shard each into the same folder; and however it was cut up and interrupted, the bytes are equal.
Names that begin with _ are no data: pyarrow, pandas and Spark read the folder as one table.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rewardmodel.training import files, program, stopping
from rewardmodel.training.failure import ScoringInputError
from rewardmodel.training.scoring import score_input, scorer

FORMAT = "laurel-scores/1"
ROWS = 2_048  # of the input in one part; also what a kill can lose
LISTED = 1_000  # bad rows in the manifest; the parts hold all of them


@dataclass(frozen=True)
class Job:
    ensemble: Path
    source: Path
    out: Path
    shard: int = 1  # of 1…shards
    shards: int = 1
    device: str = "cpu"
    penalty: float = scorer.LAMBDA  # λ of mean - λ·std
    rows: int = ROWS
    cache: Path | None = None  # embeddings on disk; the last bits then depend on what it holds
    project: str | None = None
    run: int | None = None


def score(job: Job, stop: stopping.Stop) -> dict[str, Any]:
    """Score the parts of this shard that are missing. Returns the shard's manifest, which is also written.

    Raises TrainingError with its reason; StoppedError after SIGTERM, with every finished part in place.
    """
    model = scorer.load(job.ensemble, cache=job.cache, device=job.device, project=job.project, run=job.run)
    _claim(job, model.identity)
    _sweep(job)
    mine = []
    for number, first, records in score_input.parts(job.source, job.rows):
        if number % job.shards != job.shard - 1:
            continue
        stop.check()
        path = job.out / f"part-{number:08}.parquet"
        if not path.exists():
            rows = [score_input.read(record, first + i) for i, record in enumerate(records)]
            files.write_bytes(path, _part(rows, model, job.penalty))
            sys.stderr.write(f"{path.name}: rows {first} to {first + len(rows) - 1} scored\n")
        mine.append(path)
    manifest = _manifest(job, model.identity, mine)
    files.write_json(job.out / f"_manifest-{job.shard}-of-{job.shards}.json", manifest)
    return manifest


def _claim(job: Job, identity: scorer.Identity) -> None:
    """Write OUT/_job.json, or check that the folder is of this very job; shards differ in nothing it says."""
    try:
        source = files.sha256(job.source)
    except OSError as error:
        raise ScoringInputError(f"{job.source} cannot be read ({error.strerror}).") from None
    mine = {
        "format": FORMAT,
        "ensemble": identity.sha256,
        "input_sha256": source,
        "rows_per_part": job.rows,
        "lambda": job.penalty,
    }
    path = job.out / "_job.json"
    if not path.exists():
        files.write_json(path, mine)
    found = json.loads(path.read_text(encoding="utf-8"))
    for name, value in mine.items():
        if found.get(name) != value:
            raise ScoringInputError(
                f"{job.out} was begun with another {name} ({found.get(name)}, now {value}): scores are never "
                "mixed. Use a new folder."
            )


def _sweep(job: Job) -> None:
    """Remove what a killed worker of this shard left half-written."""
    for path in job.out.glob(".part-*.part"):
        if int(path.name[6:14]) % job.shards == job.shard - 1:
            path.unlink(missing_ok=True)


def _part(rows: Sequence[score_input.Row], model: scorer.Scorer, penalty: float) -> bytes:
    """One Parquet file; a row that cannot be scored stands in it with its error and without scores."""
    model.forget()  # so that a part is the same whichever was scored before
    scored = model.score([exchange for row in rows for exchange in row.exchanges])
    mean, std, low = scored.mean, scored.std, scored.conservative(penalty)
    table: list[dict[str, Any]] = []
    at = 0
    for row in rows:
        for index, name in enumerate(row.response_ids):
            table.append(
                {"line": row.line, "id": row.id, "response": index, "response_id": name,
                 "mean": mean[at], "std": std[at], "conservative": low[at],
                 "rewards": scored.rewards[at],
                 "criteria": [(key, values[at]) for key, values in scored.criteria.items()],
                 "distance": None if scored.distance is None else scored.distance[at],
                 "out_of_distribution": None if scored.flagged is None else bool(scored.flagged[at])}
            )  # fmt: skip
            at += 1
        if row.error is not None:
            table.append({"line": row.line, "id": row.id, "error": row.error})
    bad = [[row.line, row.error] for row in rows if row.error is not None]
    about = {"laurel": json.dumps({"ensemble": model.identity.as_dict(), "rows": len(rows), "bad": bad})}
    buffer = io.BytesIO()
    schema = SCHEMA.with_metadata(about)
    pq.write_table(pa.Table.from_pylist(table, schema), buffer, compression="zstd")
    return buffer.getvalue()


SCHEMA = pa.schema(
    [
        ("line", pa.int64()),
        ("id", pa.string()),
        ("response", pa.int32()),  # which of the row's responses, from 0
        ("response_id", pa.string()),
        ("mean", pa.float64()),
        ("std", pa.float64()),
        ("conservative", pa.float64()),
        ("rewards", pa.list_(pa.float32())),
        ("criteria", pa.map_(pa.string(), pa.float64())),
        ("distance", pa.float64()),
        ("out_of_distribution", pa.bool_()),
        ("error", pa.string()),
    ]
)


def _manifest(job: Job, identity: scorer.Identity, paths: Sequence[Path]) -> dict[str, Any]:
    """Counts and hashes, from the parts themselves: the same however often the job was interrupted."""
    parts, bad = [], []
    rows = 0
    for path in paths:
        with pq.ParquetFile(path) as file:
            about = json.loads(file.schema_arrow.metadata[b"laurel"])
            responses = file.metadata.num_rows - len(about["bad"])
        rows += about["rows"]
        bad += about["bad"]
        parts.append({"name": path.name, "sha256": files.sha256(path), "responses": responses})
    return {
        "format": FORMAT,
        "ensemble": identity.as_dict(),
        "input": job.source.name,
        "shard": f"{job.shard}/{job.shards}",
        "lambda": job.penalty,
        "rows": rows,
        "responses": sum(part["responses"] for part in parts),
        "bad": {
            "count": len(bad),
            "rows": [{"line": line, "reason": reason} for line, reason in bad[:LISTED]],
        },
        "parts": parts,
    }


def shard_of(text: str) -> tuple[int, int]:
    """ "2/4" -> (2, 4)."""
    first, _, second = text.partition("/")
    if not (first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a shard such as 1/4 (the first of four).")
    return int(first), int(second)


def main(arguments: list[str] | None = None) -> int:
    """0: the shard is scored. 1: the reason is on standard error. 143: after SIGTERM. 2: wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m rewardmodel.training.scoring.score_many", description="Score a file."
    )
    parser.add_argument("ensemble", type=Path)
    parser.add_argument(
        "source", type=Path, metavar="INPUT", help="JSON Lines or Parquet: prompt, response(s), id"
    )
    parser.add_argument("out", type=Path, help="a folder; an unfinished one is continued")
    parser.add_argument(
        "--shard", type=shard_of, default=(1, 1), metavar="I/N", help="take one part in N (1/1)"
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, …")
    parser.add_argument(
        "--lambda", type=float, default=scorer.LAMBDA, dest="penalty", help="of mean - λ·std (1)"
    )
    parser.add_argument("--rows", type=int, default=ROWS, help=f"of the input in one part ({ROWS})")
    parser.add_argument("--cache", type=Path, help="embeddings on disk to read first")
    parser.add_argument("--project", help="said in the results")
    parser.add_argument("--run", type=int, help="said in the results")
    given = vars(parser.parse_args(arguments))
    given["shard"], given["shards"] = given["shard"]
    return program.carry_out(lambda stop: score(Job(**given), stop))


if __name__ == "__main__":
    sys.exit(main())
