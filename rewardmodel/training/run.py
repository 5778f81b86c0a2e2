"""One training run from snapshot folder to run folder; no database. Killed and called again, it resumes."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from rewardmodel.likelihood import objective
from rewardmodel.training import (
    card,
    checkpoint,
    data,
    encoder,
    ensemble,
    features,
    files,
    heads,
    loop,
    plan,
    votes,
    warm,
)
from rewardmodel.training.config import Config, TrainingConfig
from rewardmodel.training.failure import SnapshotError
from rewardmodel.training.progress import Progress
from rewardmodel.training.report import assessment, judging, sections
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
    snapshots = data.read_criteria(request.snapshot, config.criterion)
    if (done := claim(request.run, config, snapshots[0], request.snapshot)) is not None:
        progress.report("done", 1, 1, "This run was already complete")
        return done
    snapshots = plan.enough(snapshots, config)
    model = encoder.locate(config.encoder, config.encoder_revision, config.windows)

    def embedding(count: int, total: int) -> None:
        stop.check()
        progress.report("embedding", count, total, f"{count} of {total} texts embedded")

    embed = partial(encoder.embed, model, cache=request.cache, report=embedding)
    raw = features.of_responses(embed, snapshots[0].responses)
    standardisation = features.standardisation(raw)
    inputs = standardisation.apply(raw)
    layout = warm.Layout(model.revision, standardisation)
    fitted = [
        _fit(request, snapshot, inputs, layout, progress, stop, i) for i, snapshot in enumerate(snapshots)
    ]
    progress.report("evaluating", 0, 1, "Testing on prompts the heads have not seen")
    metrics = _finish(request, fitted, inputs, standardisation, model, stop.check)
    metrics["seconds"] = round(time.monotonic() - began, 2)
    card.write(request.run, request.snapshot, config.as_dict(), metrics)
    files.write_json(request.run / "metrics.json", metrics)
    (request.run / "failure.json").unlink(missing_ok=True)
    progress.report("done", 1, 1, "Trained")
    return metrics


def claim(folder: Path, config: Config, snapshot: data.Snapshot, source: Path) -> dict[str, Any] | None:
    """Write RUN/config.json, or check that the folder is of this very run. Returns its metrics if it is
    complete."""
    path, metrics = folder / "config.json", folder / "metrics.json"
    mine = {"format": FORMAT, "config": config.as_dict(), "snapshot_sha256": snapshot.sha256}
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
    where = str(source.resolve())
    files.write_json(path, {**mine, "snapshot": where, "versions": versions})
    return None


def _fit(
    request: Request,
    snapshot: data.Snapshot,
    inputs: np.ndarray,
    layout: warm.Layout,
    progress: Progress,
    stop: Stop,
    number: int,
) -> judging.Fitted:
    """Fit the heads of every group of criterion `number`, going on from the checkpoint if there is one of
    this very fit. Criteria whose prompts are the same draw the same bootstrap."""
    config, groups = request.config, plan.make(snapshot.pairs, request.config)
    learned = votes.read(request.snapshot, snapshot)
    snapshot = replace(snapshot, left_out=learned.left_out + snapshot.left_out)
    terms = learned.renumbered(groups.prompts)
    rng = np.random.default_rng([config.seed, 0])
    draws = heads.bootstrap(groups.held_out, len(groups.prompts), config.heads, rng)
    initial = heads.initialise(config.heads * len(groups.held_out), inputs.shape[1], config.hidden, rng)
    initial |= objective.start(terms, draws.inside)
    ids = [snapshot.responses.prompt_ids[i] for i in groups.prompts]
    beginning = warm.Beginning(initial, draws)
    if config.warm_start is not None:
        parent = request.run / config.warm_start
        beginning = warm.begin(parent, snapshot.criterion, layout, ids, groups.held_out, beginning)
    problem = loop.Problem(torch.from_numpy(inputs), terms, beginning.draws)
    path = request.run / "checkpoint" / (f"state-{number}.safetensors" if number else "state.safetensors")
    fingerprint = hashlib.sha256(
        json.dumps([config.as_dict(), snapshot.sha256, snapshot.criterion, beginning.digest]).encode()
        + hashlib.sha256(inputs.tobytes()).digest()
    ).hexdigest()
    saved = checkpoint.read(path, fingerprint)
    state, progress.curve = loop.start(beginning.parameters), []
    if saved is not None:
        state, progress.curve = saved

    def on_step(now: loop.State, train_nll: float, validation_nll: float) -> None:
        progress.point(now.step, train_nll, validation_nll)
        if stop.asked or now.step % config.checkpoint_every == 0:
            checkpoint.write(path, now, progress.curve, fingerprint)
        stop.check()
        message = f"{snapshot.criterion}, step {now.step}: validation NLL {validation_nll:.4f}"
        progress.report("training", now.step, config.max_steps, message)

    state = loop.fit(problem, warm.gentle(config) if beginning.warm else config, state, on_step)
    checkpoint.write(path, state, progress.curve, fingerprint)  # whatever comes next may be killed too
    inside = beginning.draws.inside[:, : config.heads]
    warm.save(request.run / "ensemble", snapshot.criterion, layout, ids, inside, state.best)
    return judging.Fitted(snapshot, learned, groups, state, beginning.words)


def _finish(
    request: Request,
    fitted: list[judging.Fitted],
    inputs: np.ndarray,
    standardisation: features.Standardisation,
    model: encoder.Encoder,
    check: Callable[[], None],
) -> dict[str, Any]:
    """Evaluate, then write predictions and ensemble. Returns the metrics: those of the overall, and those of
    each criterion beside them if there are several."""
    config, main = request.config, fitted[0]
    judged = [judging.judge(one, inputs, config) for one in fitted]
    whole = judging.judge_overall(fitted, judged, inputs, config)
    tested = whole.snapshot is not main.snapshot  # else the first criterion stands for it
    reported = [*judged, whole] if tested else judged
    material = sections.Material(request.snapshot, inputs, standardisation, model, request.cache)
    sections.examine(material, main, reported, config, check)
    kept = ensemble.Ensemble(
        parameters=whole.kept.parameters,
        standardisation=standardisation,
        encoder=model.name,
        encoder_revision=model.revision,
        encoder_commit=model.commit,
        windows=model.windows,
        temperature=whole.kept.temperature,
        tau=whole.kept.tau,
        criterion=whole.kept.name,
        snapshot_sha256=main.snapshot.sha256,
        reference=sections.kept_reference(main.snapshot.responses.prompt, main.groups, inputs, config),
        several=tuple(one.kept for one in judged) if len(judged) > 1 else (),
    )
    table = pa.table(dict(assessment.prediction_columns(whole.snapshot, whole.assessed)))
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    files.write_bytes(request.run / "predictions.parquet", buffer.getvalue())
    ensemble.save(request.run / "ensemble", kept)
    metrics = whole.metrics if tested else judged[0].metrics | whole.metrics
    if len(judged) == 1:
        return metrics
    return {**metrics, "criteria": {one.kept.name: one.metrics for one in judged}}
