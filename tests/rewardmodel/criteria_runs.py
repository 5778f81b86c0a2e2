"""Runs with several criteria, and a fine-tuned one, for the tests of their pages."""

import json
from typing import Any

from annotation.models.project import Project
from rewardmodel.models import TrainingRun
from tests.rewardmodel.test_findings import examined, interval
from tests.rewardmodel.test_runs_pages import FULL_METRICS, trained
from tests.rewardmodel.worlds import run_folder

PREFLIGHT = {
    "template": "chat",
    "rows": {
        "max_length": 64, "longest": 91, "tokens": 12345, "trained": {"pairs": 100, "rankings": 18},
        "dropped": [
            {"kind": "pairs", "responses": ["r1", "r2"]},
            {"kind": "rankings", "responses": ["<b>r3</b>", "r1", "r4"]},
        ],
        "too_long_responses": {"r1": 91}, "policy": "",
    },
    "tokenizer": {"pad": "<pad>", "eos": "<eos>", "pad_is_eos": False},
    "memory": {
        "parameters": 4 << 20, "gradients": 1 << 20, "optimizer": 2 << 20, "activations": 3 << 20,
        "total": 10 << 20, "free": 8 << 30, "largest_pass_tokens": 512, "device": "cpu",
    },
    "rewards": {"largest_difference": {"padded_right": 2e-6, "padded_left": 3e-6}, "limit": 1e-4},
    "head": {"gradient_norm": 0.5, "moved": 0.01, "trained_parameters": 6208},
}  # fmt: skip


def part(criterion: str, accuracy: float) -> dict[str, Any]:
    """The report of one criterion."""
    return {
        **FULL_METRICS, **examined(), "criterion": criterion, "accuracy": interval(accuracy, accuracy - 0.05,
        accuracy + 0.05, 140), "training": {"heads": 8, "steps": 40, "started_from": "nothing"},
    }  # fmt: skip


def several(project: Project, **metrics: Any) -> TrainingRun:
    """Helpfulness weighs three times as much as <b>tone</b>; style does not count."""
    run = trained(project)
    names = {"helpfulness": 0.81, "<b>tone</b>": 0.62, "style": 0.55}
    run.metrics = {
        **part("weighted overall", 0.77), "weights": {"helpfulness": 0.75, "<b>tone</b>": 0.25},
        "criteria": {name: part(name, value) for name, value in names.items()}, **metrics,
    }  # fmt: skip
    run.save()
    return run


def finetuned(project: Project) -> TrainingRun:
    """A run of the GPU tier: it has no closer look, and says what was checked before it."""
    run = trained(project, config={"tier": "finetune", "method": "lora"})
    (run_folder(run) / "preflight.json").write_text(json.dumps(PREFLIGHT))
    return run
