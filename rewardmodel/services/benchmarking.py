"""Files of RewardBench's format under a run's ensemble. Torch runs in a child process, never in this one."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from annotation.interchange.records import Message, prompt_json
from annotation.interchange.snapshot_rows import RESPONSE_SCHEMA
from rewardmodel.evaluation import reward_bench
from rewardmodel.evaluation.reward_bench import Benchmark, Row, Scores
from rewardmodel.models import TrainingRun
from rewardmodel.services import scoring

RESAMPLES = 1000


@dataclass(frozen=True)
class Evaluated:
    benchmark: Benchmark
    model: Scores
    length: Scores  # the longest response is taken for the best

    def as_json(self) -> dict[str, Any]:
        return {
            "rows": len(self.benchmark.rows),
            "bad_rows": [{"row": number, "reason": why} for number, why in self.benchmark.bad],
            "overall": _beside(self.model.rows.as_dict(), self.length.rows.as_dict()),
            "mean_of_subsets": {"value": self.model.mean_of_subsets, "length": self.length.mean_of_subsets},
            "subsets": {
                name: _beside(found.as_dict(), self.length.subsets[name].as_dict())
                for name, found in self.model.subsets.items()
            },
        }


def evaluate(*, run: TrainingRun, path: Path) -> Evaluated:
    """Raises `NotABenchmark` when the file holds nothing, `ScoringFailed` when it cannot be scored."""
    benchmark = reward_bench.read(path)
    texts = [(row, name, text) for row in benchmark.rows for name, text in _responses(row)]
    with tempfile.TemporaryDirectory(prefix="laurel-evaluate-") as name:
        responses, scores = Path(name, "responses.parquet"), Path(name, "scores.npz")
        described = [_described(row, response, text) for row, response, text in texts]
        pq.write_table(pa.Table.from_pylist(described, RESPONSE_SCHEMA), responses)
        scoring.score_file(scoring.ensemble_folder(run), responses, scores)
        found = scoring.read_scores(scores)
    reward = dict(zip(found.ids, found.rewards.mean(axis=1, dtype=np.float64).tolist(), strict=True))
    length = {name: float(len(text)) for _, name, text in texts}
    return Evaluated(benchmark, *(_scored(benchmark, values) for values in (reward, length)))


def _scored(benchmark: Benchmark, value: dict[str, float]) -> Scores:
    rewards = []
    for row in benchmark.rows:
        values = np.array([value[name] for name, _ in _responses(row)])
        rewards.append((values[: len(row.chosen)], values[len(row.chosen) :]))
    return reward_bench.score(benchmark.rows, rewards, RESAMPLES)


def _responses(row: Row) -> list[tuple[str, str]]:
    """(name, text), the chosen ones first."""
    return [(f"{row.number}/{i}", text) for i, text in enumerate((*row.chosen, *row.rejected))]


def _described(row: Row, name: str, text: str) -> dict[str, Any]:
    turns = [Message(role=role, content=content) for role, content in row.prompt]
    return {
        "prompt_id": str(row.number), "response_id": name, "prompt": prompt_json(turns), "text": text,
        "model": None, "category": None,
    }  # fmt: skip


def _beside(model: dict[str, Any], length: dict[str, Any]) -> dict[str, Any]:
    return {**model, "length": length}
