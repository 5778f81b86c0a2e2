"""One training run from snapshot folder to run folder; no database. Killed and called again, it resumes."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from rewardmodel.evaluation.report import report
from rewardmodel.training import (
    assessment,
    checkpoint,
    data,
    encoder,
    ensemble,
    features,
    files,
    heads,
    loop,
    plan,
)
from rewardmodel.training.config import TrainingConfig
from rewardmodel.training.failure import SnapshotError
from rewardmodel.training.progress import Progress
from rewardmodel.training.stopping import Stop

FORMAT = "laurel-run/1"


@dataclass(frozen=True)
class Request:
    snapshot: Path
    run: Path
    config: TrainingConfig
    cache: Path


def train(request: Request, stop: Stop) -> dict[str, Any]:
    """Train, evaluate, and write the ensemble and the metrics. Returns the metrics.

    Raises TrainingError with its reason, and StoppedError after SIGTERM with everything saved.
    """
    began, config = time.monotonic(), request.config
    progress = Progress(request.run / "progress.json")
    progress.report("reading", 0, 1, "Reading the snapshot")
    snapshot = data.read(request.snapshot, config.criterion)
    if (done := _claim(request, snapshot)) is not None:
        progress.report("done", 1, 1, "This run was already complete")
        return done
    plan.check_enough(snapshot, config)
    model = encoder.locate(config.encoder, config.encoder_revision, config.windows)

    def embedding(count: int, total: int) -> None:
        stop.check()
        progress.report("embedding", count, total, f"{count} of {total} texts embedded")

    raw = ensemble.raw_features(model, snapshot.responses, request.cache, embedding)
    standardisation = features.standardisation(raw)
    inputs = standardisation.apply(raw)
    groups = plan.make(snapshot.pairs, config)
    state = _fit(request, snapshot, groups, inputs, progress, stop)
    progress.report("evaluating", 0, 1, "Testing on prompts the heads have not seen")
    metrics = _finish(request, snapshot, groups, inputs, state, standardisation, model)
    metrics["seconds"] = round(time.monotonic() - began, 2)
    files.write_json(request.run / "metrics.json", metrics)
    (request.run / "failure.json").unlink(missing_ok=True)
    progress.report("done", 1, 1, "Trained")
    return metrics


def _claim(request: Request, snapshot: data.Snapshot) -> dict[str, Any] | None:
    """Write RUN/config.json, or check that the folder is of this very run. Returns its metrics if it is
    complete."""
    path, metrics = request.run / "config.json", request.run / "metrics.json"
    mine = {"format": FORMAT, "config": request.config.as_dict(), "snapshot_sha256": snapshot.sha256}
    if path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found = {}
        for key, name in (("snapshot_sha256", "snapshot"), ("config", "configuration")):
            if found.get(key) != mine[key]:
                raise SnapshotError(
                    f"The run folder was started with another {name}: a run is never mixed. Use a new run "
                    f"folder."
                )
        return json.loads(metrics.read_text(encoding="utf-8")) if metrics.exists() else None
    versions = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    files.write_json(path, {**mine, "versions": versions})
    return None


def _fit(
    request: Request,
    snapshot: data.Snapshot,
    groups: plan.Plan,
    inputs: np.ndarray,
    progress: Progress,
    stop: Stop,
) -> loop.State:
    """Fit the heads of every group, going on from the checkpoint if there is one of this very fit."""
    config, pairs = request.config, snapshot.pairs
    rng = np.random.default_rng([config.seed, 0])
    draws = heads.bootstrap(groups.held_out, len(groups.prompts), config.heads, rng)
    initial = heads.initialise(config.heads * len(groups.held_out), inputs.shape[1], config.hidden, rng)
    problem = loop.Problem(
        torch.from_numpy(inputs),
        torch.from_numpy(pairs.left),
        torch.from_numpy(pairs.right),
        torch.tensor(pairs.shares, dtype=torch.float32),
        torch.tensor(pairs.weight, dtype=torch.float32),
        torch.from_numpy(groups.prompt),
        draws,
    )
    path = request.run / "checkpoint" / "state.safetensors"
    fingerprint = hashlib.sha256(
        json.dumps([config.as_dict(), snapshot.sha256]).encode() + hashlib.sha256(inputs.tobytes()).digest()
    ).hexdigest()
    saved = checkpoint.read(path, fingerprint)
    state = loop.start(initial)
    if saved is not None:
        state, progress.curve = saved

    def on_step(now: loop.State, train_nll: float, validation_nll: float) -> None:
        progress.point(now.step, train_nll, validation_nll)
        if stop.asked or now.step % config.checkpoint_every == 0:
            checkpoint.write(path, now, progress.curve, fingerprint)
        stop.check()
        message = f"Step {now.step}: validation NLL {validation_nll:.4f}"
        progress.report("training", now.step, config.max_steps, message)

    return loop.fit(problem, config, state, on_step)


def _finish(
    request: Request,
    snapshot: data.Snapshot,
    groups: plan.Plan,
    inputs: np.ndarray,
    state: loop.State,
    standardisation: features.Standardisation,
    model: encoder.Encoder,
) -> dict[str, Any]:
    """Evaluate, then write predictions and ensemble. Returns the metrics."""
    config, size = request.config, request.config.heads
    with torch.inference_mode():
        rewards = heads.rewards(state.best, torch.from_numpy(inputs)).double().numpy()
    by_group = rewards.reshape(len(rewards), len(groups.held_out), size).mean(axis=2)
    tau = state.best["tau"].double().numpy().reshape(-1, size).mean(axis=1)
    assessed = assessment.assess(snapshot, groups, by_group, tau)
    metrics = report(assessed.held, resamples=config.bootstrap, rng=np.random.default_rng([config.seed, 2]))
    kept = ensemble.Ensemble(
        parameters=heads.select(state.best, range(size)),
        standardisation=standardisation,
        encoder=model.name,
        encoder_revision=model.revision,
        encoder_commit=model.commit,
        windows=model.windows,
        temperature=assessed.temperature.temperature,
        tau=assessed.temperature.tau,
        criterion=snapshot.criterion,
        snapshot_sha256=snapshot.sha256,
    )
    table = pa.table(dict(assessment.prediction_columns(snapshot, assessed)))
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    files.write_bytes(request.run / "predictions.parquet", buffer.getvalue())
    ensemble.save(request.run / "ensemble", kept)
    return {**metrics, **_provenance(snapshot, groups, state, assessed, config)}


def _provenance(
    snapshot: data.Snapshot,
    groups: plan.Plan,
    state: loop.State,
    assessed: assessment.Assessment,
    config: TrainingConfig,
) -> dict[str, Any]:
    """How the numbers came about, in words and counts."""
    prompts, trained = len(groups.prompts), ~groups.held_out[0]
    if groups.cross_fitted:
        folds = len(groups.held_out) - 1
        how = f"cross-fitted over {prompts} prompts in {folds} folds"
        kept = f"{int(trained.sum())} of {prompts} prompts (all but the test split)"
    else:
        how = f"held-out test split of {assessed.held.prompt.max() + 1} prompts"
        kept = f"{int(trained.sum())} of {prompts} prompts (the train split)"
    return {
        "evaluation": how,
        "ensemble_trained_on": kept,
        "criterion": snapshot.criterion,
        "temperature": {
            "value": assessed.temperature.temperature,
            "tau": assessed.temperature.tau,
            "n": assessed.temperature.pairs,
        },
        "training": {
            "pairs": int(trained[groups.prompt].sum()),
            "prompts": int(trained.sum()),
            "responses": len(snapshot.responses.ids),
            "heads": config.heads,
            "steps": state.step,
            "validation_nll": float(state.lowest[: config.heads].mean()),
        },
        "left_out": [{"reason": reason, "count": count} for reason, count in snapshot.left_out],
        "snapshot_sha256": snapshot.sha256,
    }
