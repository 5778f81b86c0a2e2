"""A trained run as a hand-over folder: its ensemble as one model, distilled or merged, and packed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rewardmodel.training import data, encoder, ensemble
from rewardmodel.training.finetune import texts
from rewardmodel.training.finetune.bundle import Finetuned, load_tokenizer
from rewardmodel.training.handover import (
    distil,
    fidelity,
    finetuned,
    golden,
    lesson,
    package,
    standard,
    student,
    template,
)
from rewardmodel.training.handover.folder import HandOverError
from rewardmodel.training.progress import Progress
from rewardmodel.training.stopping import Stop

SCORE = "mean reward of the ensemble / its temperature: P(A over B | no tie) = sigmoid(difference)"
CARD = "MODEL_CARD.md"
MESSAGES = {
    "reading": "Reading the texts",
    "learning": "Learning from the ensemble",
    "checking": "Packing and checking",
}


@dataclass(frozen=True)
class Request:
    run: Path
    out: Path
    snapshot: Path
    cache: Path
    effort: distil.Effort


def hand_over(request: Request, stop: Stop, progress: Progress | None = None) -> dict[str, Any]:
    """Distil or merge, measure, pack. Returns handover.json. Raises TrainingError, or StoppedError."""
    began = time.monotonic()
    if request.out.exists():
        raise HandOverError(f"{request.out} exists already: name a folder that does not.")
    report = _reporter(stop, progress)
    teacher = ensemble.load(request.run / "ensemble")
    snapshot = _snapshot(request, teacher)
    if isinstance(teacher, Finetuned):
        contents = _merged(request, teacher, snapshot, report)
    else:
        contents = _distilled(request, teacher, snapshot, report)
    about = {
        **contents.about,
        "score": SCORE,
        "snapshot_sha256": snapshot.sha256,
        "seconds": round(time.monotonic() - began, 1),
    }
    return package.write(request.out, replace(contents, about=about))


def _distilled(
    request: Request, teacher: ensemble.Ensemble, snapshot: data.Snapshot, report: distil.Report
) -> package.Contents:
    """Heads on a frozen encoder become a student."""
    bundle, effort = request.run / "ensemble", request.effort
    known = lesson.prepare(bundle, snapshot, request.cache, lambda n, of: report("reading", n, of))
    base = encoder.locate(teacher.encoder, teacher.encoder_commit, teacher.windows)
    learner, tokenizer = student.load(base.folder, effort.seed)
    taught = distil.distil(learner, tokenizer, known, effort, report)
    tokenizer.chat_template = template.for_encoder(tokenizer)
    model = standard.compiled(taught.student)
    report("checking", 0, 1)
    about = {
        "kind": "distilled",
        "criterion": teacher.criterion,
        "encoder": {"name": teacher.encoder, "revision": teacher.encoder_revision},
        "ensemble": {"heads": teacher.size, "temperature": teacher.temperature, "tau": teacher.tau},
        "longest_tokens": model.config.max_position_embeddings,
        "distillation": _account(taught, effort),
        "held_out": _measured(known, lambda rows: _students(model, tokenizer, known, rows), effort.seed),
    }
    return package.Contents(model, tokenizer, bundle, _examples(known), about, request.run / CARD)


def _merged(
    request: Request, teacher: Finetuned, snapshot: data.Snapshot, report: distil.Report
) -> package.Contents:
    """A fine-tuned ensemble becomes one of its own kind."""
    known, members = finetuned.prepare(teacher, snapshot, lambda n, of: report("reading", n, of))
    tokenizer = load_tokenizer(teacher)
    rows = finetuned.golden_rows(known, tokenizer, teacher)
    samples = finetuned.examples(known, rows)
    ids = texts.tokenise(tokenizer, teacher.template, snapshot.responses, rows.tolist())
    model, member = finetuned.merge(teacher, known, members, tokenizer)
    report("checking", 0, 1)
    measure = partial(finetuned.scores, model, tokenizer, teacher, snapshot)
    about = {
        **finetuned.about(teacher, member),
        "held_out": _measured(known, measure, request.effort.seed),
    }
    finetuned.set_template(tokenizer, teacher.template, samples, ids)
    return package.Contents(model, tokenizer, teacher.folder, samples, about, request.run / CARD)


def _snapshot(request: Request, teacher: ensemble.Ensemble | Finetuned) -> data.Snapshot:
    snapshot = data.read(request.snapshot, teacher.criterion)
    if snapshot.sha256 != teacher.snapshot_sha256:
        raise HandOverError(
            f"{request.snapshot} is not the snapshot the run was trained on (its SHA-256 is "
            f"{snapshot.sha256[:12]}, the run's {teacher.snapshot_sha256[:12]}): name that one (--snapshot)."
        )
    return snapshot


def _reporter(stop: Stop, progress: Progress | None) -> distil.Report:
    def report(phase: str, done: int, total: int) -> None:
        stop.check()
        if progress is not None:
            progress.report(phase, done, total, MESSAGES[phase])

    return report


def _account(taught: distil.Taught, effort: distil.Effort) -> dict[str, Any]:
    """How the student was taught, and how far from the ensemble it ended on the calibration prompts."""
    return {
        "seed": effort.seed,
        "steps": taught.steps,
        "tokens": taught.tokens,
        "unexplained_variance_linear": taught.loss_linear,
        "unexplained_variance": taught.loss,
    }


def _measured(known: lesson.Lesson, scores: Callable[[np.ndarray], np.ndarray], seed: int) -> dict[str, Any]:
    """The model that is handed over, as trainers will call it, on the test prompts."""
    rows = known.rows("test")
    if not len(rows):
        return {"responses": 0, "pairs": 0, "prompts": 0, "note": "no prompt is in the test split"}
    return fidelity.fidelity(known, rows, scores(rows), seed)


def _students(model: Any, tokenizer: Any, known: lesson.Lesson, rows: np.ndarray) -> np.ndarray:
    responses = known.snapshot.responses
    prompts = [responses.prompt_texts[responses.prompt[i]] for i in rows]
    longest = model.config.max_position_embeddings
    ids = student.token_ids(tokenizer, prompts, [responses.texts[i] for i in rows], longest)
    return distil.logits(model, ids, tokenizer.pad_token_id)


def _examples(known: lesson.Lesson) -> list[golden.Example]:
    responses = known.snapshot.responses
    lengths = np.array([len(text) for text in responses.texts])
    return [
        golden.Example(
            [
                {"role": "user", "content": responses.prompt_texts[responses.prompt[i]]},
                {"role": "assistant", "content": responses.texts[i]},
            ],
            {"ensemble_mean": float(known.target[i]), "ensemble_std": float(known.spread[i])},
        )
        for i in golden.choose(known.target, lengths)
    ]


def snapshot_of(run: Path) -> Path | None:
    """The snapshot folder a run was trained on, if its config.json names one that is still there."""
    try:
        named = json.loads((run / "config.json").read_text(encoding="utf-8")).get("snapshot")
    except (OSError, ValueError):
        return None
    return Path(named) if named and Path(named).is_dir() else None
