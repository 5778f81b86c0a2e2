"""What the distillation cost: student, teacher and length on prompts that neither has learned from."""

from __future__ import annotations

from typing import Any

import numpy as np

from rewardmodel.evaluation import accuracy, clustered
from rewardmodel.evaluation.rank_correlation import spearman
from rewardmodel.training.handover.lesson import Lesson, centred

RESAMPLES = 1_000


def fidelity(lesson: Lesson, rows: np.ndarray, student: np.ndarray, seed: int) -> dict[str, Any]:
    """rows: responses of the test prompts; student: its rewards of these, (len(rows),).

    Spearman is over rewards centred within their prompts; agreement is the share of judged pairs on whose
    better side student and teacher agree; accuracies are against the voters' decisions, ties left out.
    """
    responses, pairs = lesson.snapshot.responses, lesson.snapshot.pairs
    full = np.full(len(responses.ids), np.nan)
    full[rows] = student
    mine = np.flatnonzero(pairs.split == "test")
    found: dict[str, Any] = {
        "responses": len(rows),
        "pairs": len(mine),
        "prompts": len(np.unique(responses.prompt[rows])),
    }
    prompt = np.unique(responses.prompt[rows], return_inverse=True)[1]
    found["spearman_with_ensemble"] = spearman(centred(student, prompt), centred(lesson.target[rows], prompt))
    if not len(mine):
        return {**found, "note": "no judged pair is in the test split"}
    length = np.log1p(np.array([len(text) for text in responses.texts], dtype=np.float64))
    of_pair = np.unique(pairs.prompt[mine], return_inverse=True)[1]
    draws = clustered.resamples(int(of_pair.max()) + 1, RESAMPLES, np.random.default_rng([seed, 5]))
    d = {name: v[pairs.left[mine]] - v[pairs.right[mine]] for name, v in
         (("student", full), ("ensemble", lesson.target), ("length", length))}  # fmt: skip
    shares = pairs.shares[mine]
    agree = (np.sign(d["student"]) == np.sign(d["ensemble"])).astype(np.float64)
    found["agreement_with_ensemble"] = clustered.mean(agree, of_pair, draws).as_dict()
    for name, value in d.items():
        found[f"accuracy_{name}"] = accuracy.pairwise(value, shares, of_pair, draws).decided.as_dict()
    cost = accuracy.lift(d["student"], d["ensemble"], shares, of_pair, draws)
    return {**found, "student_minus_ensemble": cost.as_dict()}
