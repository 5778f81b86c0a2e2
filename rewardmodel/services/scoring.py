"""Rewards of responses under an ensemble. Torch runs in a child process, never in this one."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from django.conf import settings

from annotation.interchange.records import Message, prompt_json
from annotation.interchange.snapshot_rows import RESPONSE_SCHEMA
from annotation.models.content import Response
from rewardmodel.models import Ensemble, TrainingRun
from rewardmodel.services.children import Child
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


def score(*, ensemble: Ensemble, response_ids: Sequence[int]) -> ScoredResponses:
    """Score responses by their ids. Raises `ScoringFailed`, also when an id is of no response."""
    wanted = list(dict.fromkeys(response_ids))
    with tempfile.TemporaryDirectory(prefix="laurel-score-") as name:
        folder = Path(name)
        _write_responses(wanted, folder / "responses.parquet")
        score_file(ensemble_folder(ensemble.run), folder / "responses.parquet", folder / "scores.npz")
        found = read_scores(folder / "scores.npz")
    row_of = {int(response_id): row for row, response_id in enumerate(found.ids)}
    rows = [row_of[response_id] for response_id in response_ids]
    return ScoredResponses(
        list(response_ids), found.rewards[rows], found.features[rows], found.temperature, found.tau
    )


@dataclass(frozen=True)
class ScoreFile:
    """What `python -m rewardmodel.training.score` wrote."""

    ids: list[str]
    rewards: np.ndarray
    features: np.ndarray
    temperature: float
    tau: float


def score_file(
    ensemble: Path, responses: Path, out: Path, *, follow: Callable[[Child], int] = Child.wait
) -> None:
    """Run the scoring program; `follow` waits for it and may give up by an exception."""
    log = out.with_suffix(".log")
    child = Child(
        "rewardmodel.training.score",
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


def read_scores(path: Path) -> ScoreFile:
    with np.load(path, allow_pickle=False) as file:
        return ScoreFile(
            ids=[str(one) for one in file["response_id"]],
            rewards=file["rewards"],
            features=file["features"],
            temperature=float(file["temperature"]),
            tau=float(file["tau"]),
        )


def ensemble_folder(run: TrainingRun) -> Path:
    return folder_of(run) / "ensemble"


def _write_responses(ids: Sequence[int], path: Path) -> None:
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
