"""From finished members to held-out predictions, metrics and ensemble.json."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rewardmodel.evaluation import clustered, out_of_distribution
from rewardmodel.evaluation.report import report
from rewardmodel.training import files, plan
from rewardmodel.training.finetune import bundle, members
from rewardmodel.training.finetune.config import FinetuneConfig
from rewardmodel.training.finetune.preparing import Prepared
from rewardmodel.training.report import assessment, closer_look, context, judging

NO_DEVIATION = 1e-8  # of log lengths: all the same


def finish(
    source: Path, run: Path, config: FinetuneConfig, prepared: Prepared, tell: Callable[[int, int], None]
) -> dict[str, Any]:
    """Test on the test split, then write predictions and, last of the ensemble, its description.

    The rewards are those of the files on disk, read as scoring will read them. source: the snapshot's folder.
    Returns the metrics.
    """
    snapshot, pairs, folder = prepared.snapshot, prepared.snapshot.pairs, run / "ensemble"
    for left_over in folder.glob(".*.part"):
        shutil.rmtree(left_over, ignore_errors=True)
    files.write_folder(folder / "tokenizer", prepared.tokenizer.save_pretrained)
    described = [describe(run, number) for number in range(config.members)]
    tau = float(np.mean([one["parameters"]["tau"] for one in described]))
    groups = _plan(pairs.prompt, pairs.split != "train")
    unscaled = _ensemble(folder, config, prepared)
    scored = _score(unscaled, prepared, config, tell)
    lengths = assessment.log_lengths(snapshot.responses.texts)
    centre, deviation = float(lengths.mean()), max(float(lengths.std()), NO_DEVIATION)
    standardised = (lengths - centre) / deviation
    assessed = assessment.assess(snapshot, groups, scored.rewards[:, None], np.array([tau]), standardised)
    rng = np.random.default_rng([config.seed, 2])
    metrics = report(assessed.held, resamples=config.bootstrap, rng=rng)
    metrics |= _examine(source, prepared, config, assessed, scored)
    buffer = io.BytesIO()
    pq.write_table(pa.table(dict(assessment.prediction_columns(snapshot, assessed))), buffer)
    files.write_bytes(run / "predictions.parquet", buffer.getvalue())
    found = assessed.blend
    kept = replace(
        unscaled,
        temperature=found.temperature,
        tau=found.tau,
        length=found.length / deviation,
        centre=centre,
        reference=scored.known.references[0],
    )
    bundle.save(kept)
    return {
        **metrics,
        **_provenance(prepared, config, assessed, described, groups),
        "cut_to_score": scored.cut,
    }


@dataclass(frozen=True)
class _Scored:
    """n responses of the snapshot, of which those that were scored have numbers."""

    rewards: np.ndarray  # (n, K)
    known: out_of_distribution.LeftOut
    cut: int


def _score(
    ensemble: bundle.Finetuned, prepared: Prepared, config: FinetuneConfig, tell: Callable[[int, int], None]
) -> _Scored:
    """Rewards of the responses of held-out pairs, and what training responses look like, of which some
    thousands are read for it."""
    pairs, responses = prepared.snapshot.pairs, prepared.snapshot.responses
    n, held = len(responses.ids), pairs.split != "train"
    judged = np.unique(np.concatenate([pairs.left[held], pairs.right[held]]))
    seen = np.flatnonzero(np.isin(responses.prompt, pairs.prompt[~held]))
    rng = np.random.default_rng([config.seed, 3])
    seen = np.sort(rng.permutation(seen)[: out_of_distribution.ENOUGH])
    needed = np.union1d(judged, seen)
    scored = bundle.score(ensemble, responses, needed, on=prepared.nursery.on, report=tell)
    rewards, distance = np.zeros((n, ensemble.size)), np.zeros(n)
    rewards[needed] = scored.rewards
    hidden = scored.hidden[np.searchsorted(needed, seen)]
    reference = out_of_distribution.fit(hidden, responses.prompt[seen], rng)
    distance[needed] = reference.distance(scored.hidden)
    known = out_of_distribution.LeftOut(np.zeros(n, dtype=np.int64), (reference,), distance)
    return _Scored(rewards, known, scored.cut)


def _examine(
    source: Path, prepared: Prepared, config: FinetuneConfig, assessed: assessment.Assessment, scored: _Scored
) -> dict[str, Any]:
    """What the report says beyond the plain metrics, as far as it takes no further training."""
    prompts, snapshot = int(assessed.held.prompt.max()) + 1, prepared.snapshot
    draws = clustered.resamples(prompts, config.bootstrap, np.random.default_rng([config.seed, 2]))
    found = closer_look.closer(snapshot, assessed, context.read(source, snapshot), draws)
    return {**found, "out_of_distribution": closer_look.far_out(assessed, scored.known, draws)}


def describe(run: Path, member: int) -> dict[str, Any]:
    """What was written beside a finished member's weights."""
    path = run / "ensemble" / members.name(member) / members.DESCRIPTION
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _plan(prompt_of_pair: np.ndarray, held: np.ndarray) -> plan.Plan:
    """The snapshot's own split: fine-tuning once per fold would cost as many trainings."""
    prompts, prompt = np.unique(prompt_of_pair, return_inverse=True)
    outside = np.zeros(len(prompts), dtype=bool)
    outside[prompt[held]] = True
    return plan.Plan(prompts, prompt, (outside,), None)


def _ensemble(folder: Path, config: FinetuneConfig, prepared: Prepared) -> bundle.Finetuned:
    """Before it is calibrated."""
    source = prepared.nursery.source
    return bundle.Finetuned(
        folder=folder,
        backbone=source.name,
        backbone_revision=source.revision,
        backbone_commit=source.commit,
        method=config.method,
        size=config.members,
        template=prepared.template,
        max_length=config.max_length,
        temperature=1.0,
        tau=0.0,
        criterion=prepared.snapshot.criterion,
        snapshot_sha256=prepared.snapshot.sha256,
    )


def _provenance(
    prepared: Prepared,
    config: FinetuneConfig,
    assessed: assessment.Assessment,
    described: list[dict[str, Any]],
    groups: plan.Plan,
) -> dict[str, Any]:
    """How the numbers came about, in words and counts."""
    found = judging.provenance(prepared.snapshot, groups, assessed, config.members)
    dropped = len(prepared.rows["dropped"])
    if dropped:
        found["left_out"].append({"reason": f"longer than {config.max_length} tokens", "count": dropped})
    found["training"] |= {
        "votes": prepared.votes,
        "rows": prepared.rows["trained"],
        "method": config.method,
        "backbone": config.backbone,
        "steps": sum(one["steps"] for one in described),
        "validation_nll": float(np.mean([one["curve"][-1]["validation"] for one in described])),
    }
    return found
