"""Rewards of responses under an ensemble. Torch runs in a child process, never in this one."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from django.conf import settings

from annotation.interchange.records import Message, prompt_json
from annotation.interchange.snapshot_rows import RESPONSE_SCHEMA
from annotation.models.content import Response
from rewardmodel.models import Ensemble, TrainingRun
from rewardmodel.services.children import Child
from rewardmodel.services.outcomes import ASKED_TO_STOP
from rewardmodel.services.running import folder_of

CHUNK = 2_000


class ScoringFailed(RuntimeError):
    """The responses could not be scored; the message says why."""


@dataclass(frozen=True)
class ScoredResponses:
    """n responses in the order asked for, under K heads."""

    response_ids: list[int]
    rewards: np.ndarray  # (n, K) float32, before temperature
    features: np.ndarray  # (n, d) float32
    temperature: float  # P(A, B, tie) = softmax(Δ/2T, -Δ/2T, τ), Δ the difference of mean rewards
    tau: float
    criteria: Mapping[str, "Criterion"] = field(default_factory=dict)  # by name

    def of(self, criterion: str) -> "Criterion":
        """What is said of one criterion; the overall where the ensemble does not know it."""
        return self.criteria.get(criterion) or Criterion(self.rewards, self.tau)


@dataclass(frozen=True)
class Criterion:
    """Rewards (n, K) of one criterion on the scale of the overall, and its tie parameter."""

    rewards: np.ndarray
    tau: float


def score(*, ensemble: Ensemble, response_ids: Sequence[int]) -> ScoredResponses:
    """Score responses by their ids. Raises `ScoringFailed`, also when an id is of no response."""
    wanted = list(dict.fromkeys(response_ids))
    with tempfile.TemporaryDirectory(prefix="laurel-score-") as name:
        folder = Path(name)
        write_responses(wanted, folder / "responses.parquet")
        score_file(ensemble_folder(ensemble.run), folder / "responses.parquet", folder / "scores.npz")
        found = read_scores(folder / "scores.npz")
    row_of = {int(response_id): row for row, response_id in enumerate(found.ids)}
    rows = [row_of[response_id] for response_id in response_ids]
    return ScoredResponses(
        list(response_ids),
        found.rewards[rows],
        found.features[rows],
        found.temperature,
        found.tau,
        {name: Criterion(one.rewards[rows], one.tau) for name, one in found.criteria.items()},
    )


@dataclass(frozen=True)
class ScoreFile:
    """What `python -m rewardmodel.training.scoring.score` wrote."""

    ids: list[str]
    rewards: np.ndarray
    features: np.ndarray
    temperature: float
    tau: float
    criteria: dict[str, Criterion]


def score_file(
    ensemble: Path, responses: Path, out: Path, *, follow: Callable[[Child], int] = Child.wait
) -> None:
    """Run the scoring program; `follow` waits for it and may give up by an exception."""
    log = out.with_suffix(".log")
    child = Child(
        "rewardmodel.training.scoring.score",
        [ensemble, responses, out, "--cache", settings.LAUREL_CACHE_DIR],
        log=log,
    )
    try:
        code = follow(child)
    finally:
        child.end()
    if code != 0:
        words = log.read_text(errors="replace").strip()[-2_000:] or f"it ended with exit code {code}"
        raise ScoringFailed(f"Scoring failed: {words}")


def score_rows(
    *,
    run: TrainingRun,
    source: Path,
    out: Path,
    shard: str = "1/1",
    device: str = "cpu",
    follow: Callable[[Child], int] = Child.wait,
) -> dict[str, Any]:
    """Score a file of prompts and responses with a run's ensemble. Returns the manifest of the shard.

    Called again on the same folder it goes on where it was. Raises `ScoringFailed` with the reason.
    """
    out.mkdir(parents=True, exist_ok=True)
    name = shard.replace("/", "-of-")
    log = out / f"_log-{name}.txt"
    before = log.stat().st_size if log.exists() else 0
    words: list[str | Path] = [ensemble_folder(run), source.resolve(), out.resolve(), "--shard", shard]
    words += ["--device", device, "--project", run.project.slug, "--run", str(run.number)]
    child = Child("rewardmodel.training.scoring.score_many", words, log=log)
    try:
        code = follow(child)
    finally:
        child.end()
    if code < 0 or code == ASKED_TO_STOP:
        raise ScoringFailed(
            f"Scoring was stopped from outside or for want of memory (exit code {code}). Say the same again: "
            "it goes on where it was."
        )
    if code != 0:
        said = log.read_bytes()[before:].decode(errors="replace").strip().splitlines()
        raise ScoringFailed(said[-1] if said else f"Scoring ended with exit code {code}.")
    manifest: dict[str, Any] = json.loads((out / f"_manifest-{name}.json").read_text())
    return manifest


def read_scores(path: Path) -> ScoreFile:
    with np.load(path, allow_pickle=False) as file:
        return ScoreFile(
            ids=[str(one) for one in file["response_id"]],
            rewards=file["rewards"],
            features=file["features"],
            temperature=float(file["temperature"]),
            tau=float(file["tau"]),
            criteria={
                str(name): Criterion(rewards, float(tau))
                for name, rewards, tau in zip(
                    file["criteria"], file["criteria_rewards"], file["criteria_tau"], strict=True
                )
            },
        )


def ensemble_folder(run: TrainingRun) -> Path:
    return folder_of(run) / "ensemble"


def write_responses(ids: Sequence[int], path: Path) -> None:
    """A file with the columns of a snapshot's responses."""
    found = 0
    with pq.ParquetWriter(path, RESPONSE_SCHEMA, compression="zstd") as writer:
        for start in range(0, len(ids), CHUNK):
            rows = Response.objects.select_related("prompt").in_bulk(ids[start : start + CHUNK])
            found += len(rows)
            writer.write_table(pa.Table.from_pylist([_row(row) for row in rows.values()], RESPONSE_SCHEMA))
    if found != len(ids):
        raise ScoringFailed(f"{len(ids) - found} of {len(ids)} ids are of no response.")


def _row(response: Response) -> dict[str, str | None]:
    turns = [Message(role=turn["role"], content=turn["content"]) for turn in response.prompt.messages]
    return {
        "prompt_id": str(response.prompt_id),
        "response_id": str(response.pk),
        "prompt": prompt_json(turns),
        "text": response.text,
        "model": response.model or None,
    }
