"""python -m rewardmodel.training.scoring.score ENSEMBLE RESPONSES.parquet OUT.npz [--cache DIR]"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np

from rewardmodel.training import data, ensemble, files, program


def main(arguments: list[str] | None = None) -> int:
    """Score responses with an ensemble: 0 and OUT.npz, or 1 and the reason on standard error.

    OUT.npz: response_id (n,), rewards (n, K) float32 before temperature, features (n, f) float32,
    temperature, tau; criteria (C,) names, criteria_rewards (C, n, K) on the scale of the overall,
    criteria_tau (C,); and, where the ensemble has a reference of its training responses, ood_distance (n,)
    float64 and ood (n,) bool.
    """
    parser = argparse.ArgumentParser(
        prog="python -m rewardmodel.training.scoring.score", description="Score responses."
    )
    parser.add_argument("ensemble", type=Path)
    parser.add_argument("responses", type=Path, help="a file with the columns of responses.parquet")
    parser.add_argument("out", type=Path)
    parser.add_argument("--cache", type=Path, help="where embeddings are kept (default: beside OUT)")
    given = parser.parse_args(arguments)
    return program.carry_out(lambda _: _score(given))


def _score(given: argparse.Namespace) -> None:
    loaded = ensemble.load(given.ensemble)
    responses = data.read_responses(given.responses)
    scores = ensemble.score(loaded, responses, given.cache or given.out.parent / "cache")
    far: dict[str, Any] = {}
    if scores.distance is not None:
        far = {"ood_distance": scores.distance, "ood": scores.flagged}
    buffer = io.BytesIO()
    np.savez(
        buffer,
        response_id=np.array(responses.ids, dtype=np.str_),
        rewards=scores.rewards,
        features=scores.features,
        temperature=np.float64(loaded.temperature),
        tau=np.float64(loaded.tau),
        criteria=np.array(list(scores.criteria), dtype=np.str_),
        criteria_rewards=np.stack(list(scores.criteria.values())),
        criteria_tau=np.array([one.tau for one in loaded.criteria]),
        **far,
    )
    files.write_bytes(given.out, buffer.getvalue())


if __name__ == "__main__":
    sys.exit(main())
